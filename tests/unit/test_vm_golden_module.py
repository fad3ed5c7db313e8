# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The golden image of a qemu machine, against a double of qemu's monitor."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from ansible.module_utils.lobsterpot import qemu_machine
from ansible.module_utils.lobsterpot.qemu_machine import Machine

from tests.unit.qemu_lab import Lab, lab, pot

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

__all__ = ["lab", "pot"]  # fixtures


def arguments(pot: Lab, state: str, timeout: int = 20) -> dict[str, object]:
    return {"directory": str(pot.directory), "state": state, "timeout": timeout}


def test_takes_and_keeps(run_module: RunModule, pot: Lab) -> None:
    """The disk is copied while the machine runs; only when it has proven to work, the copy is what a rebuild starts from."""
    taken = run_module("vm_golden", arguments(pot, "taken"))
    assert (taken["changed"], taken["image"]) == (True, f"{pot.directory}/golden.qcow2")
    assert pot.calls("qmp") == ["query-jobs", "query-jobs", "query-jobs", "drive-backup", "query-jobs", "job-dismiss"]
    assert ("golden.new" in pot.files(), "golden.qcow2" in pot.files()) == (True, False)
    assert pot.record()["pristine"] is False
    assert oct((pot.directory / "machine.json").stat().st_mode) == "0o100600"
    assert run_module("vm_golden", arguments(pot, "kept"))["changed"] is True
    assert (pot.directory / "golden.qcow2").read_text() == "copy of the disk\n"
    assert "golden.new" not in pot.files()


def test_settles(run_module: RunModule, snapshot: Snapshot, pot: Lab) -> None:
    """A machine that was used is never copied again: an agent's traces would be in the image for good."""
    for state in ("taken", "kept"):
        run_module("vm_golden", arguments(pot, state))
    pot.calls("qmp")
    before = snapshot(pot.directory)
    assert [run_module("vm_golden", arguments(pot, state))["changed"] for state in ("taken", "kept")] == [False, False]
    assert snapshot(pot.directory) == before
    assert pot.calls("qmp") == []


def test_check_mode_predicts(run_module: RunModule, snapshot: Snapshot, pot: Lab) -> None:
    """Check mode says what would be taken and kept, and touches nothing."""
    before = snapshot(pot.directory)
    assert [run_module("vm_golden", arguments(pot, state), check=True)["changed"] for state in ("taken", "kept")] == [True, False]
    assert snapshot(pot.directory) == before
    run_module("vm_golden", arguments(pot, "taken"))
    before = snapshot(pot.directory)
    assert [run_module("vm_golden", arguments(pot, state), check=True)["changed"] for state in ("taken", "kept")] == [False, True]
    assert snapshot(pot.directory) == before


def test_nothing_is_kept_that_was_not_taken(run_module: RunModule, snapshot: Snapshot, pot: Lab) -> None:
    """A copy that an earlier machine or a run cut short left beside a pristine disk is not trusted."""
    (pot.directory / "golden.new").write_text("half a copy")
    before = snapshot(pot.directory)
    assert run_module("vm_golden", arguments(pot, "kept"))["changed"] is False
    assert snapshot(pot.directory) == before


def test_a_copy_that_fails(run_module: RunModule, pot: Lab) -> None:
    """qemu's words come out, the machine stays pristine, and the next run takes the image."""
    pot.set("job.fails", "No space left on device")
    failed = run_module("vm_golden", arguments(pot, "taken"), fails=True)
    assert failed["msg"] == "qemu could not copy the disk: No space left on device"
    assert pot.record()["pristine"] is True
    pot.unset("job.fails")
    assert run_module("vm_golden", arguments(pot, "taken"))["changed"] is True


def test_a_copy_that_gets_stuck(run_module: RunModule, pot: Lab) -> None:
    """After its time without progress it is ended, not left to write on."""
    pot.set("job.hangs")
    failed = run_module("vm_golden", arguments(pot, "taken", 0), fails=True)
    assert failed["msg"] == "Waited 0 s in vain until the copy of the disk got on (1 of 1 bytes so far)."
    assert pot.calls("qmp")[-4:] == ["job-cancel", "query-jobs", "query-jobs", "job-dismiss"]
    assert pot.record()["pristine"] is True


def test_a_slow_copy(pot: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As long as it gets on it may take as long as it takes: here a hundred seconds, of which each brings a byte, with a limit of two."""
    module = importlib.import_module("vm_golden")
    steps = iter(
        [*({"status": "running", "current-progress": done, "total-progress": 100} for done in range(100)), {"status": "concluded"}]
    )
    clock = iter(range(10**6))
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(module, "forget", lambda _machine: None)
        patch.setattr(module, "jobs", lambda _machine: [next(steps)])
        patch.setattr(qemu_machine, "time", SimpleNamespace(monotonic=lambda: float(next(clock)), sleep=lambda _seconds: None))
        patch.setattr(Machine, "monitor", lambda _self, command, **_arguments: said.append(command))
        module.take(Machine(str(pot.directory)), tmp_path / "golden.new", 2)
    assert said == ["drive-backup", "job-dismiss"]
    assert next(clock) > 90


def test_a_run_that_was_cut_off(run_module: RunModule, pot: Lab) -> None:
    """^C in the middle of the copy: qemu goes on with it and would refuse a second one; the next run ends the first."""
    pot.set("job.hangs")
    Machine(str(pot.directory)).monitor("drive-backup", **{"job-id": "golden", "device": "disk", "target": "golden.new"})
    pot.unset("job.hangs")
    pot.calls("qmp")
    assert run_module("vm_golden", arguments(pot, "taken"))["changed"] is True
    assert pot.calls("qmp") == [
        *("query-jobs", "job-cancel", "query-jobs", "query-jobs", "job-dismiss"),
        *("drive-backup", "query-jobs", "job-dismiss"),
    ]


def test_a_machine_that_is_off(run_module: RunModule, snapshot: Snapshot, pot: Lab) -> None:
    """A disk that nobody synced may miss what was installed last."""
    run_module("qemu_vm", pot.arguments(state="stopped"))
    before = snapshot(pot.directory)
    assert run_module("vm_golden", arguments(pot, "taken"), fails=True)["msg"] == (
        f"The machine in {pot.directory} does not run, and only a machine that runs can be copied."
    )
    assert snapshot(pot.directory) == before


@pytest.mark.parametrize("state", ["taken", "kept"])
def test_no_machine(run_module: RunModule, lab: Lab, state: str) -> None:
    """Where there is none, or a half-made one, there is nothing to take."""
    said = f"{lab.directory} holds no machine."
    assert run_module("vm_golden", arguments(lab, state), fails=True)["msg"] == said
    lab.write(provider="qemu", made=False, pristine=True)
    assert run_module("vm_golden", arguments(lab, state), fails=True)["msg"] == said
