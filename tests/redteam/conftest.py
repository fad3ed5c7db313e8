"""The stage, once for the attacks and once more after the host has restarted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redteam.scene import Scene


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Scene() as made:
        yield made
