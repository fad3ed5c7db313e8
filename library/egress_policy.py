#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: egress_policy
short_description: Check what the inventory opens in the wall around the gateway's user
description:
  - Runs on the controller, changes nothing and looks at nothing but its options.
  - Refuses an exception that opens a whole network, a domain that opens a whole top-level domain, and an unknown mode, with the name of the
    variable and the fix.
author: the Lobsterpot contributors
options:
  mode:
    description: The variable C(egress_mode).
    type: raw
    required: true
  exceptions:
    description: The variable C(egress_exceptions).
    type: raw
    default: []
  domains:
    description: The variable C(egress_domains).
    type: raw
    default: []
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Egress | Check what is to be open
  egress_policy:
    mode: guarded
    exceptions:
      - address: 10.0.0.5
        port: 11434
        protocol: tcp
        comment: the model in the rack
  delegate_to: localhost
  become: false
"""

RETURN = r"""
mode:
  description: The mode.
  returned: always
  type: str
exceptions:
  description: The exceptions in the words of nftables, each with C(family), C(address), C(port), C(protocol) and C(comment).
  returned: always
  type: list
  elements: dict
domains:
  description: The domains in the words of squid, a dot in front where subdomains are meant too.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.egress import policy
from ansible.module_utils.lobsterpot.errors import LobsterpotError

ARGUMENT_SPEC = {
    "mode": {"type": "raw", "required": True},
    "exceptions": {"type": "raw", "default": []},
    "domains": {"type": "raw", "default": []},
}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        wanted = policy(module.params["mode"], module.params["exceptions"], module.params["domains"])
        module.exit_json(changed=False, **wanted)
    except LobsterpotError as error:
        module.fail_json(msg=f"{error} Nothing was changed.")


if __name__ == "__main__":
    main()
