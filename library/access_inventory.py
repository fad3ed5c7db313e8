#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: access_inventory
short_description: Translate between the inventory's people and the gateway's senders
description:
  - Runs on the controller, changes nothing and looks at nothing but its options.
  - One way, it resolves people who are named once into the senders of each channel and account, and refuses what cannot be meant, with the
    name of the variable and the fix.
  - The other way, it turns what M(gateway_pairing_info) found on a host into the same variables, so that approvals made by hand can be
    adopted. What nobody should adopt, such as a C(*), is left out and named.
author: the Lobsterpot contributors
options:
  channels:
    description: The variable C(access_channels).
    type: raw
    default: {}
  people:
    description: The variable C(access_people).
    type: raw
    default: {}
  found:
    description: The result C(channels) of M(gateway_pairing_info).
    type: dict
    default: {}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
seealso:
  - module: gateway_allowlist
  - module: gateway_pairing_info
"""

EXAMPLES = r"""
- name: Access | Resolve people to senders
  access_inventory:
    channels:
      telegram:
        accounts:
          default:
            allow: [ada, "987654321"]
    people:
      ada:
        telegram: "123456789"
        discord: "42"
  delegate_to: localhost
  become: false
"""

RETURN = r"""
lists:
  description: The allowlists that are asked for, with C(channel), C(account) and C(entries).
  returned: always
  type: list
  elements: dict
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
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.people import adopt, resolve

ARGUMENT_SPEC = {
    "channels": {"type": "raw", "default": {}},
    "people": {"type": "raw", "default": {}},
    "found": {"type": "dict", "default": {}},
}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        lists = resolve(module.params["channels"], module.params["people"])
        module.exit_json(changed=False, lists=lists, **adopt(module.params["found"]))
    except LobsterpotError as error:
        module.fail_json(msg=f"{error} Nothing was changed.")


if __name__ == "__main__":
    main()
