#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_pairing
short_description: Approve or dismiss a pairing request
description:
  - An unknown sender gets a code from the bot and tells it to the owner. With it the owner approves the request here, or dismisses it. The
    gateway honours that with the next message.
  - Approving moves the sender from the requests to the list of approved senders of the request's account. It makes nobody a command
    owner and changes no configuration, as the gateway's own command does when no owner is set.
  - Stores, locking and the user it works as are those of M(gateway_allowlist).
  - The code appears in no result, error or log.
author: the Lobsterpot contributors
options:
  state_dir:
    description: The gateway's state directory, such as C(/home/openclaw/.openclaw). It must not be a link.
    type: path
    required: true
  code:
    description: The code that the sender was given. Case does not matter. It is valid for an hour.
    type: str
  sender:
    description: The sender, instead of a code. Whoever approves by sender must know that the sender is who it claims to be.
    type: str
  channel:
    description: The channel. Left out, the requests of all channels are searched. With O(sender) it is required.
    type: str
  account:
    description: The account of the channel. Left out, the requests of all accounts are searched.
    type: str
  state:
    description:
      - C(approved) lets the sender in. For a sender who is approved already and has no request, nothing changes.
      - C(dismissed) removes the request. The sender may ask again. For a sender without a request, nothing changes.
      - A code without a request, or with one that has expired, is an error that says which.
    type: str
    choices: [approved, dismissed]
    default: approved
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
  - module: gateway_pairing_info
"""

EXAMPLES = r"""
- name: Access | Approve the request with this code, whatever its channel
  gateway_pairing:
    state_dir: /home/openclaw/.openclaw
    code: "{{ approve }}"

- name: Access | Send somebody away
  gateway_pairing:
    state_dir: /home/openclaw/.openclaw
    channel: telegram
    sender: "123456789"
    state: dismissed
"""

RETURN = r"""
channel:
  description: The channel of the request.
  returned: always
  type: str
account:
  description: The account of the request.
  returned: always
  type: str
sender:
  description: The sender, in the form in which the gateway stores it.
  returned: always
  type: str
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
from ansible.module_utils.lobsterpot.pairing import normal_code
from ansible.module_utils.lobsterpot.senders import account_name, channel_name, wanted_senders
from ansible.module_utils.lobsterpot.store import open_store

ARGUMENT_SPEC = {
    "state_dir": {"type": "path", "required": True},
    "code": {"type": "str", "no_log": True},
    "sender": {"type": "str"},
    "channel": {"type": "str"},
    "account": {"type": "str"},
    "state": {"type": "str", "choices": ["approved", "dismissed"], "default": "approved"},
    "store": {"type": "str", "choices": ["auto", "json", "sqlite"], "default": "auto"},
    "user": {"type": "str"},
}
RULES = {"mutually_exclusive": [("code", "sender")], "required_one_of": [("code", "sender")], "required_by": {"sender": ("channel",)}}


def ensure(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    state_dir = Path(params["state_dir"])
    channel = channel_name(params["channel"]) if params["channel"] is not None else None
    account = account_name(params["account"]) if params["account"] is not None else None
    code = normal_code(params["code"]) if params["code"] is not None else None
    sender = wanted_senders(channel, [params["sender"]])[0] if channel and params["sender"] is not None else None

    def work() -> dict[str, object]:
        store = open_store(state_dir, params["store"])
        approve, check = params["state"] == "approved", module.check_mode
        return access.pairing(store, channel, account, code=code, sender=sender, approve=approve, check=check)

    return as_user.run(params["user"], state_dir, work)


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True, **RULES)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error) or repr(error))


if __name__ == "__main__":
    main()
