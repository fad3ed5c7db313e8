# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a run warns of emulation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest
from ansible.module_utils.lobsterpot.accelerator import Controller

from tests.unit.qemu_lab import Lab, lab, pot

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule, Snapshot

__all__ = ["lab", "pot"]  # fixtures

WITHOUT = Controller("Linux", "x64", frozenset({"hypervisor"}), "open")
WITH = Controller("Linux", "x64", frozenset({"vmx"}), "open")


def ask(run_module: RunModule, lab: Lab, computer: Controller, *, check: bool = False, arch: str = "x64") -> tuple[str, list[str]]:
    """The accelerator, and the first line of each warning."""
    said: list[str] = []
    module = importlib.import_module("vm_accelerator")
    lab.monkeypatch.setattr(module, "controller", lambda: computer)
    # Ansible would keep a warning until the process ends, which here runs all tests.
    lab.monkeypatch.setattr(module.AnsibleModule, "warn", lambda _self, text: said.append(text))
    result = run_module("vm_accelerator", {"directory": str(lab.directory), "arch": arch}, check=check)
    assert result["changed"] is False
    return result["accelerator"], [text.splitlines()[0] for text in said]


DEAD = "The machine will be emulated: /dev/kvm exists but does not work."


@pytest.mark.parametrize("check", [False, True])
def test_before_a_machine_is_made(run_module: RunModule, snapshot: Snapshot, lab: Lab, check: bool) -> None:
    """One warning, in check mode too, and nothing is touched."""
    before = snapshot(lab.vms)
    assert ask(run_module, lab, WITHOUT, check=check) == ("tcg", [DEAD])
    assert snapshot(lab.vms) == before


def test_with_kvm(run_module: RunModule, lab: Lab) -> None:
    """Nothing to warn of; but of a machine of another architecture there is."""
    assert ask(run_module, lab, WITH) == ("kvm", [])
    assert ask(run_module, lab, WITH, arch="arm64") == ("tcg", ["The machine will be emulated: it is arm64, this computer is x64."])


def test_a_machine_that_runs(run_module: RunModule, pot: Lab) -> None:
    """Its user knows how slow it is. One that is off is started with emulation again, and may have had KVM before."""
    assert ask(run_module, pot, WITHOUT) == ("tcg", [])
    run_module("qemu_vm", pot.arguments(state="stopped"))
    assert ask(run_module, pot, WITHOUT) == ("tcg", [DEAD])


def test_a_folder_that_is_none(run_module: RunModule, lab: Lab) -> None:
    """A file in its place ends in a sentence."""
    (lab.vms / "file").write_text("")
    said = run_module("vm_accelerator", {"directory": str(lab.vms / "file")}, fails=True)["msg"]
    assert said.startswith("[Errno 20] Not a directory: ")
