#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_golden
short_description: Keep a golden image of a qemu machine, from before an agent ever ran on it
description:
  - Runs on the controller. C(taken) copies the disk of a running machine, which must be pristine; no secret has been on that disk and no
    agent has run there. From then on the machine counts as used.
  - C(kept) makes the copy the golden image, once the machine has proven to work. A copy that is never kept changes nothing.
author: the Lobsterpot contributors
options:
  directory:
    description: The machine's own directory.
    type: path
    required: true
  state:
    description: What to do with the image.
    type: str
    choices: [taken, kept]
    required: true
  timeout:
    description: Longest time in which the copy makes no progress, in seconds. The whole may take as long as it takes.
    type: int
    default: 600
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: VM | Take the golden image
  vm_golden:
    directory: ~/.local/share/lobsterpot/vms/openclaw
    state: taken
  delegate_to: localhost
"""

RETURN = r"""
image:
  description: The golden image.
  returned: always
  type: str
"""

import contextlib
import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import limits
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.qemu_machine import Machine, wait_for

ARGUMENT_SPEC = {
    "directory": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["taken", "kept"], "required": True},
    "timeout": {"type": "int", "default": limits.VM_COPY_SILENCE},
}

JOB = "golden"


def jobs(machine: Machine) -> list[dict[str, Any]]:
    return [job for job in machine.monitor("query-jobs") if job["id"] == JOB]


def forget(machine: Machine) -> None:
    """End a copy that an interrupted run began: qemu would refuse another one."""
    if any(job["status"] != "concluded" for job in jobs(machine)):
        with contextlib.suppress(LobsterpotError):  # it may have ended meanwhile
            machine.monitor("job-cancel", id=JOB)
    if not wait_for(lambda: all(job["status"] == "concluded" for job in jobs(machine)), limits.VM_COPY_CANCEL):
        raise LobsterpotError(f"{limits.waited(limits.VM_COPY_CANCEL, 'qemu gave up a copy of the disk')} Run again in a minute.")
    if jobs(machine):
        machine.monitor("job-dismiss", id=JOB)


def take(machine: Machine, copy: Path, seconds: float) -> None:
    """Have qemu copy the overlay as it is at this moment, while the machine goes on. Source: QMP, drive-backup and query-jobs."""
    forget(machine)
    copy.unlink(missing_ok=True)
    machine.monitor(
        "drive-backup", **{"job-id": JOB, "device": "disk", "target": copy.name, "format": "qcow2", "sync": "top", "auto-dismiss": False}
    )
    job: dict[str, Any] = {}

    def moved() -> bool:
        """Whether the copy has ended or got on since it was looked at last."""
        nonlocal job
        found = jobs(machine)
        if found and found[0].get("error"):
            raise LobsterpotError(f"qemu could not copy the disk: {found[0]['error']}")
        before, job = job, found[0] if found else {}
        return job.get("status") == "concluded" or job.get("current-progress") != before.get("current-progress")

    while job.get("status") != "concluded":
        if not wait_for(moved, seconds):
            forget(machine)
            so_far = f"{job.get('current-progress', 0)} of {job.get('total-progress', 0)} bytes"
            raise LobsterpotError(limits.waited(seconds, f"the copy of the disk got on ({so_far} so far)"))
    machine.monitor("job-dismiss", id=JOB)


def ensure(module: AnsibleModule) -> dict[str, Any]:
    machine = Machine(module.params["directory"])
    golden, copy = machine.path / "golden.qcow2", machine.path / "golden.new"
    record = machine.record()
    if not record.get("made"):
        raise LobsterpotError(f"{machine.path} holds no machine.")
    result = {"image": str(golden)}
    if module.params["state"] == "kept":
        changed = copy.exists() and not record["pristine"]
        if changed and not module.check_mode:
            copy.replace(golden)
        return result | {"changed": changed}
    if record["pristine"] and not machine.running():
        raise LobsterpotError(f"The machine in {machine.path} does not run, and only a machine that runs can be copied.")
    if record["pristine"] and not module.check_mode:
        take(machine, copy, module.params["timeout"])
        machine.write(record | {"pristine": False})
    return result | {"changed": bool(record["pristine"])}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o077)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
