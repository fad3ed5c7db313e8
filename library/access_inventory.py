#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: access_inventory
short_description: Turn the approved senders of a host into inventory variables
description:
  - Runs on the controller, changes nothing and looks at nothing but its options.
  - Turns what M(gateway_pairing_info) found on a host into C(access_people) and C(access_channels), so that approvals made by hand can be
    kept in the inventory. What nobody should keep, such as a C(*), is left out and named.
author: the Lobsterpot contributors
options:
  found:
    description: The result C(channels) of M(gateway_pairing_info).
    type: dict
    required: true
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
seealso:
  - module: gateway_allowlist
  - module: gateway_pairing_info
"""

EXAMPLES = r"""
- name: Export | Put it in the inventory's words
  access_inventory:
    found: "{{ export_found.channels }}"
  delegate_to: localhost
  become: false
"""

RETURN = r"""
access_channels:
  description: What was found, as that variable.
  returned: always
  type: dict
access_people:
  description: Those found whose name is a word, as that variable.
  returned: always
  type: dict
left_out:
  description: What was found and should not be adopted, with the reason.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.people import adopt

ARGUMENT_SPEC = {"found": {"type": "dict", "required": True}}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    module.exit_json(changed=False, **adopt(module.params["found"]))


if __name__ == "__main__":
    main()
