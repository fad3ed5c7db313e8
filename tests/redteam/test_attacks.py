"""One test for each attack, then one for each control that is switched off."""

from __future__ import annotations

import pytest

from tests.redteam import book, run
from tests.redteam.book import Attack, Mutation
from tests.redteam.report import SKIPPED
from tests.redteam.scene import Scene


@pytest.mark.parametrize("attack", [pytest.param(attack, id=attack.id) for attack in book.attacks()])
def test_attack(scene: Scene, attack: Attack) -> None:
    """The attack is tried, and what comes of it is what its file says."""
    result = run.one(scene, attack)
    if result.state == SKIPPED:
        pytest.skip(result.why)
    assert result.good, f"{result.state}: {result.why}"


@pytest.mark.parametrize("mutation", [pytest.param(mutation, id=mutation.id) for mutation in book.mutations()])
def test_control(scene: Scene, mutation: Mutation) -> None:
    """Without the control the named attack succeeds, with it again it does not."""
    result = run.mutated(scene, mutation)
    assert result.good, f"{result.state}: {result.why}"
