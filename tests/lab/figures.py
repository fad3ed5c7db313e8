"""Figures of a run of test.sh: how long each test took, and how often a gateway was started.

Steps run side by side, so each figure is a line of its own in a file of the folder that LOBSTERPOT_FIGURES names. LOBSTERPOT_STEP is the
step's name. Without the two nothing is noted.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

SLOWEST = 20


def noting() -> bool:
    return {"LOBSTERPOT_FIGURES", "LOBSTERPOT_STEP"} <= os.environ.keys()


def note(kind: str, *words: object) -> None:
    """Add a line to the figures of a kind."""
    if noting():
        line = "\t".join(str(word) for word in (os.environ["LOBSTERPOT_STEP"], *words))
        folder = Path(os.environ["LOBSTERPOT_FIGURES"])
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / kind).open("a") as file:
            file.write(f"{line}\n")


def noted(folder: Path, kind: str) -> list[list[str]]:
    file = folder / kind
    return [line.split("\t") for line in file.read_text().splitlines()] if file.exists() else []


def report(folder: Path) -> str:
    """The text for the end of a run."""
    tests = sorted(((float(seconds), step, test) for step, seconds, test in noted(folder, "durations")), reverse=True)
    starts: Counter[str] = Counter()
    for step, count in noted(folder, "starts"):
        starts[step] += int(count)
    lines = [f"The {min(SLOWEST, len(tests))} slowest of {len(tests)} tests, with the fixtures that each is the first or the last to need:"]
    lines += [f"{seconds:7.1f} s  {step}: {test}" for seconds, step, test in tests[:SLOWEST]]
    lines += [f"A gateway was started {starts.total()} times:", *(f"{count:7d}    {step}" for step, count in starts.most_common())]
    return "\n".join(lines)
