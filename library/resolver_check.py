#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: resolver_check
short_description: Show that a user's questions reach the host's resolvers
description:
  - Changes nothing. Asks each resolver of C(/etc/resolv.conf), as the user, for the name servers of the root. Any answer counts,
    a refusal too.
  - Fails when none answers, with what each of them gave.
author: the Lobsterpot contributors
options:
  user:
    description: The user who asks.
    type: str
    required: true
  seconds:
    description: How many seconds each resolver may take for an answer. It is asked three times.
    type: float
    default: 15
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Egress | See that names still resolve
  resolver_check:
    user: openclaw
"""

RETURN = r"""
answers:
  description: Each resolver with C(answered), or why it did not.
  returned: always
  type: dict
"""

import pwd
import subprocess
import sys
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import limits
from ansible.module_utils.lobsterpot.host import parse_resolvers

ARGUMENT_SPEC = {"user": {"type": "str", "required": True}, "seconds": {"type": "float", "default": limits.RESOLVER_ANSWER}}
RESOLV_CONF = Path("/etc/resolv.conf")

# RFC 1035: one question, for the NS records of the root, by UDP.
ASK = """
import socket, sys
server, seconds, tries = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
address = socket.getaddrinfo(server, 53, type=socket.SOCK_DGRAM)[0]
asked = socket.socket(*address[:3])
asked.settimeout(seconds)
for attempt in range(1, tries + 1):
    try:
        asked.connect(address[4])
        asked.send(bytes.fromhex("4c50010000010000000000000000020001"))
        asked.recv(512)
        break
    except TimeoutError:
        if attempt == tries:
            sys.exit(f"it is silent, asked {tries} times within {tries * seconds:.0f} s")
    except OSError as error:
        sys.exit(error.strerror or str(error))
"""


def ask(server: str, user: str, seconds: float) -> str:
    """Ask one resolver as the user; `answered`, or the reason why not."""
    entry = pwd.getpwnam(user)
    command = [sys.executable, "-I", "-c", ASK, server, str(seconds), str(limits.RESOLVER_TRIES)]
    limit = limits.RESOLVER_TRIES * seconds + limits.INTERPRETER
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=limit, cwd="/",
            user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return limits.waited(limit, "the question had ended").removesuffix(".")
    return "answered" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason given"])[-1]


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    try:
        servers = parse_resolvers(RESOLV_CONF.read_text(errors="replace"))
        answers = {server: ask(server, module.params["user"], module.params["seconds"]) for server in servers}
    except (OSError, KeyError) as error:
        module.fail_json(msg=str(error), answers={})
    if "answered" not in answers.values():
        found = "; ".join(f"{server}: {said}" for server, said in answers.items()) or "/etc/resolv.conf names none"
        module.fail_json(msg=f"No resolver answers {module.params['user']} ({found}).", answers=answers)
    module.exit_json(changed=False, answers=answers)


if __name__ == "__main__":
    main()
