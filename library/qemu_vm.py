#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: qemu_vm
short_description: Make, start, stop and remove a virtual machine under qemu, without root and without a daemon
description:
  - Runs on the controller. One directory is one machine, with its record, disk, cloud-init seed, keys and console.
  - The disk is an overlay on a base image. Its network is passt behind a gate that lets nothing through to this computer; its SSH port is
    on this computer's loopback only.
  - A machine that an interrupted run left half made is made anew. A directory that holds anything else is refused.
  - A machine that runs otherwise than it is asked for now (processors, memory, network, port, O(reach), or as an older version of this
    module started it) is shut down and started again.
author: the Lobsterpot contributors
options:
  name:
    description: Name of the machine and its host name.
    type: str
    required: true
  directory:
    description: The machine's own directory. The role puts its keys there before.
    type: path
    required: true
  state:
    description: Whether it shall run, exist without running, or not exist.
    type: str
    choices: [running, stopped, absent]
    default: running
  owner:
    description: The inventory that the machine belongs to. A machine of another inventory is refused.
    type: str
    required: true
  arch:
    description: Architecture of the machine.
    type: str
    choices: [x64, arm64]
    default: x64
  cpus:
    description: Number of processors.
    type: int
    default: 2
  memory:
    description: Memory, with a unit.
    type: str
    default: 4G
  disk:
    description: Size of the disk, with a unit. It takes what it holds, not this. It grows on demand and never shrinks.
    type: str
    default: 20G
  image:
    description: Base image in qcow2 format. Needed to make the machine.
    type: path
    default: ""
  user:
    description: User that logs in.
    type: str
    default: lobsterpot
  user_data:
    description: What cloud-init is told, host keys included.
    type: str
    default: ""
  ssh_port:
    description: Port on this computer's loopback that leads to the machine's SSH. 0 takes a free one and keeps it.
    type: int
    default: 0
  network:
    description: C(passt), or qemu's own C(user) network, which lets the machine reach this computer's loopback.
    type: str
    choices: [passt, user]
    default: passt
  reach:
    description: Private networks that the machine may reach beside the public internet, as addresses or networks. Never this computer.
    type: list
    elements: str
    default: []
  runner:
    description: The program that runs the machine.
    type: path
    default: ""
  golden:
    description: Make the machine from its golden image where it has one; with C(state=absent), keep that image.
    type: bool
    default: false
  timeout:
    description: Longest time until the first login, in seconds.
    type: int
    default: 1800
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: VM | Have it running
  qemu_vm:
    name: openclaw
    directory: ~/.local/share/lobsterpot/vms/openclaw
    owner: /home/me/lobsterpot/inventories/local
    image: ~/.cache/lobsterpot/vm-trixie-x64.qcow2
    user_data: "{{ lookup('ansible.builtin.template', 'user-data.j2') }}"
    runner: roles/vm/files/run_vm.py
  delegate_to: localhost
  no_log: true
"""

RETURN = r"""
vm:
  description: Name, provider, state, address and port to log in at, processors, memory and disk in bytes. Empty when there is none.
  returned: always
  type: dict
seconds:
  description: Time until it answered, when it was started.
  returned: always
  type: float
"""

import hashlib
import os
import platform
import shutil
import time
import uuid
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import limits, qemu, vm
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.qemu_machine import KEPT, Machine, controller, free_port, link_or_copy, progress
from ansible.module_utils.lobsterpot.seed import write_seed

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["running", "stopped", "absent"], "default": "running"},
    "owner": {"type": "str", "required": True},
    "arch": {"type": "str", "choices": ["x64", "arm64"], "default": "x64"},
    "cpus": {"type": "int", "default": 2},
    "memory": {"type": "str", "default": "4G"},
    "disk": {"type": "str", "default": "20G"},
    "image": {"type": "path", "default": ""},
    "user": {"type": "str", "default": "lobsterpot"},
    "user_data": {"type": "str", "default": "", "no_log": True},
    "ssh_port": {"type": "int", "default": 0},
    "network": {"type": "str", "choices": ["passt", "user"], "default": "passt"},
    "reach": {"type": "list", "elements": "str", "default": []},
    "runner": {"type": "path", "default": ""},
    "golden": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": limits.VM_FIRST_LOGIN},
}


def check(params: dict[str, Any], machine: Machine, record: dict[str, Any], wanted: vm.Size) -> None:
    """Refuse, before anything is changed, what cannot work."""
    vm.check_name(params["name"])
    vm.check_owner("qemu", params["name"], params["owner"], str(machine.path), record=record, foreign=machine.foreign_files())
    if params["state"] == "absent":
        if not params["golden"]:
            machine.check_removable()
        return
    system = platform.system()
    qemu.check_network(system, params["network"])
    tools = [name for name in (*qemu.EMULATORS.values(), "qemu-img", "passt") if shutil.which(name)]
    problem = qemu.missing_tools(system, params["arch"], params["network"], tools)
    if problem:
        raise LobsterpotError(problem)
    qemu.firmware(params["arch"], os.path.exists)
    qemu.check_reach(params["reach"])
    qemu.check_room(wanted, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    if not record.get("made"):
        parent = next(path for path in (machine.path, *machine.path.parents) if path.exists())
        qemu.check_space(str(parent), shutil.disk_usage(parent).free)
        qemu.check_disk(wanted.disk, qemu.disk_size(Path(params["image"])))
    if params["state"] == "running" and not (machine.running() and params["ssh_port"] == record.get("port")):
        free_port(params["ssh_port"])


def make(module: AnsibleModule, machine: Machine, wanted: vm.Size) -> dict[str, Any]:
    """Make disk and seed. The record comes first, and says `made` last: what lies between is an unfinished machine."""
    params = module.params
    golden = machine.path / "golden.qcow2"
    record: dict[str, Any] = {"format": 1, "provider": "qemu", "name": params["name"], "owner": params["owner"], "user": params["user"]}
    record |= {"instance": str(uuid.uuid4()), "made": False, "answered": False, "pristine": True}
    machine.write(record)
    base = machine.path / "base.qcow2"
    if params["golden"] and golden.exists():
        progress("copying the golden image")
        shutil.copyfile(golden, machine.path / "disk.qcow2")
    else:
        if not params["image"]:
            raise LobsterpotError("image: a base image is needed to make a machine.")
        golden.unlink(missing_ok=True)
        link_or_copy(Path(params["image"]), base)
        run(module, "qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "disk.qcow2", cwd=str(machine.path))
    run(module, "qemu-img", "resize", "-q", str(machine.path / "disk.qcow2"), str(wanted.disk))
    write_seed(machine.path / "seed.iso", qemu.seed_documents(params["name"], record["instance"], params["user_data"]))
    record["made"] = True
    return record


def run(module: AnsibleModule, *argv: str, cwd: str | None = None) -> None:
    code, out, err = module.run_command(list(argv), cwd=cwd, environ_update={"LC_ALL": "C"})
    if code:
        raise LobsterpotError(f"{' '.join(argv[:2])} failed: {(err or out).strip()}")


def settings(params: dict[str, Any], wanted: vm.Size, port: int) -> dict[str, Any]:
    """Return what the record says of a running machine: where it is reached, and all that decides how it runs."""
    arch, network = params["arch"], params["network"]
    accelerator, firmware = controller().accelerator(arch), qemu.firmware(arch, os.path.exists)
    command = qemu.qemu_command(
        arch, accelerator=accelerator, cpus=wanted.cpus, memory=wanted.memory, firmware=firmware, network=network, port=port
    )
    passt = qemu.passt_command(port) if network == "passt" else []
    runner = hashlib.sha256(Path(params["runner"]).read_bytes()).hexdigest()
    run = {"qemu": command, "passt": passt, "reach": params["reach"], "runner": runner}
    return {"port": port, "accelerator": accelerator, "run": run}


def start(params: dict[str, Any], machine: Machine, record: dict[str, Any], wanted: vm.Size) -> None:
    record |= settings(params, wanted, free_port(params["ssh_port"], record.get("port", 0)))
    machine.write(record | {"answered": False})
    shutil.copyfile(params["runner"], machine.path / "run_vm.py")
    machine.start()


def remove(machine: Machine, record: dict[str, Any], kept: Collection[str]) -> None:
    if machine.running():
        machine.pull_the_plug()  # an orderly shutdown would save a disk that goes
    machine.remove(kept)
    if kept:
        machine.write({key: record[key] for key in ("format", "provider", "name", "owner")} | {"made": False})


def ensure(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    machine = Machine(params["directory"])
    wanted = vm.Size(params["cpus"], vm.parse_size("vm_memory", params["memory"]), vm.parse_size("vm_disk", params["disk"]))
    record = machine.record()
    check(params, machine, record, wanted)
    running = machine.running()
    made = bool(record.get("made"))
    found = vm.Size(*(record[key] for key in ("cpus", "memory", "disk"))) if made else None
    plan = vm.plan(params["state"], found, "running" if running else "stopped", wanted)
    kept = KEPT if params["golden"] and record else ()
    leftovers = params["state"] == "absent" and bool(machine.parts(kept))
    if running and params["state"] == "running" and made:
        before = {key: record[key] for key in ("port", "accelerator", "run")}
        plan = plan.also(before, settings(params, wanted, params["ssh_port"] or record["port"]))
    result: dict[str, Any] = {"changed": plan.changed or leftovers, "diff": plan.diff(), "vm": {}, "seconds": 0.0}
    began = time.monotonic()
    if module.check_mode:
        return result
    if params["state"] == "absent":
        if result["changed"]:
            remove(machine, record, kept)
        return result
    if running and plan.changed:
        machine.stop(limits.VM_SHUTDOWN)
        running = False
    if not made:
        record = make(module, machine, wanted)
    elif found and wanted.disk > found.disk:
        run(module, "qemu-img", "resize", "-q", str(machine.path / "disk.qcow2"), str(wanted.disk))
    record |= asdict(wanted)
    machine.write(record)
    if params["state"] == "running":
        if not running:
            start(params, machine, record, wanted)
        if not record["answered"] or not running:
            machine.wait_until_it_answers(record["user"], params["name"], record["port"], params["timeout"])
            machine.write(record | {"answered": True})
            result["seconds"] = round(time.monotonic() - began, 1)
    result["vm"] = {"name": params["name"], "provider": "qemu", "state": params["state"], "address": "127.0.0.1", **asdict(wanted)}
    result["vm"] |= {"port": record.get("port", 0), "accelerator": record.get("accelerator", ""), "pristine": record["pristine"]}
    return result


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o077)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
