"""Note how long each test takes, its fixtures included; see figures.py."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.lab import figures

seconds: defaultdict[str, float] = defaultdict(float)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    seconds[report.nodeid] += report.duration
    if report.when == "teardown":
        figures.note("durations", f"{seconds.pop(report.nodeid):.2f}", report.nodeid.removeprefix("tests/"))
