#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_info
short_description: Tell what is known of a virtual machine
description:
  - Runs on the controller and reads the machine's own directory; for multipass, whether it runs is what multipass says.
author: the Lobsterpot contributors
options:
  directory:
    description: The machine's own directory.
    type: path
    required: true
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: VM | Read its state
  vm_info:
    directory: ~/.local/share/lobsterpot/vms/openclaw
  delegate_to: localhost
"""

RETURN = r"""
vm:
  description: Name, provider, qemu's accelerator, state, address, port, processors, memory, disk and space used in bytes, and when its
    golden image was made (empty without one). Empty when there is no machine.
  returned: always
  type: dict
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.multipass import Multipass
from ansible.module_utils.lobsterpot.qemu_machine import Machine

ARGUMENT_SPEC = {"directory": {"type": "path", "required": True}}

SHOWN = ("name", "provider", "accelerator", "cpus", "memory", "disk", "port")
BLOCK = 512  # bytes of st_blocks, stat(2)


def multipass_state(module: AnsibleModule, name: str) -> str:
    try:
        found = Multipass(module, name).find()
    except LobsterpotError:
        return "unknown"
    return found.state.lower() if found else "missing"


def read(module: AnsibleModule) -> dict[str, Any]:
    machine = Machine(module.params["directory"])
    record = machine.record()
    if not record:
        return {}
    golden = machine.path / "golden.qcow2"
    found = {key: record.get(key, 0) for key in SHOWN}
    if record["provider"] == "multipass":
        found["state"] = multipass_state(module, record["name"])
    elif not record["made"]:
        found["state"] = "unfinished"
    else:
        found["state"] = "running" if machine.running() else "stopped"
    found["address"] = record.get("address", "127.0.0.1")
    found["used"] = sum(path.stat().st_blocks * BLOCK for path in machine.path.iterdir())
    found["golden"] = time.strftime("%Y-%m-%d %H:%M", time.localtime(golden.stat().st_mtime)) if golden.exists() else ""
    return found


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        module.exit_json(changed=False, vm=read(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
