#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_pairing_info
short_description: Read who may write to the gateway, and who asks to
description:
  - Reads approved senders and pending requests of all channels and accounts, takes no lock and changes nothing. It needs no running
    gateway.
  - Names what should not be there. A C(*), a blank, an entry that cannot be seen or that Ansible would take for a template, another
    spelling than the gateway's, a sender listed twice.
  - Codes are left out. The sender has the code and tells it to the owner; that is what shows that both are who they claim to be.
  - Stores and the user it works as are those of M(gateway_allowlist).
author: the Lobsterpot contributors
options:
  state_dir:
    description: The gateway's state directory, such as C(/home/openclaw/.openclaw). It must not be a link.
    type: path
    required: true
  store:
    description: The form of store that is expected. With another one in use the module fails.
    type: str
    choices: [auto, json, sqlite]
    default: auto
  user:
    description:
      - The user that the gateway runs as, and that root works as here.
      - Left out, it is the owner of O(state_dir), unless that is root.
    type: str
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
seealso:
  - module: gateway_allowlist
  - module: gateway_pairing
"""

EXAMPLES = r"""
- name: Access | Read who may write and who asks to
  gateway_pairing_info:
    state_dir: /home/openclaw/.openclaw
  register: access_found
"""

RETURN = r"""
channels:
  description: Each channel, in it each account, in that what was found.
  returned: always
  type: dict
  sample:
    telegram:
      default:
        approved: ["123456789"]
        duplicates: []
        suspicious: []
        pending:
          - sender: "987654321"
            name: Ada
            age: 312
            last_seen: 12
            expires_in: 3288
            expired: false
suspicious:
  description: All that is suspicious, each with its channel and account.
  returned: always
  type: list
  elements: str
store:
  description: The form of store found.
  returned: always
  type: str
  sample: sqlite
where:
  description: The database, or the directory with the files.
  returned: always
  type: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import access, as_user
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.store import open_store

ARGUMENT_SPEC = {
    "state_dir": {"type": "path", "required": True},
    "store": {"type": "str", "choices": ["auto", "json", "sqlite"], "default": "auto"},
    "user": {"type": "str"},
}


def read(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    state_dir = Path(params["state_dir"])
    return as_user.run(params["user"], state_dir, lambda: access.report(open_store(state_dir, params["store"])))


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **read(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error) or repr(error))


if __name__ == "__main__":
    main()
