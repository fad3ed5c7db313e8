#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_accelerator
short_description: Tell how qemu will run a machine, and warn when it will be emulated
description:
  - Runs on the controller and changes nothing. The decision is the one that C(qemu_vm) starts a machine by.
  - Warns of emulation with its reason, the time it takes and what is quicker. A machine that runs already gives no warning.
author: the Lobsterpot contributors
options:
  directory:
    description: The machine's own directory. It need not exist.
    type: path
    required: true
  arch:
    description: Architecture of the machine.
    type: str
    choices: [x64, arm64]
    default: x64
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: VM | Warn when it will be emulated
  vm_accelerator:
    directory: ~/.local/share/lobsterpot/vms/openclaw
  delegate_to: localhost
"""

RETURN = r"""
accelerator:
  description: qemu's accelerator, C(kvm), C(hvf) or C(tcg). The last one is emulation.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.accelerator import notice
from ansible.module_utils.lobsterpot.qemu_machine import Machine, controller

ARGUMENT_SPEC = {
    "directory": {"type": "path", "required": True},
    "arch": {"type": "str", "choices": ["x64", "arm64"], "default": "x64"},
}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    computer, arch = controller(), module.params["arch"]
    try:
        running = Machine(module.params["directory"]).running()
    except OSError as error:
        module.fail_json(msg=str(error))
    said = notice(computer, arch)
    # Ansible shows a warning once in a run, however many machines it is about.
    if said and not running:
        module.warn(said)
    module.exit_json(changed=False, accelerator=computer.accelerator(arch))


if __name__ == "__main__":
    main()
