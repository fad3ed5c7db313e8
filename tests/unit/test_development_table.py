"""The table of docs/development.md: each invariant has a row, and each file that it names is there."""

from __future__ import annotations

import re

from tests.lab import ROOT

ROWS = [line for line in (ROOT / "docs/development.md").read_text().splitlines() if re.match(r"\| S\d+ ", line)]


def test_each_invariant_has_a_row() -> None:
    """S1 to S15, in their order, each shown by a change's run."""
    assert [row.split()[1] for row in ROWS] == [f"S{number}" for number in range(1, 16)]
    assert [row for row in ROWS if "`" not in row.split("|")[2]] == []


def test_the_files_are_there() -> None:
    """Paths are below tests/scenarios, or below the project where they say so."""
    named = {path for row in ROWS for path in re.findall(r"`([\w./-]+\.(?:py|yml)|[\w-]+/)`", row)}
    assert sorted(path for path in named if not ((ROOT / path).exists() or (ROOT / "tests/scenarios" / path).exists())) == []
    assert len(named) > 30
