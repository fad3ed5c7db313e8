# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building sandbox images, with a double in mmdebstrap's place.

The double is a shell script that notes how it was called and writes a few bytes to the target. It fetches no packages
and checks no signature: that mmdebstrap does is not shown here.
"""

from __future__ import annotations

import fcntl
import importlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

DOUBLE = """\
#!/bin/sh
# A double of mmdebstrap: see the docstring of the test.
printf '%s\\n' "$@" >{call}
echo "$2" >>{calls}
for word; do case $word in /*.tar.zst) printf 'image of the %s' {day} >"$word";; esac; done
{ending}
"""

# SHA-256 of the texts that the double writes.
FIRST = "9fcf49cbba779d4e23ab081a7250867a7ff19d74cbf8d00c0d0fe9096372df05"
SECOND = "f3ef5f40dfd9d284eb1a4990d5b97ac7fc7a6a87c64400b1b311c17fdda1dcd8"


class Lab:
    """A cache, and the double in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        (folder / "tools").mkdir()
        self.mmdebstrap()

    def mmdebstrap(self, day: str = "first day", ending: str = "exit 0") -> None:
        quoted = {name: shlex.quote(str(self.folder / name)) for name in ("call", "calls")}
        tool = self.folder / "tools" / "mmdebstrap"
        tool.write_text(DOUBLE.format(day=shlex.quote(day), ending=ending, **quoted))
        tool.chmod(0o755)

    def arguments(self, **changes: Any) -> dict[str, Any]:
        base = {"suite": "trixie", "packages": ["bash", "git"], "arch": "x64", "cache_dir": str(self.cache)}
        return {**base, **changes}

    def calls(self) -> int:
        calls = self.folder / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0

    def cached(self) -> list[str]:
        """What lies in the cache, beside the guards that keep two runs apart."""
        names = (path.name for path in self.cache.iterdir()) if self.cache.exists() else ()
        return sorted(name for name in names if not name.startswith(".lock-"))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A Linux machine of type x86_64 that has the tools."""
    module = importlib.import_module("sandbox_archive")
    (tmp_path / "keyring.gpg").touch()
    monkeypatch.setattr(module, "KEYRING", tmp_path / "keyring.gpg")
    monkeypatch.setattr(module.platform, "system", lambda: "Linux")
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    return Lab(tmp_path)


def test_builds_an_image(run_module: RunModule, lab: Lab) -> None:
    """The archive lies in the cache under its name, with its hash, and nothing beside it."""
    result = run_module("sandbox_archive", lab.arguments())
    assert (result["changed"], result["obstacle"], result["sha256"]) == (True, "", FIRST)
    assert result["id"].startswith("trixie-x64-")
    assert result["archive"] == f"{lab.cache}/sandbox-{result['id']}.tar.zst"
    assert Path(result["archive"]).read_text() == "image of the first day"
    assert lab.cached() == [f"sandbox-{result['id']}.tar.zst", f"sandbox-{result['id']}.tar.zst.sha256"]


def test_mmdebstrap_is_told_what_was_asked(run_module: RunModule, lab: Lab) -> None:
    """Suite, architecture, packages and mirror reach it; it writes to a folder that is removed after a failure."""
    run_module("sandbox_archive", lab.arguments(mirror="https://mirror.example/debian"))
    words = (lab.folder / "call").read_text().splitlines()
    assert words[:5] == ["--quiet", "--variant=minbase", "--architectures=amd64", "--include=bash,git", words[4]]
    assert words[-1] == "https://mirror.example/debian"
    assert words[-3] == "trixie"
    assert words[-2].startswith(f"{lab.cache}/.build-")


def test_settles(run_module: RunModule, lab: Lab, snapshot: Snapshot) -> None:
    """A second run takes the archive from the cache."""
    first = run_module("sandbox_archive", lab.arguments())
    before = snapshot(lab.cache)
    second = run_module("sandbox_archive", lab.arguments())
    assert (second["changed"], second["archive"], second["sha256"]) == (False, first["archive"], FIRST)
    assert (snapshot(lab.cache), lab.calls()) == (before, 1)


def test_check_mode_predicts(run_module: RunModule, lab: Lab, snapshot: Snapshot) -> None:
    """Check mode builds nothing and makes no cache; afterwards it promises no change."""
    before = snapshot(lab.folder)
    predicted = run_module("sandbox_archive", lab.arguments(), check=True)
    assert (predicted["changed"], predicted["sha256"]) == (True, "")
    assert snapshot(lab.folder) == before
    assert run_module("sandbox_archive", lab.arguments())["id"] == predicted["id"]
    assert run_module("sandbox_archive", lab.arguments(), check=True)["changed"] is False


def test_an_image_on_the_host_is_not_built(run_module: RunModule, lab: Lab, snapshot: Snapshot) -> None:
    """A settled host costs no build, even on a controller with an empty cache."""
    name = run_module("sandbox_archive", lab.arguments(), check=True)["id"]
    before = snapshot(lab.folder)
    result = run_module("sandbox_archive", lab.arguments(installed=[name]))
    assert (result["changed"], result["sha256"]) == (False, "")
    assert snapshot(lab.folder) == before


def test_refresh_takes_todays_packages(run_module: RunModule, lab: Lab) -> None:
    """Security fixes get into an image that is in the cache and on the host."""
    first = run_module("sandbox_archive", lab.arguments())
    lab.mmdebstrap(day="second day")
    second = run_module("sandbox_archive", lab.arguments(refresh=True, installed=[first["id"]]))
    assert (second["changed"], second["archive"], second["sha256"]) == (True, first["archive"], SECOND)
    assert Path(second["archive"]).read_text() == "image of the second day"


def test_a_changed_archive_is_refused(run_module: RunModule, lab: Lab) -> None:
    """Whoever can write the cache could otherwise choose what tools run in."""
    built = run_module("sandbox_archive", lab.arguments())
    Path(built["archive"]).write_text("another image")
    result = run_module("sandbox_archive", lab.arguments(), fails=True)
    assert result["msg"].startswith(f"{built['archive']} was changed since it was built: its SHA-256 is ")
    assert lab.calls() == 1


def test_mmdebstrap_failing_shows_its_words(run_module: RunModule, lab: Lab) -> None:
    """The operator reads what it said and which setting helps; the cache holds nothing of it."""
    lab.mmdebstrap(ending="echo 'E: The following signatures were invalid' >&2; exit 25")
    result = run_module("sandbox_archive", lab.arguments(), fails=True)
    assert result["msg"] == (
        "mmdebstrap could not build the sandbox image:\n"
        "E: The following signatures were invalid\n"
        "If Debian's archive cannot be reached from here, set sandbox_mirror."
    )
    assert lab.cached() == []


def test_a_failed_refresh_keeps_the_old_archive(run_module: RunModule, lab: Lab) -> None:
    """What was built earlier is still there, with its hash, when today's build fails."""
    built = run_module("sandbox_archive", lab.arguments())
    lab.mmdebstrap(day="second day", ending="exit 1")
    run_module("sandbox_archive", lab.arguments(refresh=True), fails=True)
    again = run_module("sandbox_archive", lab.arguments())
    assert (again["changed"], again["sha256"]) == (False, built["sha256"])


@pytest.mark.parametrize(
    ("obstacle", "words"),
    [
        ("system", "it does not run Linux"),
        ("machine", "its architecture is aarch64"),
        ("tool", "mmdebstrap is not installed"),
        ("keyring", "debian-archive-keyring is not installed"),
    ],
)
def test_a_machine_that_cannot_build_says_why(
    run_module: RunModule, lab: Lab, monkeypatch: pytest.MonkeyPatch, obstacle: str, words: str
) -> None:
    """A controller that is no Debian of the host's architecture leaves the build to the host, and fails nothing."""
    module = importlib.import_module("sandbox_archive")
    match obstacle:
        case "system":
            monkeypatch.setattr(module.platform, "system", lambda: "Darwin")
        case "machine":
            monkeypatch.setattr(module.platform, "machine", lambda: "aarch64")
        case "tool":
            monkeypatch.setenv("PATH", str(lab.folder / "empty"))
        case "keyring":
            (lab.folder / "keyring.gpg").unlink()
    result = run_module("sandbox_archive", lab.arguments())
    assert (result["changed"], result["archive"], result["sha256"], result["obstacle"]) == (False, "", "", words)
    assert (lab.calls(), lab.cached()) == (0, [])


@pytest.mark.parametrize(("machine", "arch"), [("amd64", "x64"), ("aarch64", "arm64"), ("arm64", "arm64")])
def test_machines_are_known_by_each_name(run_module: RunModule, lab: Lab, monkeypatch: pytest.MonkeyPatch, machine: str, arch: str) -> None:
    """Kernels name the same processor in different ways."""
    monkeypatch.setattr(importlib.import_module("sandbox_archive").platform, "machine", lambda: machine)
    assert run_module("sandbox_archive", lab.arguments(arch=arch))["obstacle"] == ""


def test_what_another_run_built_is_taken(run_module: RunModule, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second build would replace the archive while the first host holds the hash of the old one."""
    other = run_module("sandbox_archive", lab.arguments(cache_dir=str(lab.folder / "of the other run")))

    def wait(_stream: object, _operation: int) -> None:
        for suffix in ("", ".sha256"):
            (lab.cache / (Path(other["archive"]).name + suffix)).write_bytes(Path(other["archive"] + suffix).read_bytes())

    monkeypatch.setattr(fcntl, "flock", wait)
    result = run_module("sandbox_archive", lab.arguments())
    assert (result["changed"], result["sha256"]) == (False, other["sha256"])
    assert lab.calls() == 1
