#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: multipass_vm
short_description: Make, resize, start, stop and remove a virtual machine of multipass
description:
  - Runs on the controller, as a user who may use multipass. Written to multipass' documentation and source, and tested against a double;
    it was never run with multipass itself.
  - A machine is Lobsterpot's when I(directory) holds its record. Another machine of the name is refused and not touched, and so is one
    whose record belongs to another inventory. A directory that holds anything else than a machine's files is refused.
  - A machine whose making was interrupted, and one that was deleted without purging, is purged and made anew.
  - A running machine into which a folder of the host is mounted is refused, and so is the name of multipass' primary instance, into which
    multipass mounts the user's home directory.
  - Another number of CPUs, more memory or disk, or less memory, stops a running machine for a moment. I(image), I(user) and I(user_data)
    count when a machine is made, and change nothing later.
  - Each run that leaves it running writes its address into the record. An address that multipass gave it anew is no change of the machine.
  - A suspended machine that shall stop is powered off, and so is one in an unknown state; multipass has no gentler way for them.
author: the Lobsterpot contributors
options:
  name:
    description: Name of the machine. Letters, digits and hyphens, a letter first.
    type: str
    required: true
  directory:
    description: Directory of this one machine, for its record C(machine.json). Keys of the machine in it go with the machine.
    type: path
    required: true
  owner:
    description: The inventory that the machine belongs to. A machine of another inventory is refused.
    type: str
    required: true
  state:
    description: What the machine shall be.
    type: str
    choices: [running, stopped, absent]
    default: running
  cpus:
    description: Number of CPUs.
    type: int
    default: 2
  memory:
    description: Memory, as a number with K, M, G or T. At least 512M.
    type: str
    default: 4G
  disk:
    description:
      - Disk, as a number with K, M, G or T. At least 1G. It can grow; less than it has is refused.
      - multipass tells sizes with one decimal. A difference that does not show in that is none.
    type: str
    default: 20G
  image:
    description: Image as multipass names it. See C(multipass find).
    type: str
    default: "24.04"
  user:
    description: User that logs in, as I(user_data) makes it. The record tells it to the inventory.
    type: str
    default: lobsterpot
  user_data:
    description: Configuration for cloud-init, as YAML. It reaches multipass by its standard input. Empty means multipass' own alone.
    type: str
    default: ""
  timeout:
    description: How many seconds a launch, with the download of the image, or a start may take.
    type: int
    default: 1800
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: VM | Make the machine
  multipass_vm:
    name: lobsterpot
    directory: ~/.local/share/lobsterpot/vms/lobsterpot
    owner: /home/me/lobsterpot/inventories/local
    user_data: "{{ lookup('template', 'user-data.j2') }}"
"""

RETURN = r"""
vm:
  description: The machine. I(address) is null unless it runs; I(memory) and I(disk) are in bytes, null with I(cpus) for one that is absent.
  returned: success
  type: dict
  sample: {name: lobsterpot, provider: multipass, state: running, address: 10.97.0.76, port: 22, cpus: 2, memory: 4294967296,
    disk: 21474836480}
"""

import os
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import limits
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.multipass import SSH_PORT, Found, Multipass, commands, refuse, wanted_size
from ansible.module_utils.lobsterpot.vm import Plan, Size, check_name, check_owner, plan
from ansible.module_utils.lobsterpot.vm_folder import RECORD, VmFolder

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["running", "stopped", "absent"], "default": "running"},
    "owner": {"type": "str", "required": True},
    "cpus": {"type": "int", "default": 2},
    "memory": {"type": "str", "default": "4G"},
    "disk": {"type": "str", "default": "20G"},
    "image": {"type": "str", "default": "24.04"},
    "user": {"type": "str", "default": "lobsterpot"},
    "user_data": {"type": "str", "default": "", "no_log": True},
    "timeout": {"type": "int", "default": limits.VM_FIRST_LOGIN},
}

LINE = 16  # characters from which a line of user_data may be a part of a key


def check(params: dict[str, Any], folder: VmFolder, record: dict[str, Any]) -> None:
    """Refuse, before multipass is asked anything, what cannot be meant and what is not ours."""
    check_name(params["name"])
    if params["image"].startswith("-"):
        raise LobsterpotError(f"image: {params['image']!r} is no image; multipass would read an option.")
    check_owner("multipass", params["name"], params["owner"], str(folder.path), record=record, foreign=folder.foreign_files())
    if params["state"] == "absent":
        folder.check_removable()


def launch(multipass: Multipass, folder: VmFolder, params: dict[str, Any], wanted: Size) -> None:
    """Make the machine. The record comes first: one whose making is cut off must not look foreign. Its image hash says that it is whole."""
    begun = bool(folder.record())
    options = [f"--cpus={wanted.cpus}", f"--memory={wanted.memory}", f"--disk={wanted.disk}", f"--timeout={params['timeout']}"]
    secret = ["--cloud-init", "-"] if params["user_data"] else []
    record = {"format": 1, "provider": "multipass", **{key: params[key] for key in ("name", "owner", "user")}, "image_hash": None}
    folder.write(record)
    try:
        multipass.call("launch", params["image"], "--name", multipass.name, *options, *secret, data=params["user_data"] or None)
    except LobsterpotError as error:
        # What was there is somebody else's. What is not there was not made, except after a timeout: then multipass may go on.
        if "already exists" in str(error) or not (begun or "imed out" in str(error) or multipass.find()):
            (folder.path / RECORD).unlink()
        raise
    made = multipass.find()
    folder.write(record | {"image_hash": made.image_hash if made else None})
    if params["state"] == "stopped":
        multipass.do("stop", params["timeout"])


def change(multipass: Multipass, folder: VmFolder, params: dict[str, Any], *, found: Found | None, have: Size | None, wanted: Size) -> None:
    """Carry the plan out. `have` is the size of a whole machine of ours."""
    state = params["state"]
    if found and have and state != "absent":
        for command in commands(multipass.name, found.state, have, state, wanted):
            multipass.do(command, params["timeout"])
        return
    if found:
        multipass.do("delete --purge", params["timeout"])
    if state == "absent":
        folder.remove()
    else:
        launch(multipass, folder, params, wanted)


def ensure(module: AnsibleModule) -> dict[str, object]:
    params, name, state = module.params, module.params["name"], module.params["state"]
    folder, wanted = VmFolder(params["directory"]), wanted_size(params)
    record = folder.record()
    check(params, folder, record)
    multipass = Multipass(module, name)
    found = multipass.find()
    refuse(multipass, record, found, state)
    have = multipass.size(wanted) if found and found.state != "Deleted" and record.get("image_hash") else None
    planned = plan(state, have, found.state.lower() if found else "", wanted)
    if record and not have:
        planned = Plan({"state": "deleted" if found and found.state == "Deleted" else "half-made"}, planned.after)
    changed = planned.changed or (state == "absent" and bool(folder.parts()))
    if changed and not module.check_mode:
        try:
            change(multipass, folder, params, found=found, have=have, wanted=wanted)
        except LobsterpotError as error:
            raise LobsterpotError(f"{error}\n{multipass.state()}") from error
        found, record = multipass.find(), folder.record()
        refuse(multipass, record, found, state)
    address = found.address if found and found.state == "Running" and state == "running" else None
    if state != "absent" and not module.check_mode:
        if found is None or found.state.lower() != state or (state == "running") != bool(address):
            raise LobsterpotError(f"{name}: multipass says that it is {state} now, but it is not, or has no address. {multipass.state()}")
        known = record | asdict(wanted) | ({"address": address, "port": SSH_PORT} if address else {})
        if known != record:
            folder.write(known)
    has: dict[str, object] = asdict(wanted) if state != "absent" else dict.fromkeys(asdict(wanted))
    vm = {"name": name, "provider": "multipass", "state": state, "address": address, "port": SSH_PORT, **has}
    return {"changed": changed, "diff": planned.diff(), "vm": vm}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o077)
    # Ansible hides the whole of it; an error of multipass could repeat one line, and that line could be a key's.
    module.no_log_values.update(line for line in map(str.strip, module.params["user_data"].splitlines()) if len(line) >= LINE)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
