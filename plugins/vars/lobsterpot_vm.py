# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to log in to the machines that the role `vm` made: every playbook and every ad-hoc command knows it, for any inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: lobsterpot_vm
short_description: Address, port, user and keys of the machines that the role vm made
description:
  - Reads the record of a machine that has a host's name (C(vm_name) where the inventory file sets it) and belongs to its inventory.
  - The records lie in the folder that C(LOBSTERPOT_VMS) names, else in C(~/.local/share/lobsterpot/vms).
options:
  stage:
    default: all
    choices: [task, inventory, all]
    description: When the records are read. All, because the first tasks of a run make the machine, and C(ansible-inventory) shall show it.
    type: str
"""

import contextlib
import json
import os
import shlex
from pathlib import Path
from typing import Any

from ansible.inventory.host import Host
from ansible.plugins.vars import BaseVarsPlugin


def folder() -> Path:
    return Path(os.environ.get("LOBSTERPOT_VMS") or Path.home() / ".local/share/lobsterpot/vms")


def connection(record: dict[str, Any], home: Path) -> dict[str, Any]:
    """Return the connection's variables for the record of a machine."""
    # Quoted twice: Ansible splits the arguments, and ssh splits a list of files.
    known = shlex.join(
        ["-o", f'UserKnownHostsFile="{home}/known_hosts"', "-o", "GlobalKnownHostsFile=/dev/null", "-o", f"HostKeyAlias={record['name']}"]
    )
    return {
        "ansible_host": record.get("address", "127.0.0.1"),
        "ansible_port": record["port"],
        "ansible_user": record["user"],
        "ansible_ssh_private_key_file": f"{home}/id_ed25519",
        "ansible_ssh_common_args": f"{known} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
    }


class VarsModule(BaseVarsPlugin):  # type: ignore[misc]  # ansible-core has no types
    REQUIRES_ENABLED = True

    def get_vars(self, loader: Any, path: str, entities: Any, cache: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Called by Ansible for each host or group and each directory of an inventory."""
        found: dict[str, Any] = {}
        for entity in entities if isinstance(entities, list) else [entities]:
            if isinstance(entity, Host):
                home = folder() / str(entity.vars.get("vm_name", entity.name))
                with contextlib.suppress(OSError, LookupError, TypeError, ValueError):  # no machine, or a record that says nothing
                    record = json.loads((home / "machine.json").read_text())
                    if record["owner"] == path:
                        found |= connection(record, home)
        return found
