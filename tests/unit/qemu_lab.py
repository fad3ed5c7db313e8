# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine under a qemu that is none. What each double imitates, and from which source, stands in tests/lab/doubles."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.lobsterpot.accelerator import Controller
from ansible.module_utils.lobsterpot.qemu_machine import wait_for

from tests.lab import limits

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule

DOUBLES = Path(__file__).resolve().parents[1] / "lab/doubles"
KEY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"
USER_DATA = f"#cloud-config\nssh_keys:\n  ed25519_private: |\n    {KEY}\n"
GIB = 1073741824

# What the role puts into the folder before.
KEYS = ("host_key", "host_key.pub", "id_ed25519", "id_ed25519.pub", "known_hosts")


class Lab:
    """The doubles, first on PATH, and the folder of one machine."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.double, self.tools, self.vms = folder / "double", folder / "bin", folder / "vms"
        self.directory, self.image = self.vms / "pot", folder / "base.qcow2"
        for path in (self.double, self.tools, self.directory):
            path.mkdir(parents=True)
        self.image.write_text("base image\n")
        for key in KEYS:
            (self.directory / key).write_text(key)
        for tool in ("qemu-img", "ssh"):
            (self.tools / tool).symlink_to(DOUBLES / tool)
        for tool in ("qemu-system-x86_64", "passt"):
            (self.tools / tool).write_text("#!/bin/sh\nexit 1\n")
            (self.tools / tool).chmod(0o755)
        monkeypatch.setenv("PATH", str(self.tools))
        monkeypatch.setenv("QEMU_DOUBLE", str(self.double))
        monkeypatch.delenv("LOBSTERPOT_PROGRESS", raising=False)
        module = importlib.import_module("qemu_vm")
        monkeypatch.setattr(module, "platform", SimpleNamespace(system=lambda: "Linux"))
        monkeypatch.setattr(module, "controller", lambda: Controller("Linux", "x64", frozenset(), "missing"))
        monkeypatch.setattr(module.limits, "VM_SHUTDOWN", 20.0)
        self.monkeypatch = monkeypatch
        self.free(100 * GIB)

    def free(self, size: int) -> None:
        """Let every disk have so much room."""
        self.monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=size))

    def arguments(self, **changes: Any) -> dict[str, Any]:
        fixed = {"name": "pot", "directory": str(self.directory), "owner": "/inventories/mine", "image": str(self.image)}
        return {**fixed, "memory": "1G", "user_data": USER_DATA, "runner": str(DOUBLES / "run_vm.py"), "timeout": 30, **changes}

    def set(self, name: str, words: str = "") -> None:
        """Have a double behave otherwise."""
        (self.double / name).write_text(words)

    def unset(self, name: str) -> None:
        (self.double / name).unlink()

    def calls(self, tool: str) -> list[str]:
        """What a double was told, and forget it."""
        log = self.double / tool
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.directory / "machine.json").read_text())
        return record

    def write(self, **record: Any) -> None:
        (self.directory / "machine.json").write_text(json.dumps(record))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    def power_cut(self) -> None:
        """End the runner as nothing can be prepared for, and wait until it has ended."""
        pid = self.double / "pid"
        if not pid.exists():
            return
        try:
            os.kill(int(pid.read_text()), signal.SIGKILL)
            # It is this process' child: nobody else gets its number before it is waited for.
            assert wait_for(lambda: os.waitpid(int(pid.read_text()), os.WNOHANG)[0], limits.PROGRAM, 0.02)
        except (ProcessLookupError, ChildProcessError):
            pass
        pid.unlink()


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    made = Lab(tmp_path, monkeypatch)
    yield made
    made.power_cut()


@pytest.fixture
def pot(run_module: RunModule, lab: Lab) -> Lab:
    """A machine that the module made, and that runs."""
    run_module("qemu_vm", lab.arguments())
    for tool in ("qemu-img", "ssh", "qmp"):
        lab.calls(tool)
    return lab
