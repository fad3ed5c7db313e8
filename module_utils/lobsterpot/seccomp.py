# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The distribution's list of system calls for containers, without those that make namespaces and mounts.

Root in a user namespace of its own reaches much more of the kernel than a sandbox needs, and the distribution lets everybody make one.
The format is that of containers/common, pkg/seccomp.
"""

from __future__ import annotations

import json
from typing import Any

from .errors import LobsterpotError

CLOSED = frozenset(
    (
        *("unshare", "setns", "clone", "clone3"),
        *("mount", "mount_setattr", "move_mount", "open_tree", "pivot_root", "umount", "umount2"),
        *("fsconfig", "fsmount", "fsopen", "fspick"),
    )
)
# All flags of namespaces, CLONE_NEW* of linux/sched.h.
NAMESPACES = 0x7E020000
# Processes need `clone` without these flags. The flags of `clone3` cannot be seen: it is answered with "not implemented", and programs use
# the other.
PLAIN_CLONE = {
    "names": ["clone"],
    "action": "SCMP_ACT_ALLOW",
    "args": [{"index": 0, "value": NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
}


def narrowed(text: str) -> str:
    """Return the profile to use, as JSON. Raises LobsterpotError when the text is no such profile."""
    try:
        profile: dict[str, Any] = json.loads(text)
        rules = [{**rule, "names": [name for name in rule["names"] if name not in CLOSED]} for rule in profile["syscalls"]]
    except (ValueError, TypeError, LookupError) as error:
        raise LobsterpotError(f"is no list of system calls for containers: {error}") from error
    profile["syscalls"] = [PLAIN_CLONE, *(rule for rule in rules if rule["names"])]
    return json.dumps(profile, indent=2, sort_keys=True) + "\n"
