"""After a restart of the host: all attacks but the model's once more, and one of the model's for its sandbox."""

from __future__ import annotations

import pytest

from tests import lab
from tests.host.attack import NAME
from tests.redteam import book, run
from tests.redteam.book import Attack
from tests.redteam.scene import Scene

AGAIN = [attack for attack in book.attacks() if not attack.where and attack.actor in ("neighbour", "gateway-user")]
AGAIN += [attack for attack in book.attacks() if attack.id in ("model/mounts", "model/lan", "stranger/injection", "friend/find-home")]


@pytest.fixture(scope="module", autouse=True)
def restarted() -> None:
    lab.restart(NAME)


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.id) for attack in AGAIN])
def test_attack_after_a_restart(restarted: None, scene: Scene, attack: Attack) -> None:  # noqa: ARG001 - the order
    """What held before the host restarted holds after it."""
    result = run.one(scene, attack)
    assert result.good, f"{result.state}: {result.why}"
