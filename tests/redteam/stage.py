"""Fixtures of the test modules that attack a host. Such a module has ATTACKS; SILENT = True if none converses with the gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.redteam import run
from tests.redteam.report import SKIPPED, Result
from tests.redteam.scene import Scene


def collected(act: Callable[[run.Tell], None]) -> dict[str, Result]:
    found: dict[str, Result] = {}
    act(lambda result: found.update({result.name: result}))
    return found


def check(result: Result) -> None:
    if result.state == SKIPPED:
        pytest.skip(result.why)
    assert result.good, f"{result.state}: {result.why}"


@pytest.fixture(scope="module")
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with Scene(silent=getattr(request.module, "SILENT", False)) as made:
        yield made


@pytest.fixture(scope="module")
def first(scene: Scene, request: pytest.FixtureRequest) -> dict[str, Result]:
    """What came of the attacks."""
    return collected(lambda tell: run.attacked(scene, request.module.ATTACKS, tell))


@pytest.fixture(scope="module")
def restarted(scene: Scene) -> Scene:
    """The stage after a restart of the host: of a container, or of a machine."""
    scene.restart()
    return scene


@pytest.fixture(scope="module")
def again(restarted: Scene, request: pytest.FixtureRequest) -> dict[str, Result]:
    """What came of the attacks after the restart."""
    return collected(lambda tell: run.attacked(restarted, request.module.ATTACKS, tell))
