# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from ansible.module_utils.lobsterpot import multipass

from tests.unit.qemu_lab import GIB, Lab, lab, pot

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

__all__ = ["lab", "pot"]  # fixtures


def test_tells_of_a_machine(run_module: RunModule, snapshot: Snapshot, pot: Lab) -> None:
    """Reading changes nothing, and shows neither the owner's folders nor the command line."""
    before = snapshot(pot.vms)
    result = run_module("vm_info", {"directory": str(pot.directory)})
    assert snapshot(pot.vms) == before
    assert (result["changed"], result["vm"].pop("used") > 0) == (False, True)
    assert result["vm"] == {
        "name": "pot",
        "provider": "qemu",
        "accelerator": pot.record()["accelerator"],
        "cpus": 2,
        "memory": GIB,
        "disk": 20 * GIB,
        "port": pot.record()["port"],
        "state": "running",
        "address": "127.0.0.1",
        "golden": "",
    }


def test_a_machine_that_is_off(run_module: RunModule, pot: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it runs is what the lock says, after a power cut as well; a golden image has a date."""
    monkeypatch.setenv("TZ", "UTC")
    pot.power_cut()
    (pot.directory / "golden.qcow2").write_text("")
    os.utime(pot.directory / "golden.qcow2", (1790000000, 1790000000))
    found = run_module("vm_info", {"directory": str(pot.directory)})["vm"]
    assert (found["state"], found["golden"][:7]) == ("stopped", "2026-09")


def test_no_machine(run_module: RunModule, lab: Lab) -> None:
    """Nothing there is no error; neither is a folder with keys only."""
    assert run_module("vm_info", {"directory": str(lab.directory)})["vm"] == {}
    assert run_module("vm_info", {"directory": str(lab.vms / "other")})["vm"] == {}


def test_a_half_made_machine(run_module: RunModule, lab: Lab) -> None:
    """What a rebuild left in between is told as it is."""
    lab.write(format=1, provider="qemu", name="pot", owner="/inventories/mine", made=False)
    found = run_module("vm_info", {"directory": str(lab.directory)})["vm"]
    assert (found["state"], found["cpus"], found["port"]) == ("unfinished", 0, 0)


@pytest.mark.parametrize(
    ("script", "state"),
    [
        # src/client/cli/formatter/json_formatter.cpp of canonical/multipass
        ('echo \'{"info": {"pot": {"state": "Running", "ipv4": ["10.97.0.76"], "image_hash": "dced94c031cc", "mounts": {}}}}\'', "running"),
        ("echo 'info failed: instance \"pot\" does not exist' >&2; exit 2", "missing"),
        (None, "unknown"),
        ("echo info", "unknown"),
    ],
)
def test_a_machine_of_multipass(run_module: RunModule, lab: Lab, monkeypatch: pytest.MonkeyPatch, script: str | None, state: str) -> None:
    """multipass is asked; where it is not installed any more, or says something else, the machine's state is not known."""
    monkeypatch.setattr(multipass, "PLACES", [])
    if script:
        (lab.tools / "multipass").write_text(f"#!/bin/sh\n{script}\n")
        (lab.tools / "multipass").chmod(0o755)
    lab.write(provider="multipass", name="pot", address="10.97.0.76", port=22)
    found = run_module("vm_info", {"directory": str(lab.directory)})["vm"]
    assert (found["state"], found["address"], found["port"]) == (state, "10.97.0.76", 22)


def test_a_damaged_record(run_module: RunModule, lab: Lab) -> None:
    """A list of machines does not end in a traceback because of one of them."""
    (lab.directory / "machine.json").write_text("[1]")
    said = run_module("vm_info", {"directory": str(lab.directory)}, fails=True)["msg"]
    assert said.startswith(f"{lab.directory}/machine.json is damaged (")
