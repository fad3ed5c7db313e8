# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing root-owned files for real, below a temporary directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files that belong to root")

# A validator that takes files with the word "good" in them, and says why when there is none.
WANTS_GOOD = ["sh", "-c", 'grep -q good "$1" || { echo "line 1: no good" >&2; exit 1; }', "validator", "%s"]


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    return folder


def described(path: Path) -> tuple[str, str, str, str]:
    """Content, mode, owner and group."""
    return path.read_text(), f"{stat.S_IMODE(path.stat().st_mode):04o}", path.owner(), path.group()


def test_writes_files(run_module: RunModule, etc: Path) -> None:
    """Content, mode, owner and group are exactly those asked for, and no staged file is left."""
    files = [
        {"path": str(etc / "plain.conf"), "content": "a = 1\n"},
        {"path": str(etc / "private.conf"), "content": "ä = 2\n", "mode": "0640", "group": "daemon"},
    ]
    result = run_module("root_files", {"files": files})
    assert result["changed"] is True
    assert result["paths"] == [str(etc / "plain.conf"), str(etc / "private.conf")]
    assert described(etc / "plain.conf") == ("a = 1\n", "0644", "root", "root")
    assert described(etc / "private.conf") == ("ä = 2\n", "0640", "root", "daemon")
    assert sorted(path.name for path in etc.iterdir()) == ["plain.conf", "private.conf"]


def test_settles(run_module: RunModule, etc: Path, snapshot: Snapshot) -> None:
    """A second run changes nothing and does not run the validator."""
    file = {"path": str(etc / "x"), "content": "good\n", "mode": "0600", "group": "daemon", "validate": WANTS_GOOD}
    gone = {"path": str(etc / "gone"), "absent": True}
    run_module("root_files", {"files": [file, gone]})
    before = snapshot(etc)
    result = run_module("root_files", {"files": [{**file, "validate": ["false"]}, gone]}, diff=True)
    assert (result["changed"], result["paths"], result["previous"], result["diff"]) == (False, [], [], [])
    assert snapshot(etc) == before


def test_check_mode_predicts(run_module: RunModule, etc: Path, snapshot: Snapshot) -> None:
    """Check mode says what a run will change and touches nothing, missing directories included."""
    (etc / "stale").write_text("old\n")
    files = [
        {"path": str(etc / "deep" / "er" / "new"), "content": "a\n", "group": "no-such-group-yet"},
        {"path": str(etc / "stale"), "content": "new\n"},
        {"path": str(etc / "not-there"), "absent": True},
    ]
    before = snapshot(etc)
    result = run_module("root_files", {"files": files}, check=True)
    assert result["changed"] is True
    assert result["paths"] == [str(etc / "deep" / "er" / "new"), str(etc / "stale")]
    assert snapshot(etc) == before


def test_diff_shows_the_change(run_module: RunModule, etc: Path) -> None:
    """The operator sees what a file was and what it becomes."""
    (etc / "x").write_text("old\n")
    (etc / "x").chmod(0o666)
    result = run_module("root_files", {"files": [{"path": str(etc / "x"), "content": "new\n"}]}, check=True, diff=True)
    assert result["diff"] == [
        {
            "before_header": str(etc / "x"),
            "after_header": str(etc / "x"),
            "before": "# mode 0666, group root\nold\n",
            "after": "# mode 0644, group root\nnew\n",
        }
    ]


@pytest.mark.parametrize("drift", ["content", "mode", "owner", "group"])
def test_drift_is_repaired(run_module: RunModule, etc: Path, drift: str) -> None:
    """Whatever somebody changed by hand is put right: content, mode, owner or group."""
    files = {"files": [{"path": str(etc / "x"), "content": "a\n", "mode": "0640"}]}
    run_module("root_files", files)
    match drift:
        case "content":
            (etc / "x").write_text("b\n")
        case "mode":
            (etc / "x").chmod(0o4640)
        case "owner":
            os.chown(etc / "x", 1, 0)
        case "group":
            os.chown(etc / "x", 0, 1)
    assert run_module("root_files", files)["changed"] is True
    assert described(etc / "x") == ("a\n", "0640", "root", "root")
    assert run_module("root_files", files)["changed"] is False


def test_missing_directories_are_made(run_module: RunModule, etc: Path) -> None:
    """Services that are not root must be able to enter them, whatever the umask of the connection."""
    run_module("root_files", {"files": [{"path": str(etc / "a" / "b" / "x"), "content": "1\n"}]})
    assert [stat.S_IMODE(path.stat().st_mode) for path in (etc / "a", etc / "a" / "b")] == [0o755, 0o755]


def test_removes_a_file(run_module: RunModule, etc: Path) -> None:
    """An absent file is gone, and a missing one is no error."""
    (etc / "x").write_text("old\n")
    files = {"files": [{"path": str(etc / "x"), "absent": True}]}
    assert run_module("root_files", files)["changed"] is True
    assert list(etc.iterdir()) == []
    assert run_module("root_files", files)["changed"] is False


@pytest.mark.parametrize("absent", [False, True])
def test_a_planted_symlink_is_replaced(run_module: RunModule, etc: Path, tmp_path: Path, absent: bool) -> None:
    """Somebody who can plant a link must not make root write or remove the file it leads to."""
    victim = tmp_path / "shadow"
    victim.write_text("root:*:\n")
    victim.chmod(0o600)
    (etc / "x").symlink_to(victim)
    run_module("root_files", {"files": [{"path": str(etc / "x"), "content": "a\n", "absent": absent}]})
    assert described(victim) == ("root:*:\n", "0600", "root", "root")
    assert [(path.name, path.is_symlink()) for path in etc.iterdir()] == ([] if absent else [("x", False)])


def test_a_planted_symlink_is_not_read(run_module: RunModule, etc: Path, tmp_path: Path) -> None:
    """The file behind a planted link must not appear in the diff or in what is kept to go back."""
    (tmp_path / "shadow").write_text("root:very-secret-hash:\n")
    (etc / "x").symlink_to(tmp_path / "shadow")
    result = run_module("root_files", {"files": [{"path": str(etc / "x"), "content": "a\n"}]}, check=True, diff=True)
    assert result["changed"] is True
    assert "very-secret-hash" not in str(result)


@pytest.mark.parametrize("invalid", [0, 1, 2])
def test_one_invalid_file_stops_all(run_module: RunModule, etc: Path, invalid: int) -> None:
    """Half of a change is worse than none: files before and after the invalid one stay as they were."""
    files: list[dict[str, Any]] = []
    for number in range(3):
        (etc / f"{number}.conf").write_text(f"old {number}\n")
        content = "bad\n" if number == invalid else "good\n"
        files.append({"path": str(etc / f"{number}.conf"), "content": content, "validate": WANTS_GOOD})
    (etc / "3.conf").write_text("still there\n")
    files.append({"path": str(etc / "3.conf"), "absent": True})
    result = run_module("root_files", {"files": files}, fails=True)
    assert result["msg"] == f"{etc}/{invalid}.conf was not changed, the new one is not valid:\nline 1: no good"
    assert {path.name: path.read_text() for path in etc.iterdir()} == {
        "0.conf": "old 0\n",
        "1.conf": "old 1\n",
        "2.conf": "old 2\n",
        "3.conf": "still there\n",
    }


def test_the_validator_sees_the_final_mode(run_module: RunModule, etc: Path) -> None:
    """A program such as visudo refuses a file with the wrong mode or owner, staged as well."""
    command = ["sh", "-c", 'test "$(stat -c %a:%U:%G "$1")" = 440:root:daemon', "validator", "%s"]
    file = {"path": str(etc / "x"), "content": "a\n", "mode": "0440", "group": "daemon", "validate": command}
    assert run_module("root_files", {"files": [file]})["changed"] is True


def test_the_validator_is_no_shell(run_module: RunModule, etc: Path, tmp_path: Path) -> None:
    """Words of the command are arguments, whatever they contain."""
    file = {"path": str(etc / "x"), "content": "a\n", "validate": ["true", f"; touch {tmp_path}/broken-out", "%s"]}
    run_module("root_files", {"files": [file]})
    assert not (tmp_path / "broken-out").exists()


def test_a_directory_in_the_way_is_refused(run_module: RunModule, etc: Path, snapshot: Snapshot) -> None:
    """A directory is never removed for a file; the file named before it stays unwritten."""
    (etc / "x").mkdir()
    before = snapshot(etc)
    files = [{"path": str(etc / "first"), "content": "a\n"}, {"path": str(etc / "x"), "content": "a\n"}]
    result = run_module("root_files", {"files": files}, fails=True)
    assert result["msg"] == f"{etc}/x is a directory; move it away, a file belongs there"
    assert snapshot(etc) == before


def test_a_file_for_a_directory_is_refused(run_module: RunModule, etc: Path, snapshot: Snapshot) -> None:
    """A path below a file ends in words, not in a traceback."""
    (etc / "x").write_text("a\n")
    before = snapshot(etc)
    result = run_module("root_files", {"files": [{"path": str(etc / "x" / "y"), "content": "a\n"}]}, fails=True)
    assert str(etc / "x") in result["msg"]
    assert snapshot(etc) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "relative", "content": "a"}, "relative: not a plain absolute path"),
        ({"path": "/etc/x", "content": "a", "mode": "644"}, "/etc/x: mode must be four octal digits in quotes"),
        ({"path": "/etc/x"}, "/etc/x: content is missing"),
    ],
)
def test_refuses_readably(run_module: RunModule, options: dict[str, str], message: str) -> None:
    """What cannot be meant is said in words, check mode included."""
    assert message in run_module("root_files", {"files": [options]}, fails=True)["msg"]
    assert message in run_module("root_files", {"files": [options]}, check=True, fails=True)["msg"]


def test_previous_brings_the_old_state_back(run_module: RunModule, etc: Path) -> None:
    """A deployment that fails goes back by handing `previous` to the module: changed, new and removed files."""
    (etc / "changed").write_text("old\n")
    (etc / "changed").chmod(0o640)
    os.chown(etc / "changed", 0, 1)
    (etc / "removed").write_text("old too\n")
    (etc / "removed").chmod(0o600)
    (etc / "settled").write_text("same\n")
    (etc / "settled").chmod(0o644)
    files = [
        {"path": str(etc / "changed"), "content": "new\n"},
        {"path": str(etc / "removed"), "absent": True},
        {"path": str(etc / "added"), "content": "new\n"},
        {"path": str(etc / "settled"), "content": "same\n"},
    ]
    previous = run_module("root_files", {"files": files})["previous"]
    assert previous == [
        {"path": str(etc / "changed"), "content": "old\n", "mode": "0640", "group": "daemon"},
        {"path": str(etc / "removed"), "content": "old too\n", "mode": "0600", "group": "root"},
        {"path": str(etc / "added"), "absent": True},
    ]
    run_module("root_files", {"files": previous})
    assert {path.name: described(path) for path in etc.iterdir()} == {
        "changed": ("old\n", "0640", "root", "daemon"),
        "removed": ("old too\n", "0600", "root", "root"),
        "settled": ("same\n", "0644", "root", "root"),
    }


@pytest.mark.parametrize("options", [{"group": "no-such-group"}, {"validate": ["no-such-command", "%s"]}])
def test_a_refusal_leaves_no_staged_file(run_module: RunModule, etc: Path, options: dict[str, Any]) -> None:
    """A staged file in a directory of drop-ins may be read by a service, and its content may be private."""
    run_module("root_files", {"files": [{"path": str(etc / "x"), "content": "a\n", **options}]}, fails=True)
    assert list(etc.iterdir()) == []


def test_carriage_returns_settle(run_module: RunModule, etc: Path) -> None:
    """Text from an editor of another system is written once, not on every run."""
    files = {"files": [{"path": str(etc / "x"), "content": "a\r\nb\r\n"}]}
    run_module("root_files", files)
    assert run_module("root_files", files)["changed"] is False


def test_carriage_returns_are_drift(run_module: RunModule, etc: Path) -> None:
    """A program that reads the file sees other bytes than those asked for."""
    files = {"files": [{"path": str(etc / "x"), "content": "a\nb\n"}]}
    run_module("root_files", files)
    (etc / "x").write_bytes(b"a\r\nb\r\n")
    assert run_module("root_files", files)["changed"] is True
    assert (etc / "x").read_bytes() == b"a\nb\n"


def test_previous_of_a_special_mode(run_module: RunModule, etc: Path) -> None:
    """The way back works for every file that was there, or a failed deployment cannot be undone."""
    (etc / "x").write_text("old\n")
    (etc / "x").chmod(0o4755)
    previous = run_module("root_files", {"files": [{"path": str(etc / "x"), "content": "new\n"}]})["previous"]
    run_module("root_files", {"files": previous})


def test_previous_of_another_owner(run_module: RunModule, etc: Path) -> None:
    """Going back must not empty a file whose owner was wrong before."""
    (etc / "x").write_text("old\n")
    os.chown(etc / "x", 1, 1)
    previous = run_module("root_files", {"files": [{"path": str(etc / "x"), "content": "new\n"}]})["previous"]
    run_module("root_files", {"files": previous})
    assert (etc / "x").read_text() == "old\n"


def test_links(run_module: RunModule, etc: Path, snapshot: Snapshot) -> None:
    """A link is made, settles, follows its target elsewhere, and goes back; a file and a link replace one another."""
    link = {"path": str(etc / "current"), "link": "releases/one"}
    made = run_module("root_files", {"files": [link]}, diff=True)
    assert (made["paths"], made["previous"]) == ([link["path"]], [{"path": link["path"], "absent": True}])
    assert made["diff"][0]["after"] == "link to releases/one\n"
    before = snapshot(etc)
    assert run_module("root_files", {"files": [link]})["changed"] is False
    assert run_module("root_files", {"files": [{**link, "link": "releases/two"}]}, check=True)["changed"] is True
    assert snapshot(etc) == before
    moved = run_module("root_files", {"files": [{**link, "link": "releases/two"}]})
    assert (etc / "current").readlink() == Path("releases/two")
    run_module("root_files", {"files": moved["previous"]})
    assert (etc / "current").readlink() == Path("releases/one")
    replaced = run_module("root_files", {"files": [{"path": link["path"], "content": "a file\n"}]})
    assert described(etc / "current") == ("a file\n", "0644", "root", "root")
    run_module("root_files", {"files": replaced["previous"]})
    assert (etc / "current").readlink() == Path("releases/one")
    assert [path.name for path in etc.iterdir()] == ["current"]


def test_a_link_of_somebody_else_is_replaced(run_module: RunModule, etc: Path) -> None:
    """S15: root takes no link of another user's for its own, even if it leads to the same place."""
    (etc / "current").symlink_to("releases/one")
    os.chown(etc / "current", 1, 1, follow_symlinks=False)
    assert run_module("root_files", {"files": [{"path": str(etc / "current"), "link": "releases/one"}]})["changed"] is True
    assert (etc / "current").lstat().st_uid == 0


def test_what_was_replaced_comes_back(run_module: RunModule, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """S16: when the third of three files cannot take its place, the first two are as they were."""
    (etc / "a").write_text("old\n")
    (etc / "current").symlink_to("releases/one")
    replace = Path.replace

    def full(path: Path, target: str) -> Path:
        if str(target) == str(etc / "c"):
            raise OSError("No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    files = [{"path": str(etc / "a"), "content": "new\n"}, {"path": str(etc / "current"), "link": "releases/two"}]
    said = run_module("root_files", {"files": [*files, {"path": str(etc / "c"), "content": "new\n"}]}, fails=True)["msg"]
    assert "No space left on device" in said
    assert (etc / "a").read_text() == "old\n"
    assert (etc / "current").readlink() == Path("releases/one")
    assert sorted(path.name for path in etc.iterdir()) == ["a", "current"]
