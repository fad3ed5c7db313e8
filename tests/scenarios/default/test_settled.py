"""S12: a second run changes nothing, and costs little."""

from __future__ import annotations

import re

import pytest

from tests.lab.gateway import NAME, playbook

pytestmark = pytest.mark.first


def test_a_second_run() -> None:
    """Nothing is changed in 30 tasks, skipped ones counted: each costs the controller a process, which no noise can blur."""
    said = playbook().stdout
    recap = next(line for line in said.splitlines() if line.startswith(f"{NAME} "))
    counts = {state: int(number) for state, number in re.findall(r"(\w+)=(\d+)", recap)}
    assert counts["changed"] == 0, said
    assert counts["ok"] + counts["skipped"] == 30, said
