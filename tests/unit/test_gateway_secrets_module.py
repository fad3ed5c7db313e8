# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of secrets, for real, below a temporary directory.

Values are random, so that finding one in a result proves a leak.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files that belong to root")

TOKEN = ["/gateway/token"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "openclaw" / "secrets.json"


def wanted(path: Path, secrets: dict[str, Any], generate: list[str] | None = None) -> dict[str, Any]:
    return {"path": str(path), "directory_group": "daemon", "secrets": secrets, "generate": generate or []}


def written(path: Path) -> Any:
    return json.loads(path.read_text())


def value() -> str:
    return secrets.token_hex(16)


def test_writes_what_is_given(run_module: RunModule, path: Path) -> None:
    """The gateway finds each value where its configuration refers to."""
    token, bot = value(), value()
    given = {"gateway": {"token": token}, "telegram": {"default": {"botToken": bot}}}
    result = run_module("gateway_secrets", wanted(path, given))
    assert result["changed"] is True
    assert result["names"] == ["/gateway/token", "/telegram/default/botToken"]
    assert written(path) == {"gateway": {"token": token}, "telegram": {"default": {"botToken": bot}}}


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_only_root_reads_the_file(run_module: RunModule, path: Path, umask: int) -> None:
    """The gateway's user enters the directory for its configuration, and still cannot read the secrets."""
    os.umask(umask)
    run_module("gateway_secrets", wanted(path, {"key": value()}))
    assert (stat.S_IMODE(path.stat().st_mode), path.owner(), path.group()) == (0o600, "root", "root")
    folder = path.parent
    assert (stat.S_IMODE(folder.stat().st_mode), folder.owner(), folder.group()) == (0o750, "root", "daemon")
    assert [entry.name for entry in folder.iterdir()] == ["secrets.json"]


def test_a_value_is_generated_once_and_kept(run_module: RunModule, path: Path, snapshot: Snapshot) -> None:
    """A new token on each run would lock every paired client out."""
    assert run_module("gateway_secrets", wanted(path, {}, TOKEN))["changed"] is True
    assert len(written(path)["gateway"]["token"]) == 43
    before = snapshot(path.parent)
    assert run_module("gateway_secrets", wanted(path, {}, TOKEN))["changed"] is False
    assert snapshot(path.parent) == before


def test_two_hosts_have_two_tokens(run_module: RunModule, tmp_path: Path) -> None:
    """One stolen token must not open another gateway."""
    paths = [tmp_path / host / "secrets.json" for host in ("a", "b")]
    for path in paths:
        run_module("gateway_secrets", wanted(path, {}, TOKEN))
    assert written(paths[0]) != written(paths[1])


def test_a_given_value_wins(run_module: RunModule, path: Path) -> None:
    """The operator can replace a generated value, and keeps the one that was set."""
    run_module("gateway_secrets", wanted(path, {}, TOKEN))
    token = value()
    for changed in (True, False):
        result = run_module("gateway_secrets", wanted(path, {"gateway": {"token": token}}, TOKEN))
        assert result["changed"] is changed
        assert written(path) == {"gateway": {"token": token}}


def test_what_is_not_named_is_removed(run_module: RunModule, path: Path) -> None:
    """A withdrawn secret does not stay on the host."""
    kept = value()
    run_module("gateway_secrets", wanted(path, {"old": value(), "kept": kept}))
    assert run_module("gateway_secrets", wanted(path, {"kept": kept}))["names"] == ["/kept"]
    assert written(path) == {"kept": kept}


@pytest.mark.parametrize("exists", [False, True])
def test_check_mode_predicts(run_module: RunModule, path: Path, snapshot: Snapshot, exists: bool) -> None:
    """Check mode says what a run will change and touches nothing; a group that is not there yet is no error."""
    if exists:
        run_module("gateway_secrets", wanted(path, {"old": value()}))
    before = snapshot(path.parents[2])
    arguments = wanted(path, {"new": value()}, TOKEN) | {"directory_group": "no-such-group-yet"}
    result = run_module("gateway_secrets", arguments, check=True)
    assert result["changed"] is True
    assert result["names"] == ["/gateway/token", "/new"]
    assert snapshot(path.parents[2]) == before


def test_check_mode_settles(run_module: RunModule, path: Path) -> None:
    """Check mode promises no change where a run makes none."""
    given = wanted(path, {"key": value()}, TOKEN)
    run_module("gateway_secrets", given)
    assert run_module("gateway_secrets", given, check=True)["changed"] is False


@pytest.mark.parametrize("drift", ["mode", "owner", "folder mode", "folder group"])
def test_drift_is_repaired(run_module: RunModule, path: Path, drift: str) -> None:
    """A file that somebody opened is closed again, its values kept."""
    given = wanted(path, {"key": value()}, TOKEN)
    run_module("gateway_secrets", given)
    before = written(path)
    match drift:
        case "mode":
            path.chmod(0o644)
        case "owner":
            os.chown(path, 1, 0)
        case "folder mode":
            path.parent.chmod(0o755)
        case "folder group":
            os.chown(path.parent, 0, 0)
    assert run_module("gateway_secrets", given, check=True)["changed"] is True
    assert run_module("gateway_secrets", given)["changed"] is True
    assert (stat.S_IMODE(path.stat().st_mode), path.owner()) == (0o600, "root")
    assert (stat.S_IMODE(path.parent.stat().st_mode), path.parent.group()) == (0o750, "daemon")
    assert written(path) == before
    assert run_module("gateway_secrets", given)["changed"] is False


def test_no_value_in_any_result(run_module: RunModule, path: Path) -> None:
    """Results land in logs: no value that is given, generated, kept, replaced or removed is in one."""
    old, new, kept, removed = (value() for _ in range(4))
    runs = [
        wanted(path, {"a": old, "b": {"c": kept}, "d": removed}, TOKEN),
        wanted(path, {"a": new, "b": {"c": kept}}, TOKEN),
        wanted(path, {"a": new, "b": {"c": kept}}, TOKEN),
    ]
    results = []
    for arguments in runs:
        results += [run_module("gateway_secrets", arguments, check=check, diff=True) for check in (True, False)]
    shown = json.dumps(results)
    generated = written(path)["gateway"]["token"]
    assert [secret for secret in (old, new, kept, removed, generated) if secret in shown] == []


def test_the_diff_has_names(run_module: RunModule, path: Path) -> None:
    """The operator sees which secrets come, go and change."""
    run_module("gateway_secrets", wanted(path, {"a": value(), "b": value()}))
    result = run_module("gateway_secrets", wanted(path, {"b": value(), "c": value()}), check=True, diff=True)
    assert result["diff"] == {
        "before_header": str(path),
        "after_header": str(path),
        "before": "/a\n/b\n",
        "after": "/b\n/c\n/b (new value)\n",
    }


@pytest.mark.parametrize(
    "content",
    [
        '{"gateway": {"token": "SECRET"',
        '{"gateway": {"token": ["SECRET"]}}',
        '["SECRET"]',
        '"SECRET"',
        "SECRET",
        '{"SECRET/x": "SECRET"}',
        '{"SECRET": 5}',
        '{"a": "\\udcff',  # half of a character
        "",
    ],
)
def test_a_damaged_file_is_refused(run_module: RunModule, path: Path, snapshot: Snapshot, content: str) -> None:
    """The message names the file and the way out, and nothing of its content; the file stays for the operator."""
    secret = value()
    path.parent.mkdir(parents=True)
    path.write_text(content.replace("SECRET", secret))
    before = snapshot(path.parent)
    result = run_module("gateway_secrets", wanted(path, {}, TOKEN), diff=True, fails=True)
    assert result["msg"] == (f"{path} holds no secrets in the form that was written there. Move it away; the next run makes a new one.")
    assert secret not in json.dumps(result)
    assert snapshot(path.parent) == before


def test_a_file_that_is_no_text_is_refused(run_module: RunModule, path: Path) -> None:
    """A file that an editor or a disk damaged ends in words, too."""
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"a": "\xff\xfe"}')
    result = run_module("gateway_secrets", wanted(path, {}, TOKEN), fails=True)
    assert result["msg"].startswith(f"{path} holds no secrets in the form")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gateway": {"token": ""}}, "/gateway/token: the secret is empty or no text"),
        ({"gateway": {"token": None}}, "/gateway/token: the secret is empty or no text"),
        ({"a/b": "SECRET"}, "/a/b: a secret's name is text without / and ~"),
        ({"a": ["SECRET"]}, "/a: the secret is empty or no text"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_refuses_readably(
    run_module: RunModule, path: Path, snapshot: Snapshot, *, given: dict[str, Any], message: str, check: bool
) -> None:
    """A forgotten secret is named before the gateway starts without it; no value is in the message, nothing changed."""
    secret = value()
    given = json.loads(json.dumps(given).replace("SECRET", secret))
    before = snapshot(path.parents[2])
    result = run_module("gateway_secrets", wanted(path, given), check=check, diff=True, fails=True)
    assert result["msg"] == message
    assert secret not in json.dumps(result)
    assert snapshot(path.parents[2]) == before


def test_an_unknown_group_is_refused(run_module: RunModule, path: Path) -> None:
    """Without its group the gateway cannot enter the directory; that must be said, not repaired on every run."""
    arguments = wanted(path, {"key": value()}) | {"directory_group": "no-such-group"}
    result = run_module("gateway_secrets", arguments, fails=True)
    assert "no-such-group" in result["msg"]


def test_the_group_of_the_file_is_repaired(run_module: RunModule, path: Path) -> None:
    """What the verification wants is what this module sets."""
    given = wanted(path, {"key": value()})
    run_module("gateway_secrets", given)
    os.chown(path, 0, 1)
    run_module("gateway_secrets", given)
    assert path.group() == "root"


def test_a_link_is_replaced(run_module: RunModule, path: Path, tmp_path: Path) -> None:
    """The secrets lie where the posture check looks for them, not behind a link."""
    given = wanted(path, {"key": value()})
    run_module("gateway_secrets", given)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    run_module("gateway_secrets", given)
    assert not path.is_symlink()


def test_replaced_values_wait_beside_the_file(run_module: RunModule, tmp_path: Path) -> None:
    """A deployment that fails can bring back what the gateway worked with; the file that waits is root's alone."""
    path = tmp_path / "etc" / "secrets.json"
    options = {"path": str(path), "directory_group": "root", "generate": []}
    old, new = secrets.token_hex(16), secrets.token_hex(16)
    first = run_module("gateway_secrets", options | {"secrets": {"a": {"b": old}}})
    assert first["previous"] == ""
    second = run_module("gateway_secrets", options | {"secrets": {"a": {"b": new}}})
    waiting = Path(second["previous"])
    assert waiting == path.with_name("secrets.json.previous")
    assert (old in waiting.read_text(), new in path.read_text()) == (True, True)
    assert stat.S_IMODE(waiting.stat().st_mode) == 0o600
    waiting.unlink()
    assert run_module("gateway_secrets", options | {"secrets": {"a": {"b": new}}})["previous"] == ""


def test_one_secret_is_rotated(run_module: RunModule, path: Path, snapshot: Snapshot) -> None:
    """The given value replaces the old one, which waits beside; what else the inventory says is not deployed by the way."""
    old, other, new = value(), value(), value()
    run_module("gateway_secrets", wanted(path, {"models": {"anthropic": old}, "bot": other}, TOKEN))
    token = written(path)["gateway"]["token"]
    later = wanted(path, {"models": {"anthropic": new}, "bot": value(), "third": value()}, TOKEN) | {"rotate": "/models/anthropic"}
    before = snapshot(path.parent)
    assert run_module("gateway_secrets", later, check=True)["changed"] is True
    assert snapshot(path.parent) == before
    result = run_module("gateway_secrets", later, diff=True)
    assert result["changed"] is True
    assert "/models/anthropic (new value)" in result["diff"]["after"]
    assert [secret for secret in (old, new, other, token) if secret in json.dumps(result)] == []
    assert written(path) == {"models": {"anthropic": new}, "bot": other, "gateway": {"token": token}}
    assert json.loads(Path(result["previous"]).read_text())["models"]["anthropic"] == old
    assert "the host has this value already" in run_module("gateway_secrets", later, fails=True)["msg"]


def test_a_secret_of_the_hosts_own_is_rotated(run_module: RunModule, path: Path) -> None:
    """The host makes another one, as strong; the next run keeps it."""
    run_module("gateway_secrets", wanted(path, {"bot": value()}, TOKEN))
    old = written(path)
    run_module("gateway_secrets", wanted(path, {"bot": old["bot"]}, TOKEN) | {"rotate": "/gateway/token"})
    new = written(path)
    assert new["gateway"]["token"] != old["gateway"]["token"]
    assert len(new["gateway"]["token"]) == 43
    assert run_module("gateway_secrets", wanted(path, {"bot": old["bot"]}, TOKEN))["changed"] is False


@pytest.mark.parametrize("name", ["/", "/gateway", "/models/openai", "gateway/token"])
def test_a_secret_that_is_not_known_is_not_rotated(run_module: RunModule, path: Path, name: str, snapshot: Snapshot) -> None:
    """S14: the known ones are listed, by name."""
    secrets = {"models": {"anthropic": value()}}
    run_module("gateway_secrets", wanted(path, secrets, TOKEN))
    before = snapshot(path.parent)
    message = run_module("gateway_secrets", wanted(path, secrets, TOKEN) | {"rotate": name}, fails=True)["msg"]
    assert message.startswith("There is no secret ")
    assert message.endswith("There are: gateway/token, models/anthropic.")
    assert secrets["models"]["anthropic"] not in message
    assert snapshot(path.parent) == before
