# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approving and dismissing on each form of store, for real, below a temporary directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.doubles.gateway_stores import KINDS, GatewayStore

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

CODE = "ABCD2345"


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> GatewayStore:
    made = GatewayStore(request.param, tmp_path / "state-dir")
    made.approve("telegram", ["7"])
    made.ask("telegram", {"42": CODE, "43": "ZZZZ2222"})
    return made


def settle(store: GatewayStore, **more: Any) -> dict[str, Any]:
    return {"state_dir": str(store.folder), "user": "root", **more}


def test_approves_by_code(run_module: RunModule, store: GatewayStore) -> None:
    """The sender moves from the requests to the list; the other request and the list's order stay. No channel has to be named."""
    result = run_module("gateway_pairing", settle(store, code="abcd2345 "))
    assert (result["changed"], result["channel"], result["account"], result["sender"]) == (True, "telegram", "default", "42")
    assert (store.approved("telegram"), store.pending("telegram")) == (["7", "42"], ["43"])


def test_approves_by_sender(run_module: RunModule, store: GatewayStore) -> None:
    """In any spelling; and again is no change, although the request is gone."""
    wish = settle(store, sender="tg:42", channel="telegram")
    assert run_module("gateway_pairing", wish)["changed"] is True
    assert run_module("gateway_pairing", wish)["changed"] is False
    assert (store.approved("telegram"), store.pending("telegram")) == (["7", "42"], ["43"])


def test_dismisses(run_module: RunModule, store: GatewayStore) -> None:
    """The request goes, the list stays; to send the sender away again is no change."""
    wish = settle(store, sender="42", channel="telegram", state="dismissed")
    assert run_module("gateway_pairing", wish)["changed"] is True
    assert run_module("gateway_pairing", wish)["changed"] is False
    assert (store.approved("telegram"), store.pending("telegram")) == (["7"], ["43"])


def test_check_mode_predicts(run_module: RunModule, store: GatewayStore, snapshot: Snapshot) -> None:
    """Who would be approved is said, and nothing is touched."""
    before = snapshot(store.credentials)
    result = run_module("gateway_pairing", settle(store, code=CODE), check=True)
    assert (result["changed"], result["sender"]) == (True, "42")
    assert snapshot(store.credentials) == before
    assert (store.approved("telegram"), store.pending("telegram")) == (["7"], ["42", "43"])


def test_an_approved_sender_who_asks_is_not_listed_twice(run_module: RunModule, store: GatewayStore) -> None:
    """The request goes, the list stays as it is."""
    store.ask("telegram", {"7": "YYYY2222"})
    run_module("gateway_pairing", settle(store, code="YYYY2222"))
    assert (store.approved("telegram"), store.pending("telegram")) == (["7"], ["42", "43"])


@pytest.mark.parametrize("state", ["approved", "dismissed"])
def test_an_unknown_code_is_an_error(run_module: RunModule, store: GatewayStore, snapshot: Snapshot, state: str) -> None:
    """It says that there is no such request, without the code, and touches nothing."""
    before = snapshot(store.credentials)
    message = run_module("gateway_pairing", settle(store, code="XXXX9999", state=state), fails=True)["msg"]
    assert message.startswith("There is no pending request with this code in ")
    assert snapshot(store.credentials) == before


def test_an_expired_code_is_another_error(run_module: RunModule, store: GatewayStore) -> None:
    """It says so; such a request can still be dismissed."""
    store.ask("telegram", {"44": "WWWW2222"}, minutes=61)
    message = run_module("gateway_pairing", settle(store, code="WWWW2222"), fails=True)["msg"]
    assert message.startswith("The request with this code is 61 minutes old and has expired after 60.")
    assert run_module("gateway_pairing", settle(store, code="WWWW2222", state="dismissed"))["changed"] is True
    assert store.pending("telegram") == ["42", "43"]


def test_an_approved_sender_with_an_expired_request(run_module: RunModule, store: GatewayStore) -> None:
    """Approved is approved: no change and no error."""
    store.ask("telegram", {"7": "WWWW2222"}, minutes=61)
    assert run_module("gateway_pairing", settle(store, sender="7", channel="telegram"))["changed"] is False


def test_the_request_of_an_account_goes_to_its_list(run_module: RunModule, store: GatewayStore) -> None:
    """An account is not let into another one's conversations; where the gateway keeps none apart, there is one list."""
    store.ask("telegram", {"44": "VVVV2222"}, account="work")
    run_module("gateway_pairing", settle(store, code="VVVV2222"))
    lists = (store.approved("telegram", "work"), store.approved("telegram"))
    assert lists == ((["7", "44"], ["7", "44"]) if store.kind == "unscoped" else (["44"], ["7"]))


def test_what_is_meant_must_be_plain(run_module: RunModule, store: GatewayStore) -> None:
    """The same code on two channels: nobody is approved by chance."""
    store.ask("discord", {"90000": CODE})
    message = run_module("gateway_pairing", settle(store, code=CODE), fails=True)["msg"]
    assert "(discord/default, telegram/default). Name channel and account." in message
    assert run_module("gateway_pairing", settle(store, code=CODE, channel="discord"))["sender"] == "90000"


def test_a_sender_called_everybody_is_not_approved(run_module: RunModule, store: GatewayStore) -> None:
    """S8: a request can hold whatever its channel lets through."""
    store.ask("telegram", {"tg:*": "UUUU2222"})
    assert "lets everybody in" in run_module("gateway_pairing", settle(store, code="UUUU2222"), fails=True)["msg"]
    assert store.approved("telegram") == ["7"]


def test_no_code_in_the_output(run_module: RunModule, store: GatewayStore) -> None:
    """S7: neither the code used nor another one is in what comes back."""
    said = str(run_module("gateway_pairing", settle(store, code=CODE), diff=True))
    said += str(run_module("gateway_pairing", settle(store, code=CODE), fails=True))
    assert CODE not in said
    assert "ZZZZ2222" not in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "one of the following is required: code, sender"),
        ({"code": CODE, "sender": "42"}, "parameters are mutually exclusive: code|sender"),
        ({"sender": "42"}, "missing parameter(s) required by 'sender': channel"),
        ({"code": "hello"}, "code: a pairing code has 8 letters and digits"),
        ({"sender": "*", "channel": "telegram"}, "entries: '*' lets everybody in"),
    ],
)
def test_refuses(run_module: RunModule, store: GatewayStore, arguments: dict[str, Any], words: str) -> None:
    """S14: one clear error."""
    assert words in run_module("gateway_pairing", settle(store, **arguments), fails=True)["msg"]
    assert store.pending("telegram") == ["42", "43"]
