"""The stage, for all tests of a session: attacks, controls switched off, and attacks once more after the host has restarted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.redteam import book, run
from tests.redteam.report import Result
from tests.redteam.scene import Scene


@pytest.fixture(scope="session")
def scene() -> Iterator[Scene]:
    with Scene() as made:
        yield made


def collected(act: Callable[[run.Tell], None]) -> dict[str, Result]:
    found: dict[str, Result] = {}
    act(lambda result: found.update({result.name: result}))
    return found


@pytest.fixture(scope="session")
def first(scene: Scene) -> dict[str, Result]:
    """What came of all attacks."""
    return collected(lambda tell: run.attacked(scene, book.attacks(), tell))


@pytest.fixture(scope="session")
def without(scene: Scene) -> dict[str, Result]:
    """What came of switching off each control that root's shell can switch. A new configuration takes the gateway too long."""
    return collected(lambda tell: run.mutated(scene, [mutation for mutation in book.mutations() if not mutation.config], tell))


@pytest.fixture(scope="session")
def again(scene: Scene) -> dict[str, Result]:
    """What came of all attacks after a restart of the host."""
    scene.restart()
    return collected(lambda tell: run.attacked(scene, book.attacks(), tell))
