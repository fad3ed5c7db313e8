# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading each form of store, for real, below a temporary directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.doubles.gateway_stores import KINDS, GatewayStore

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> GatewayStore:
    return GatewayStore(request.param, tmp_path / "state-dir")


def read(run_module: RunModule, store: GatewayStore) -> dict[str, Any]:
    return run_module("gateway_pairing_info", {"state_dir": str(store.folder), "user": "root"})


def test_reads_all_of_it(run_module: RunModule, store: GatewayStore, snapshot: Snapshot) -> None:
    """Approved and pending, per channel, with ages; no code, and nothing is touched."""
    store.approve("telegram", ["7", "8"])
    store.approve("nextcloud-talk", ["ada"])
    store.ask("telegram", {"42": "ABCD2345"})
    store.ask("telegram", {"43": "ZZZZ2222"}, minutes=61)
    before = snapshot(store.credentials)
    found = read(run_module, store)
    assert found["changed"] is False
    assert sorted(found["channels"]) == ["nextcloud-talk", "telegram"]
    assert found["channels"]["nextcloud-talk"]["default"]["approved"] == ["ada"]
    telegram = found["channels"]["telegram"]["default"]
    assert telegram["approved"] == ["7", "8"]
    pending = {request["sender"]: request for request in telegram["pending"]}
    assert (pending["42"]["name"], pending["42"]["age"] // 10, pending["42"]["expires_in"] // 10) == ("Ada", 30, 329)
    assert (pending["42"]["expired"], pending["43"]["expired"], pending["43"]["expires_in"]) == (False, True, 0)
    assert "ABCD2345" not in str(found)
    assert snapshot(store.credentials) == before


def test_names_what_should_not_be_there(run_module: RunModule, store: GatewayStore) -> None:
    """S8: everybody, the invisible, the template, the other spelling and the twin are all seen."""
    store.approve("telegram", ["*", "7", "tg:7", "4\u200b2", "{{ x }}"])
    found = read(run_module, store)
    assert found["channels"]["telegram"]["default"]["duplicates"] == ["7"]
    assert found["suspicious"] == [
        "telegram/default: '*' lets everybody in",
        "telegram/default: '4\\u200b2' holds a character that cannot be seen",
        "telegram/default: '{{ x }}' holds a template",
        "telegram/default: 'tg:7' is not in the form the gateway writes",
    ]


def test_an_empty_store(run_module: RunModule, store: GatewayStore) -> None:
    """Nothing there is nothing to report."""
    found = read(run_module, store)
    assert (found["channels"], found["suspicious"]) == ({}, [])


def test_a_name_with_tricks_is_shown_plain(run_module: RunModule, store: GatewayStore) -> None:
    """S15: what a stranger calls itself does not steer the operator's terminal."""
    store.ask("telegram", {"42": "ABCD2345"})
    if store.kind == "sqlite":
        store.sql("""UPDATE channel_pairing_requests SET meta_json = '{"firstName":"A\\u001b[2Jda","username":["x"]}'""")
    else:
        raw = store.pending_raw("telegram")
        raw[0]["meta"] = {"firstName": "A\x1b[2Jda", "username": ["x"]}
        store.write("telegram-pairing.json", {"version": 1, "requests": raw})
    assert read(run_module, store)["channels"]["telegram"]["default"]["pending"][0]["name"] == "A[2Jda"


def test_channels_and_accounts_with_a_dash(run_module: RunModule, tmp_path: Path) -> None:
    """`nextcloud-talk` is a channel; `telegram-work` is a channel and an account."""
    store = GatewayStore("scoped", tmp_path / "state-dir")
    for name in ("telegram-work", "telegram-my-bot", "nextcloud-talk-work", "nextcloud-talk", "unheard-of-x", "telegram"):
        store.write(f"{name}-allowFrom.json", {"version": 1, "allowFrom": ["1"]})
    store.write("unheard-of-pairing.json", {"version": 1, "requests": []})
    found = {channel: sorted(accounts) for channel, accounts in read(run_module, store)["channels"].items()}
    assert found == {
        "nextcloud-talk": ["default", "work"],
        "telegram": ["default", "my-bot", "work"],
        "unheard-of": ["x"],
    }
