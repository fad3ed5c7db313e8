"""One test for each attack, one for each control that is switched off, one for each attack after a restart of the host."""

from __future__ import annotations

import pytest

from tests.redteam import book, run
from tests.redteam.report import SKIPPED, Result
from tests.redteam.scene import Scene

ATTACKS = [attack.id for attack in book.attacks()]


def check(result: Result) -> None:
    if result.state == SKIPPED:
        pytest.skip(result.why)
    assert result.good, f"{result.state}: {result.why}"


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack(first: dict[str, Result], attack: str) -> None:
    """The attack is tried, and what comes of it is what its file says."""
    check(first[attack])


@pytest.mark.parametrize("control", [mutation.id for mutation in book.mutations() if not mutation.config])
def test_control(without: dict[str, Result], control: str) -> None:
    """Without the control the named attack succeeds, with it again it does not."""
    check(without[control])


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_after_a_restart(again: dict[str, Result], attack: str) -> None:
    """What held before the host restarted holds after it."""
    check(again[attack])


def test_no_canary_left(scene: Scene) -> None:
    """S7: in all that was sent to the network, to Telegram or to the model there was none, whichever attack carried it."""
    check(run.nothing_left(scene))
