"""The red team: each control switched off, and all attacks after the host has restarted. Before and after: tests/scenarios/machine."""

from __future__ import annotations

import json

import pytest

from tests.redteam import book, run
from tests.redteam.chats import MODEL, text_of
from tests.redteam.report import Result
from tests.redteam.scene import Scene
from tests.redteam.stage import check, collected

pytestmark = pytest.mark.last

ATTACKS = book.attacks()
NAMES = [attack.id for attack in ATTACKS]
MUTATIONS = book.mutations()


@pytest.fixture(scope="module")
def without(scene: Scene) -> dict[str, Result]:
    """What came of switching off each control."""
    return collected(lambda tell: run.mutated(scene, MUTATIONS, tell))


@pytest.mark.parametrize("control", [mutation.id for mutation in MUTATIONS])
def test_control(without: dict[str, Result], control: str) -> None:
    """Without the control the named attack succeeds, with it again it does not."""
    check(without[control])


def test_it_restarts(restarted: Scene) -> None:
    """S10: after a restart of the container all is back with nobody logged in: gateway, UFW, forward rule, fail2ban."""
    gateway = restarted.host
    assert gateway.run("systemctl --failed --no-legend --plain") == ""
    assert "Status: active" in gateway.run("ufw status")
    assert gateway.run("nft list table inet lobsterpot_forward").count(" drop") == 3
    assert "sshd" in gateway.run("fail2ban-client status")


@pytest.mark.parametrize("attack", NAMES)
def test_attack(again: dict[str, Result], attack: str) -> None:
    """The attack is tried after a restart of the host, and what comes of it is what its file says."""
    check(again[attack])


def test_nothing_legal_is_lost(restarted: Scene) -> None:
    """S6: behind its wall the gateway asks a model at a public address, and the tool that it calls runs in its sandbox."""
    since = restarted.arena.mark()
    order = json.dumps([[{"exec": {"command": "echo legal-$((40+2))"}}]])
    learned, _ = restarted.chats.ask(restarted.actors.approved(1)[0], f"TRY {order}")
    assert "legal-42" in text_of([m for m in learned[-1]["messages"] if m.get("role") == "tool"][-1])
    assert [event for event in restarted.arena.received("public", since=since, port=MODEL) if event.kind == "syn"]


def test_no_canary_left(scene: Scene) -> None:
    """S7: in all that was sent to the network, to Telegram or to the model there was none, whichever attack carried it."""
    check(run.nothing_left(scene))
