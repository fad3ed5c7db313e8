"""The red team: all attacks, each control switched off, and all attacks once more after the host has restarted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.redteam import book, run
from tests.redteam.report import SKIPPED, Result
from tests.redteam.scene import Scene

ATTACKS = [attack.id for attack in book.attacks()]
MUTATIONS = book.mutations()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Scene() as made:
        yield made


def collected(act: Callable[[run.Tell], None]) -> dict[str, Result]:
    found: dict[str, Result] = {}
    act(lambda result: found.update({result.name: result}))
    return found


@pytest.fixture(scope="module")
def first(scene: Scene) -> dict[str, Result]:
    """What came of all attacks."""
    return collected(lambda tell: run.attacked(scene, book.attacks(), tell))


@pytest.fixture(scope="module")
def without(scene: Scene) -> dict[str, Result]:
    """What came of switching off each control."""
    return collected(lambda tell: run.mutated(scene, MUTATIONS, tell))


@pytest.fixture(scope="module")
def again(scene: Scene) -> dict[str, Result]:
    """What came of all attacks after a restart of the host."""
    scene.restart()
    return collected(lambda tell: run.attacked(scene, book.attacks(), tell))


def check(result: Result) -> None:
    if result.state == SKIPPED:
        pytest.skip(result.why)
    assert result.good, f"{result.state}: {result.why}"


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack(first: dict[str, Result], attack: str) -> None:
    """The attack is tried, and what comes of it is what its file says."""
    check(first[attack])


@pytest.mark.parametrize("control", [mutation.id for mutation in MUTATIONS])
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
