"""The order of tests: those marked `first`, those without a mark, those marked `last`.

Within each of the three, modules go by their names, wherever they lie; tests by their places in the module.
"""

from __future__ import annotations

import pytest


def rank(item: pytest.Item) -> int:
    if item.get_closest_marker("first"):
        return 0
    return 2 if item.get_closest_marker("last") else 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (rank(item), item.path.name))
