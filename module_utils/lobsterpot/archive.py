# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One release archive: npm's tree, checked for its target, packed so that the same input gives the same bytes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import LobsterpotError
from .lockfile import ARCHIVE_FORMAT, NODE_PACKAGES

# e_machine of an ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
ELF_MACHINES = {"x64": 62, "arm64": 183}

# The gateway leaves this file in its package and, with npm's install scripts off, expects to finish the installation at its
# first start, inside its own directory. That directory is read-only to it. What is left to do there (pruning files of an
# older version, fetching a native add-on) does not apply to a fresh tree with every add-on locked.
LIFECYCLE_MARKER = ".openclaw-lifecycle-pending"

# Plugins of channels lie in a release as the gateway's own installer leaves them in `npm` of its state (its documentation,
# plugins/dependency-resolution), and a link there leads to them: one that it finds elsewhere it loads, but does not trust
# (resolvePluginTrust of 2026.9.6).
PLUGINS = "npm/projects/channels"


def elf_machine(path: Path) -> int | None:
    """Return e_machine of an ELF file, None for anything else."""
    with path.open("rb") as stream:
        head = stream.read(20)
    return int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" else None


def prepare_tree(tree: Path, product: str, version: str, arch: str) -> None:
    """Turn `npm ci`'s result into a release: stable entry points, a manifest, no unfinished installation.

    Raises LobsterpotError when the tree is not a complete release for `arch`.
    """
    modules = tree / "node_modules"
    node = modules / NODE_PACKAGES[arch] / "bin" / "node"
    if not node.is_file():
        raise LobsterpotError(f"npm installed no Node for {arch}: {node.relative_to(tree)} is missing")
    if elf_machine(node) != ELF_MACHINES[arch]:
        raise LobsterpotError(f"{node.relative_to(tree)} is not a Linux {arch} program")
    package = modules / product
    if not (package / "package.json").is_file():
        raise LobsterpotError(f"npm did not install {product}")
    add_on = modules / "@openclaw" / f"fs-safe-linux-{arch}-gnu"
    if (modules / "@openclaw" / "fs-safe").is_dir() and not add_on.is_dir():
        raise LobsterpotError(f"the native add-on {add_on.relative_to(modules)} is missing; the lock file must name it")
    (package / LIFECYCLE_MARKER).unlink(missing_ok=True)
    for llama in modules.glob("@node-llama-cpp/*"):  # clawdbot's: 680 MB for other machines and for graphics cards
        if llama.name != f"linux-{arch}":
            shutil.rmtree(llama)
    (tree / "bin").mkdir()
    (tree / "bin" / "node").symlink_to(os.path.relpath(node, tree / "bin"))
    manifest = {"format": ARCHIVE_FORMAT, "product": product, "version": version, "arch": arch}
    (tree / "release.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def plugin_project(tree: Path, channels: Iterable[str], version: str) -> None:
    """Write the package.json by which the gateway knows the plugins of channels for installs of official packages."""
    folder = tree / PLUGINS
    folder.mkdir(parents=True)
    project = {"private": True, "dependencies": {f"@openclaw/{channel}": version for channel in channels}}
    (folder / "package.json").write_text(json.dumps(project, indent=2) + "\n")


def unpack_plugin(archive: Path, tree: Path, channel: str) -> None:
    """Unpack what `npm pack` fetched, whose files lie under one folder. Python can do it safely only from 3.11.4 on."""
    folder = tree / PLUGINS / "node_modules" / "@openclaw" / channel
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(folder), "--strip-components=1", "--no-same-owner"], check=True)
    # The gateway that it belongs to. Where the link is missing, the gateway wants to make it at its start.
    modules = folder / "node_modules"
    modules.mkdir(exist_ok=True)
    (modules / "openclaw").symlink_to(os.path.relpath(tree / "node_modules" / "openclaw", modules))


def _normalised(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Owner root, time zero, and one of two modes: whoever builds it, wherever, gets the same archive."""
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    info.mtime = 0
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    return info


def pack(tree: Path, archive: Path) -> str:
    """Write `tree` to `archive` (tar, Zstandard) and return the archive's SHA-256 in hexadecimal."""
    import zstandard  # noqa: PLC0415 - only the controller has it

    with archive.open("wb") as raw:
        compressor = zstandard.ZstdCompressor(level=9, threads=-1)
        with (
            compressor.stream_writer(raw, closefd=False) as stream,
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as tar,
        ):
            for path in sorted(tree.rglob("*")):
                tar.add(path, arcname=str(path.relative_to(tree)), recursive=False, filter=_normalised)
        raw.flush()
        os.fsync(raw.fileno())
    return sha256(archive)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def build_folder(cache: Path, name: str) -> Iterator[str]:
    """A folder to build `name` in, gone afterwards; what a killed build of the same name left goes too. Call it under the name's lock."""
    for leftover in cache.glob(f".build-{name}-*"):
        shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(prefix=f".build-{name}-", dir=cache) as folder:
        yield folder


def cached(archive: Path) -> str | None:
    """Return the SHA-256 of an archive that was finished earlier, None if there is none.

    Raises LobsterpotError when its bytes are no longer those that were written.
    """
    recorded = archive.with_name(archive.name + ".sha256")
    if not (archive.is_file() and recorded.is_file()):
        return None
    want, have = recorded.read_text().split()[:1], sha256(archive)
    if not want:  # torn by a crash
        return None
    if want != [have]:
        raise LobsterpotError(
            f"{archive} was changed since it was built: its SHA-256 is {have}, recorded was {want[0]}. "
            f"Find out why; then delete it, and the next run builds it again."
        )
    return have


def finish(partial: Path, archive: Path, digest: str) -> None:
    """Put a finished archive in its place. A crash at any step leaves no archive rather than one that seems changed."""
    archive.unlink(missing_ok=True)
    with archive.with_name(archive.name + ".sha256").open("w") as recorded:
        recorded.write(f"{digest}  {archive.name}\n")
        recorded.flush()
        os.fsync(recorded.fileno())
    partial.replace(archive)


def build_once(archive: Path, build: Callable[[], str], *, refresh: bool = False) -> tuple[str, bool]:
    """Return an archive's SHA-256, and whether `build`, which returns it, made the archive now. Of several runs at a time, one builds."""
    archive.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with archive.with_name(f".lock-{archive.name}").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        found = None if refresh else cached(archive)  # another run may have built it while this one waited
        return (found, False) if found else (build(), True)
