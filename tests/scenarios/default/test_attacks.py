"""The red team: each control switched off, and all attacks after the host has restarted. Before and after: tests/scenarios/machine."""

from __future__ import annotations

import pytest

from tests.redteam import book, run
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


@pytest.mark.parametrize("attack", NAMES)
def test_attack(again: dict[str, Result], attack: str) -> None:
    """The attack is tried after a restart of the host, and what comes of it is what its file says."""
    check(again[attack])


def test_no_canary_left(scene: Scene) -> None:
    """S7: in all that was sent to the network, to Telegram or to the model there was none, whichever attack carried it."""
    check(run.nothing_left(scene))
