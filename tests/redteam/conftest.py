"""The stage, for all tests of a session: attacks, controls switched off, and attacks once more after the host has restarted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redteam import book, run
from tests.redteam.report import Result
from tests.redteam.scene import Scene


@pytest.fixture(scope="session")
def scene() -> Iterator[Scene]:
    with Scene() as made:
        yield made


def results(scene: Scene) -> dict[str, Result]:
    found: dict[str, Result] = {}
    run.attacked(scene, book.attacks(), lambda result: found.update({result.name: result}))
    return found


@pytest.fixture(scope="session")
def first(scene: Scene) -> dict[str, Result]:
    """What came of all attacks."""
    return results(scene)


@pytest.fixture(scope="session")
def again(scene: Scene) -> dict[str, Result]:
    """What came of all of them after a restart of the host."""
    scene.restart()
    return results(scene)
