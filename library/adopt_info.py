#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt_info
short_description: Find the gateway that somebody set up by hand on a host
description:
  - Looks in each user's home for the state of OpenClaw, Moltbot or Clawdbot, and describes the one install that can be adopted; changes
    nothing.
  - Of secrets it tells where they lie, never what they are.
  - Works in each home as its owner, in a process of its own that is bounded in time and memory. A link in place of a state directory is
    not followed.
  - An adoption that was begun and not finished is described by its record, not by what is left.
author: the Lobsterpot contributors
options:
  user:
    description: The user whose gateway is meant. Empty where only one user has one.
    type: str
    default: ""
  gateway_user:
    description: The user that this project's gateway runs as.
    type: str
    required: true
  gateway_state:
    description: The state directory of this project's gateway.
    type: path
    required: true
  managed:
    description: Whether this project's gateway is installed, so that the state in its own user's home is its own.
    type: bool
    required: true
  record:
    description: File of root's with what an adoption has begun.
    type: path
    required: true
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Adopt | See what is there
  adopt_info:
    gateway_user: openclaw
    gateway_state: /home/openclaw/.openclaw
    managed: false
    record: /var/backups/lobsterpot/adoption.json
  register: adoption
"""

RETURN = r"""
install:
  description: The install that can be adopted; empty when there is none.
  returned: always
  type: dict
  contains:
    user: {description: Whose it is., type: str}
    uid: {description: Number of the user., type: int}
    product: {description: openclaw, moltbot or clawdbot., type: str}
    version: {description: Version of the package; empty when none was found., type: str}
    state_dir: {description: Its state directory., type: str}
    channels: {description: Channels that its configuration has switched on., type: list}
    lists: {description: "Approved senders, with C(channel), C(account) and C(entries).", type: list}
    left_out: {description: Entries that nobody should approve, with the reason., type: list}
    pending: {description: "Pairing requests, with C(channel), C(account) and C(sender).", type: list}
    secrets: {description: Where secrets lie in clear., type: list}
    units: {description: Units of the user that run it., type: list}
    home: {description: Home of the user., type: str}
    groups: {description: Further groups of the user., type: list}
    docker: {description: Whether the user is in the group docker., type: bool}
    linger: {description: Whether the user's units run with nobody logged in., type: bool}
    parts: {description: "What is taken over, with its name in the new state directory.", type: dict}
    remove: {description: What is removed when all else is done., type: list}
    packages: {description: "Installed packages of it, with their versions.", type: dict}
    megabytes: {description: Size of state and workspaces in MiB., type: int}
begun:
  description: The record of an adoption that was begun, with C(archive) and C(taken); empty without one.
  returned: always
  type: dict
"""

import grp
import json
import os
import pwd
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import adopt, as_user
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.folder import Folder

ARGUMENT_SPEC = {
    "user": {"type": "str", "default": ""},
    "gateway_user": {"type": "str", "required": True},
    "gateway_state": {"type": "path", "required": True},
    "managed": {"type": "bool", "required": True},
    "record": {"type": "path", "required": True},
}
SYSTEM_UNITS = Path("/etc/systemd/system")
LINGER = Path("/var/lib/systemd/linger")


def states(entry: pwd.struct_passwd) -> list[str]:
    """The products whose state lies in a home. Root looks at names only; what is in a directory, its owner sees."""
    home = Path(entry.pw_dir)
    names = [product for product in adopt.PRODUCTS if (home / f".{product}").is_dir() and not (home / f".{product}").is_symlink()]

    def telling() -> dict[str, object]:
        folder = Folder.open(home)
        return {"found": [name for name in names if (state := folder.enter(f".{name}")) and adopt.is_install(state)]}

    return list(as_user.run(entry.pw_name, home, telling)["found"]) if names else []


def stray(uid: int) -> list[int]:
    """Processes of a user's gateway that none of its units runs."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid == uid:
                words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
                found[int(path.name)] = (words, (path / "cgroup").read_text())
        except OSError:  # it has ended
            continue
    return adopt.stray(found)


def find(module: AnsibleModule) -> dict[str, object]:
    """Return the one install that is meant, nothing when there is none. Raises LobsterpotError for what cannot be adopted."""
    params = module.params
    entries = {entry.pw_name: entry for entry in pwd.getpwall()}
    wanted = params["user"]
    if wanted and wanted not in entries:
        raise LobsterpotError(f"adopt_user: there is no user {wanted} on this host. Nothing was changed.")
    found = {name: products for name, entry in entries.items() if (products := states(entry))}
    if params["managed"]:
        found.pop(params["gateway_user"], None)
    places = ", ".join(f"{entries[name].pw_dir}/.{product} ({name})" for name, products in found.items() for product in products)
    if wanted and wanted not in found:
        raise LobsterpotError(
            f"adopt_user: {wanted} has no gateway in {entries[wanted].pw_dir}. Found: {places or 'none'}. Nothing was changed."
        )
    if not found:
        return {}
    if len(found) > 1 and not wanted:
        raise LobsterpotError(f"There is more than one gateway: {places}. Name the user: -e adopt_user=NAME. Nothing was changed.")
    user = wanted or next(iter(found))
    if len(found[user]) > 1:
        raise LobsterpotError(
            f"{user} has the state of more than one gateway: {places}. Move away what is not in use. Nothing was changed."
        )
    if user == params["gateway_user"]:
        raise LobsterpotError(
            f"account_user: {user} runs the gateway that was made by hand, and loses its login. Set account_user to a name that no "
            "user has. Nothing was changed."
        )
    if os.path.lexists(params["gateway_state"]):
        raise LobsterpotError(
            f"{params['gateway_state']} is there: the new gateway has a state already, which is never overwritten. "
            "Move it away if it is of no use. Nothing was changed."
        )
    entry = entries[user]
    product = found[user][0]
    home = Path(entry.pw_dir)
    described = as_user.run(user, home, lambda: adopt.install(home, product))
    for path in SYSTEM_UNITS.glob("*.service"):
        if not params["managed"] and path.name.startswith(adopt.PRODUCTS) and path.is_file():
            raise LobsterpotError(f"{path} runs a gateway too: disable and remove it, then run this again. Nothing was changed.")
    if pids := stray(entry.pw_uid):
        raise LobsterpotError(f"A gateway of {user} runs outside of its units (process {pids[0]}): stop it. Nothing was changed.")
    groups = [group.gr_name for group in grp.getgrall() if user in group.gr_mem]
    return {
        **described,
        "user": user,
        "uid": entry.pw_uid,
        "docker": "docker" in groups,
        "groups": sorted(groups),
        "linger": (LINGER / user).exists(),
    }


def read(module: AnsibleModule) -> dict[str, object]:
    record = Path(module.params["record"])
    begun = json.loads(record.read_text()) if record.exists() else {}
    return {"install": begun or find(module), "begun": begun}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **read(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
