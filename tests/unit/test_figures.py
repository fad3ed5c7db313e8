"""What test.sh says at its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab import figures
from tests.lab.hosts.starts import STARTED, STARTING, starts


def entry(message: str, **fields: str) -> str:
    return json.dumps({"MESSAGE_ID": message, **fields})


def test_a_start_counts_once() -> None:
    """A service that says when it is ready has two messages, and one if it never was; a simple one has the second alone."""
    system, user = {"UNIT": "openclaw-gateway.service"}, {"USER_UNIT": "clawdbot-gateway.service"}
    journal = [entry(STARTING, **system), entry(STARTED, **system), entry(STARTING, **system), entry(STARTED, **user), "-- cursor: s=1"]
    assert starts("\n".join(journal)) == 3
    assert starts("") == 0


def test_the_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The slowest first, and the starts of each step and of all."""
    monkeypatch.setenv("LOBSTERPOT_FIGURES", str(tmp_path))
    for step, seconds, test, count in (("one", "1.50", "a::b", 2), ("two", "20.25", "c::d", 1), ("two", "3.00", "e::f", 4)):
        monkeypatch.setenv("LOBSTERPOT_STEP", step)
        figures.note("durations", seconds, test)
        figures.note("starts", count)
    assert figures.report(tmp_path).splitlines() == [
        "The 3 slowest of 3 tests, with the fixtures that each is the first or the last to need:",
        "   20.2 s  two: c::d",
        "    3.0 s  two: e::f",
        "    1.5 s  one: a::b",
        "A gateway was started 7 times:",
        "      5    two",
        "      2    one",
    ]


def test_nothing_is_noted_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without test.sh there is no folder for it."""
    monkeypatch.delenv("LOBSTERPOT_FIGURES", raising=False)
    figures.note("starts", 1)
