#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gateway_allowlist
short_description: Keep the list of approved senders of a channel
description:
  - Adds, removes or sets the senders that may write to the gateway on one channel and account. It works while the gateway runs, which
    honours the change with the next message.
  - Knows every store that the gateway has had. JSON files with a lock directory (clawdbot, early openclaw), JSON files for each account
    with a lock file (openclaw up to 2026.7.35), the database (openclaw from 2026.8.1 on). Which one it is, the store itself says.
  - Follows the gateway's own locking, so that neither loses what the other writes. A lock is held for milliseconds and waited for
    two minutes.
  - Compares senders as the gateway does. C(tg:123) and C(123) are one sender on Telegram.
  - Run by root, it works as the user who owns the store, in a process of its own that is bounded in time and memory. Links in place of the
    store's files are not followed.
author: the Lobsterpot contributors
options:
  state_dir:
    description: The gateway's state directory, such as C(/home/openclaw/.openclaw). It must not be a link.
    type: path
    required: true
  channel:
    description: The channel, in the gateway's word, such as C(telegram).
    type: str
    required: true
  account:
    description: The account of the channel. Stores of clawdbot and early openclaw have only C(default).
    type: str
    default: default
  entries:
    description:
      - Senders, in the form that the channel uses, such as the number of a Telegram user.
      - C(*), blanks, and text with characters that cannot be seen are refused.
      - An empty list with C(state=exact) leaves nobody.
    type: list
    elements: str
    required: true
  state:
    description:
      - C(present) adds those who are missing at the end of the list.
      - C(absent) removes them, in every spelling.
      - C(exact) leaves these and nobody else. It also removes a C(*), which C(present) and C(absent) only report.
    type: str
    choices: [present, absent, exact]
    default: present
  store:
    description:
      - The form of store that is expected. With another one in use the module fails instead of writing what the gateway does not read.
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
  diff_mode: {support: full}
seealso:
  - module: gateway_pairing
  - module: gateway_pairing_info
"""

EXAMPLES = r"""
- name: Access | Let two people in
  gateway_allowlist:
    state_dir: /home/openclaw/.openclaw
    channel: telegram
    entries: ["123456789", "tg:987654321"]

- name: Access | Let these and nobody else write to the bot of the account work
  gateway_allowlist:
    state_dir: /home/openclaw/.openclaw
    channel: telegram
    account: work
    entries: ["123456789"]
    state: exact
    user: openclaw
"""

RETURN = r"""
before:
  description: The list before. JSON files as the gateway reads them, the database as it is.
  returned: always
  type: list
  elements: str
after:
  description: The list after the change, or in check mode after the change that would be made.
  returned: always
  type: list
  elements: str
added:
  description: Who was added.
  returned: always
  type: list
  elements: str
removed:
  description: Who was removed.
  returned: always
  type: list
  elements: str
wildcard:
  description: Whether the list holds a C(*) all the same. In the database it lets everybody in.
  returned: always
  type: bool
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
from ansible.module_utils.lobsterpot.senders import account_name, channel_name, wanted_senders
from ansible.module_utils.lobsterpot.store import open_store

ARGUMENT_SPEC = {
    "state_dir": {"type": "path", "required": True},
    "channel": {"type": "str", "required": True},
    "account": {"type": "str", "default": "default"},
    "entries": {"type": "list", "elements": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent", "exact"], "default": "present"},
    "store": {"type": "str", "choices": ["auto", "json", "sqlite"], "default": "auto"},
    "user": {"type": "str"},
}


def ensure(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    state_dir, channel, account = Path(params["state_dir"]), channel_name(params["channel"]), account_name(params["account"])
    wanted = wanted_senders(channel, params["entries"])

    def work() -> dict[str, object]:
        store = open_store(state_dir, params["store"])
        return access.allowlist(store, channel, account, wanted, state=params["state"], check=module.check_mode)

    result = as_user.run(params["user"], state_dir, work)
    header = f"{result['where']} {channel}/{account}"
    before, after = ("".join(f"{entry}\n" for entry in result[key]) for key in ("before", "after"))
    return {**result, "diff": {"before_header": header, "after_header": header, "before": before, "after": after}}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        result = ensure(module)
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error) or repr(error))
    if result["wildcard"]:
        module.warn(
            f"The list of {module.params['channel']} in {result['where']} holds a *, which lets everybody in. state=exact removes it."
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
