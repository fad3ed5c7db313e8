# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unpacking releases for real, below a temporary directory."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from tests.lab import limits

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

NEW = "2026.9.6-x64-0123456789ab"


def make_archive(path: Path, cut: int | None = None) -> str:
    """Write a small release, with only its first `cut` bytes if given, and return its SHA-256."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:", format=tarfile.GNU_FORMAT) as tar:
        for name, mode, content in (
            ("bin", 0o755, None),
            ("bin/tool", 0o755, b"#!/bin/sh\n"),
            ("release.json", 0o644, b'{"arch": "x64"}\n'),
        ):
            member = tarfile.TarInfo(name)
            member.mode = mode
            member.uid, member.gid = 1234, 1234
            member.type, member.size = (tarfile.REGTYPE, len(content)) if content is not None else (tarfile.DIRTYPE, 0)
            tar.addfile(member, io.BytesIO(content or b""))
    data = zstandard.ZstdCompressor().compress(packed.getvalue())[:cut]
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def arguments(tmp_path: Path, root: Path) -> dict[str, Any]:
    sha256 = make_archive(tmp_path / "release.tar.zst")
    return {"archive": str(tmp_path / "release.tar.zst"), "sha256": sha256, "id": NEW, "root": str(root)}


def releases(root: Path) -> list[str]:
    """All entries, hidden ones included."""
    return sorted(path.name for path in (root / "releases").iterdir())


def clock(folder: Path) -> Iterator[None]:
    """Yield whenever the file system's clock, by which releases are ordered, has moved on."""
    probe = folder / "probe"
    deadline = time.monotonic() + limits.THREAD
    probe.touch()
    while True:
        last = probe.stat().st_ctime_ns
        while probe.stat().st_ctime_ns == last:
            assert time.monotonic() < deadline, "the clock of the file system stands still"
            probe.touch()
        yield


def installed_before(root: Path, *names: str) -> None:
    """Make releases that were installed earlier, in this order."""
    ticks = clock(root.parent)
    for name in names:
        next(ticks)
        (root / "releases" / name).mkdir(parents=True)
        (root / "releases" / name / "release.json").write_text("{}\n")
    next(ticks)


def test_unpacks_a_release(run_module: RunModule, root: Path, arguments: dict[str, Any]) -> None:
    """A release lies under its name, whole, readable for the gateway whatever the umask, and nothing beside it."""
    result = run_module("release_install", arguments)
    assert (result["changed"], result["removed"]) == (True, [])
    assert releases(root) == [NEW]
    release = root / "releases" / NEW
    assert {str(path.relative_to(release)): oct(path.stat().st_mode) for path in release.rglob("*")} == {
        "bin": "0o40755",
        "bin/tool": "0o100755",
        "release.json": "0o100644",
    }
    assert (release / "release.json").read_text() == '{"arch": "x64"}\n'
    assert [stat.S_IMODE(path.stat().st_mode) for path in (root / "releases", release)] == [0o755, 0o755]


def test_the_archive_does_not_choose_the_owner(run_module: RunModule, root: Path, arguments: dict[str, Any]) -> None:
    """A number in the archive could be that of the gateway's user, who then could change the code he runs."""
    run_module("release_install", arguments)
    expected = (root.stat().st_uid, root.stat().st_gid)
    paths = (root / "releases", *(root / "releases").rglob("*"))
    assert {(path.stat().st_uid, path.stat().st_gid) for path in paths} == {expected}


def test_settles(run_module: RunModule, root: Path, arguments: dict[str, Any], snapshot: Snapshot) -> None:
    """A release that is there is not touched, and its archive need not be."""
    run_module("release_install", arguments)
    Path(arguments["archive"]).unlink()
    before = snapshot(root)
    result = run_module("release_install", arguments)
    assert (result["changed"], result["removed"]) == (False, [])
    assert snapshot(root) == before


def test_check_mode_predicts(run_module: RunModule, root: Path, arguments: dict[str, Any], snapshot: Snapshot) -> None:
    """Check mode says that a release would be unpacked, and touches nothing."""
    before = snapshot(root)
    assert run_module("release_install", arguments, check=True)["changed"] is True
    assert snapshot(root) == before
    run_module("release_install", arguments)
    assert run_module("release_install", arguments, check=True)["changed"] is False


def test_another_archive_is_refused(run_module: RunModule, root: Path, arguments: dict[str, Any], snapshot: Snapshot) -> None:
    """Code that was swapped between the controller and the host is not unpacked; the releases stay as they are."""
    installed_before(root, "old")
    (root / "current").symlink_to("releases/old")
    before = snapshot(root)
    wanted = "0" * 64
    result = run_module("release_install", {**arguments, "sha256": wanted}, fails=True)
    assert result["msg"] == (
        f"{arguments['archive']} is not the archive that was built: its SHA-256 is {arguments['sha256']}, "
        f"expected was {wanted}. Nothing was unpacked; the release in use goes on."
    )
    assert snapshot(root) == before


@pytest.mark.parametrize("cut", [0, 20, -10])
def test_a_truncated_archive_leaves_no_release(
    run_module: RunModule, tmp_path: Path, root: Path, arguments: dict[str, Any], cut: int
) -> None:
    """Half a release under a release's name would be put in use on the next run."""
    arguments["sha256"] = make_archive(tmp_path / "release.tar.zst", cut)
    result = run_module("release_install", arguments, fails=True)
    assert result["msg"].startswith(f"{arguments['archive']} could not be unpacked: ")
    assert result["msg"].endswith("The release in use goes on.")
    assert releases(root) == []


def test_a_missing_archive_is_refused(run_module: RunModule, root: Path, arguments: dict[str, Any]) -> None:
    """The message names the file."""
    Path(arguments["archive"]).unlink()
    assert arguments["archive"] in run_module("release_install", arguments, fails=True)["msg"]
    assert releases(root) == []


def test_leftovers_of_a_crash_are_cleaned(run_module: RunModule, root: Path, arguments: dict[str, Any]) -> None:
    """What a power cut left, of this release and of others, neither fills the disk nor gets into the new release."""
    for leftover in (f".partial-{NEW}", ".partial-2026.9.5-x64-ba9876543210", ".removed-2026.9.4-x64-000000000000"):
        (root / "releases" / leftover).mkdir(parents=True)
        (root / "releases" / leftover / "stray").write_text("left\n")
    run_module("release_install", arguments)
    assert releases(root) == [NEW]
    assert sorted(path.name for path in (root / "releases" / NEW).iterdir()) == ["bin", "release.json"]


def test_the_oldest_releases_are_removed(run_module: RunModule, root: Path, arguments: dict[str, Any]) -> None:
    """Disk is bounded; names do not decide what is old."""
    installed_before(root, "d", "c", "b", "a")
    result = run_module("release_install", {**arguments, "keep": 3})
    assert result["removed"] == ["d", "c"]
    assert releases(root) == [NEW, "a", "b"]


def test_the_release_in_use_is_never_removed(run_module: RunModule, root: Path, arguments: dict[str, Any]) -> None:
    """The gateway runs from it until it is restarted, and it is the way back."""
    installed_before(root, "oldest", "older", "old")
    (root / "current").symlink_to("releases/oldest")
    result = run_module("release_install", {**arguments, "keep": 2})
    assert result["removed"] == ["older", "old"]
    assert releases(root) == [NEW, "oldest"]


@pytest.mark.parametrize("keep", [1, 0, -1])
def test_the_new_release_and_the_one_in_use_stay(run_module: RunModule, root: Path, arguments: dict[str, Any], keep: int) -> None:
    """A limit that leaves no room is no reason to remove what runs or what was just unpacked."""
    installed_before(root, "in-use", "other")
    (root / "current").symlink_to("releases/in-use")
    run_module("release_install", {**arguments, "keep": keep})
    assert releases(root) == [NEW, "in-use"]


def test_a_refused_archive_removes_no_release(run_module: RunModule, root: Path, arguments: dict[str, Any]) -> None:
    """Old releases go only after the new one is there."""
    installed_before(root, "a", "b", "c")
    run_module("release_install", {**arguments, "sha256": "0" * 64, "keep": 1}, fails=True)
    assert releases(root) == ["a", "b", "c"]


def test_a_stray_file_does_not_stop_installations(run_module: RunModule, root: Path, arguments: dict[str, Any]) -> None:
    """A file that somebody left among the releases must not keep later updates from a host."""
    (root / "releases").mkdir()
    (root / "releases" / "notes.txt").write_text("mine\n")
    run_module("release_install", {**arguments, "keep": 1})


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden"])
def test_an_id_that_is_no_name_is_refused(run_module: RunModule, root: Path, arguments: dict[str, Any], name: str) -> None:
    """An id that came out empty must not pass for a release that is installed."""
    (root / "releases").mkdir()
    run_module("release_install", {**arguments, "id": name}, fails=True)
