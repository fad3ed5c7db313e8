# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The allowlist module on each form of store, for real, below a temporary directory."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.doubles.gateway_stores import KINDS, GatewayStore

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

FORM = {"unscoped": "json", "scoped": "json", "sqlite": "sqlite"}


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> GatewayStore:
    return GatewayStore(request.param, tmp_path / "state-dir")


def wish(store: GatewayStore, entries: list[str], /, **more: Any) -> dict[str, Any]:
    return {"state_dir": str(store.folder), "channel": "telegram", "entries": entries, "user": "root", **more}


def test_adds_senders(run_module: RunModule, store: GatewayStore) -> None:
    """Those who are missing come at the end, in the gateway's spelling."""
    store.approve("telegram", ["7"])
    result = run_module("gateway_allowlist", wish(store, ["tg:42", "7", "Telegram:5"]))
    assert (result["changed"], result["before"], result["after"]) == (True, ["7"], ["7", "42", "5"])
    assert (result["added"], result["removed"], result["wildcard"]) == (["42", "5"], [], False)
    assert result["store"] == FORM[store.kind]
    assert store.approved("telegram") == ["7", "42", "5"]


def test_settles(run_module: RunModule, store: GatewayStore, snapshot: Snapshot) -> None:
    """A second run in another spelling changes nothing, takes no lock and writes no byte."""
    run_module("gateway_allowlist", wish(store, ["42", "5"]))
    before = snapshot(store.credentials), store.approved("telegram")
    result = run_module("gateway_allowlist", wish(store, ["telegram:5", "tg:42"], state="exact"))
    assert (result["changed"], result["added"], result["removed"]) == (False, [], [])
    assert (snapshot(store.credentials), store.approved("telegram")) == before


def test_check_mode_predicts(run_module: RunModule, store: GatewayStore, snapshot: Snapshot) -> None:
    """Check mode says what would be done, with a diff, and touches nothing."""
    store.approve("telegram", ["7"])
    before = snapshot(store.credentials)
    result = run_module("gateway_allowlist", wish(store, ["42"], state="exact"), check=True, diff=True)
    assert (result["changed"], result["after"], result["removed"]) == (True, ["42"], ["7"])
    assert (result["diff"]["before"], result["diff"]["after"]) == ("7\n", "42\n")
    assert snapshot(store.credentials) == before
    assert store.approved("telegram") == ["7"]


def test_removes_every_spelling(run_module: RunModule, store: GatewayStore) -> None:
    """Whoever is revoked is out, and the order of the others has no gap."""
    store.approve("telegram", ["tg:42", "7", "42", "9"])
    result = run_module("gateway_allowlist", wish(store, ["42"], state="absent"))
    assert result["changed"] is True
    assert store.approved("telegram") == ["7", "9"]


def test_exact_removes_a_wildcard(run_module: RunModule, store: GatewayStore) -> None:
    """S8: a `*` is reported by every state and removed by exact."""
    store.approve("telegram", ["*", "7"])
    result = run_module("gateway_allowlist", wish(store, ["7"]))
    assert (result["changed"], result["wildcard"]) == (False, True)
    assert "state=exact removes it" in str(result["warnings"])
    result = run_module("gateway_allowlist", wish(store, ["7"], state="exact"))
    assert (result["changed"], result["wildcard"], result["removed"]) == (True, False, ["*"])
    assert store.approved("telegram") == ["7"]


def test_accounts_are_kept_apart(run_module: RunModule, store: GatewayStore) -> None:
    """Another account has a list of its own, or is refused where the gateway has none."""
    arguments = wish(store, ["42"], account=" Work ")
    if store.kind == "unscoped":
        assert "keeps no accounts apart" in run_module("gateway_allowlist", arguments, fails=True)["msg"]
        return
    store.approve("telegram", ["7"])
    run_module("gateway_allowlist", arguments)
    assert (store.approved("telegram", "work"), store.approved("telegram")) == (["42"], ["7"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"entries": ["7", "*"]}, "entries: '*' lets everybody in"),
        ({"entries": [" "]}, "entries: ' ' is blank"),
        ({"entries": ["7\x1b[2J"]}, "cannot be seen"),
        ({"channel": "../../etc/cron.d/x"}, "channel: '../../etc/cron.d/x' is no channel"),
        ({"account": "../default"}, "account: '../default' is no account"),
        ({"store": "sqlite"}, "store: there is no database in use"),
        ({"state_dir": "/nowhere/at/all"}, "/nowhere/at/all: No such file or directory"),
    ],
)
def test_refuses(run_module: RunModule, tmp_path: Path, snapshot: Snapshot, arguments: dict[str, Any], words: str) -> None:
    """S14: one clear error that names the option, and nothing is changed."""
    store = GatewayStore("unscoped", tmp_path / "state-dir")
    store.approve("telegram", ["7"])
    before = snapshot(tmp_path)
    assert words in run_module("gateway_allowlist", wish(store, ["42"]) | arguments, fails=True)["msg"]
    assert snapshot(tmp_path) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be told to give up being root")
def test_root_is_not_taken_from_a_directory(run_module: RunModule, tmp_path: Path) -> None:
    """S15: a directory of root's under somebody else's home may have been moved there."""
    store = GatewayStore("unscoped", tmp_path / "state-dir")
    assert "belongs to root. Name the user" in run_module("gateway_allowlist", wish(store, ["42"], user=None), fails=True)["msg"]


def test_files_are_as_the_gateway_leaves_them(run_module: RunModule, tmp_path: Path) -> None:
    """Byte for byte, and private; nothing else is left, no lock either."""
    store = GatewayStore("unscoped", tmp_path / "state-dir")
    store.credentials.rmdir()
    run_module("gateway_allowlist", wish(store, ["42"]))
    path = store.credentials / "telegram-allowFrom.json"
    assert path.read_text() == '{\n  "version": 1,\n  "allowFrom": [\n    "42"\n  ]\n}\n'
    assert [oct(stat.S_IMODE(item.stat().st_mode)) for item in (store.credentials, path)] == ["0o700", "0o600"]
    assert [item.name for item in store.credentials.iterdir()] == ["telegram-allowFrom.json"]


def test_revoking_reaches_the_list_of_the_time_before_accounts(run_module: RunModule, tmp_path: Path) -> None:
    """The account `default` reads both files: whoever is removed goes from both, and who stays stays where it was."""
    store = GatewayStore("scoped", tmp_path / "state-dir")
    store.approve("telegram", ["7", "42"])
    store.write("telegram-allowFrom.json", {"version": 1, "allowFrom": ["42", "9"]})
    result = run_module("gateway_allowlist", wish(store, ["42"], state="absent"))
    assert (result["before"], result["after"]) == (["7", "42", "9"], ["7", "9"])
    assert store.approved("telegram") == ["7"]
    assert json.loads((store.credentials / "telegram-allowFrom.json").read_text())["allowFrom"] == ["9"]


def test_the_database_keeps_what_it_does_not_touch(run_module: RunModule, tmp_path: Path) -> None:
    """Rows of others stay as they are, times included; the new one has the time of now."""
    store = GatewayStore("sqlite", tmp_path / "state-dir")
    store.approve("telegram", ["7", "8"])
    store.approve("discord", ["1"])
    run_module("gateway_allowlist", wish(store, ["9"]))
    rows = store.rows("SELECT channel_key, entry, sort_order, updated_at FROM channel_pairing_allow_entries ORDER BY 1, 3")
    assert [row[:3] for row in rows] == [("discord", "1", 0), ("telegram", "7", 0), ("telegram", "8", 1), ("telegram", "9", 2)]
    assert [row[3] for row in rows[:3]] == [1, 1, 1]
    assert isinstance(rows[3][3], int) and rows[3][3] > 1_700_000_000_000


def test_the_database_is_not_checkpointed(run_module: RunModule, tmp_path: Path) -> None:
    """Old SQLite corrupts by checkpointing beside a writer: with nobody else there, the change lies in the log and not in the file."""
    store = GatewayStore("sqlite", tmp_path / "state-dir")
    before = store.database.read_bytes()
    run_module("gateway_allowlist", wish(store, ["9"]))
    assert store.database.read_bytes() == before
    assert Path(f"{store.database}-wal").stat().st_size > 0
    assert store.approved("telegram") == ["9"]


def test_rows_under_another_spelling_of_the_account_count(run_module: RunModule, tmp_path: Path) -> None:
    """S8: the gateway trims and lowers the account as it reads, so a planted row under ` Default` lets its sender in."""
    store = GatewayStore("sqlite", tmp_path / "state-dir")
    store.approve("telegram", ["666"], account=" Default")
    result = run_module("gateway_allowlist", wish(store, ["9"], state="exact"))
    assert (result["before"], result["removed"]) == (["666"], ["666"])
    assert store.rows("SELECT account_id, entry FROM channel_pairing_allow_entries") == [("default", "9")]


def test_what_says_which_store_it_is(run_module: RunModule, tmp_path: Path, snapshot: Snapshot) -> None:
    """A database at user_version 1 is not the store yet; from 2 on the files are not read any more, whatever files lie there."""
    store = GatewayStore("scoped", tmp_path / "state-dir")
    store.approve("telegram", ["7"])
    assert run_module("gateway_allowlist", wish(store, ["7"]))["store"] == "json"
    store.sql("PRAGMA user_version = 2")
    before = snapshot(store.credentials)
    assert run_module("gateway_allowlist", wish(store, ["8"]))["store"] == "sqlite"
    assert "reads no JSON files any more" in run_module("gateway_allowlist", wish(store, ["8"], store="json"), fails=True)["msg"]
    assert snapshot(store.credentials) == before


def test_files_with_accounts_need_no_database(run_module: RunModule, tmp_path: Path) -> None:
    """Versions between clawdbot and 2026.7.35 keep accounts apart without a database: the files show it, and so do requests."""
    store = GatewayStore("unscoped", tmp_path / "state-dir")
    store.write("telegram-pairing.json", {"version": 1, "requests": []})
    run_module("gateway_allowlist", wish(store, ["7"]))
    assert store.approved("telegram") == ["7"]
    store.write("telegram-work-allowFrom.json", {"version": 1, "allowFrom": []})
    run_module("gateway_allowlist", wish(store, ["8"], account="work"))
    assert json.loads((store.credentials / "telegram-work-allowFrom.json").read_text())["allowFrom"] == ["8"]


def test_an_owner_of_the_database_is_respected(run_module: RunModule, tmp_path: Path) -> None:
    """The row that names an external owner forbids writing, also when its content is no content; reading goes on."""
    store = GatewayStore("sqlite", tmp_path / "state-dir")
    store.approve("telegram", ["7"])
    store.insert("config_machine_state", ("gateway.supervision", "not even JSON", 1))
    assert "owned by an external manager" in run_module("gateway_allowlist", wish(store, ["8"]), fails=True)["msg"]
    assert run_module("gateway_allowlist", wish(store, ["7"]))["changed"] is False
    assert store.approved("telegram") == ["7"]
