"""What every run of pytest has."""

from __future__ import annotations

pytest_plugins = ["tests.lab.durations", "tests.lab.order"]
