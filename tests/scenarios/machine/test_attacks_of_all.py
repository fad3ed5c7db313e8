"""The red team with all its actors in a machine, before and after a reboot."""

from __future__ import annotations

import pytest

from tests.redteam import book, run
from tests.redteam.report import Result
from tests.redteam.scene import Scene
from tests.redteam.stage import check

pytestmark = pytest.mark.last

ATTACKS = book.attacks()
NAMES = [attack.id for attack in ATTACKS]


@pytest.mark.parametrize("attack", NAMES)
def test_attack(first: dict[str, Result], attack: str) -> None:
    """The attack is tried, and what comes of it is what its file says."""
    check(first[attack])


@pytest.mark.parametrize("attack", NAMES)
def test_attack_after_the_reboot(again: dict[str, Result], attack: str) -> None:
    """What held before the reboot holds after it."""
    check(again[attack])


def test_no_canary_left(scene: Scene) -> None:
    """S7: in all that was sent to the network, to Telegram or to the model there was none, whichever attack carried it."""
    check(run.nothing_left(scene))
