"""The committed lock files against the real registry: what comes out is a release for its architecture, on whatever controller."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import zstandard

from tests.lab import ROOT

CACHE = Path.home() / ".cache" / "lobsterpot"


def build(version: str, arch: str) -> Path:
    """Build, or take from the cache that the roles use, as they do."""
    locks = ROOT / "roles" / "release" / "files" / "locks" / "openclaw" / version
    arguments = {"product": "openclaw", "version": version, "arch": arch, "lock_dir": str(locks), "cache_dir": str(CACHE)}
    command = ["ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "release_archive", "-a", json.dumps(arguments)]
    command += ["-e", "ansible_python_interpreter={{ ansible_playbook_python }}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-500:]
    line = next(line for line in done.stdout.splitlines() if line.strip().startswith("archive:"))
    return Path(line.partition(":")[2].strip())


@pytest.mark.parametrize(("version", "arch", "machine"), [("2026.9.6", "x64", 62), ("2026.9.6", "arm64", 183), ("2026.9.5", "x64", 62)])
def test_archive(version: str, arch: str, machine: int) -> None:
    """Every native program is for the target (e_machine of its ELF header), all is root's, nothing is left to install."""
    archive = build(version, arch)
    machines = set()
    names = set()
    with zstandard.open(archive, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            names.add(member.name)
            assert (member.uid, member.gid, member.mode & 0o022 if not member.issym() else 0) == (0, 0, 0), member.name
            if member.name == "bin/node":
                assert member.linkname == f"../node_modules/node-linux-{arch}/bin/node"
            # Some packages ship an add-on for every platform side by side and choose at run time.
            foreign = re.search(rf"/prebuilds/(?!linux-{arch}/)", member.name)
            if member.isfile() and not foreign and (member.name.endswith(".node") or member.name.endswith("/bin/node")):
                content = tar.extractfile(member)
                assert content is not None
                head = content.read(20)
                machines.add(int.from_bytes(head[18:20], "little") if head[:4] == b"\x7fELF" else -1)
    assert machines == {machine}
    assert "node_modules/openclaw/openclaw.mjs" in names
    assert "node_modules/openclaw/.openclaw-lifecycle-pending" not in names
    assert f"node_modules/@openclaw/fs-safe-linux-{arch}-gnu" in names
