# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a virtual machine shall be, and what to do about the one that is there. Pure: the providers do the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from ansible.module_utils.lobsterpot.errors import LobsterpotError

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass(frozen=True)
class Size:
    """Processors; memory and disk in bytes."""

    cpus: int
    memory: int
    disk: int


@dataclass(frozen=True)
class Plan:
    """What is there and what shall be. `None` is a machine that does not exist."""

    before: dict[str, object] | None
    after: dict[str, object] | None

    @property
    def changed(self) -> bool:
        return self.before != self.after

    def also(self, before: dict[str, object], after: dict[str, object]) -> Plan:
        """Return this plan with what else of a machine that exists becomes another, of these."""
        other = [key for key in after if before.get(key) != after[key]]
        found, wanted = self.before or {}, self.after or {}
        return Plan(found | {key: before.get(key) for key in other}, wanted | {key: after[key] for key in other})

    def diff(self) -> dict[str, str]:
        return {"before": text(self.before), "after": text(self.after)}


def text(machine: dict[str, object] | None) -> str:
    return json.dumps(machine, indent=2) + "\n" if machine else ""


def parse_size(option: str, value: str) -> int:
    """Bytes of a number with a unit, such as 4G, 512M or 1.5GiB: powers of 1024, as qemu and multipass read them."""
    match = re.fullmatch(r"(\d{1,16}(?:\.\d{1,9})?)\s*([KMGT]?)(?:iB|B)?", value.strip(), re.IGNORECASE)
    if not match:
        raise LobsterpotError(f"{option}: {value!r} is not a size. Write a number and a unit, such as 4G or 512M.")
    return int(float(match[1]) * UNITS[match[2].upper()])


def check_name(name: str) -> None:
    """A name that is a file's, a host's and multipass's: letters, digits and hyphens, a letter first, 63 at most."""
    if not re.fullmatch(r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", name):
        raise LobsterpotError(f"name: {name!r} cannot name a virtual machine. Use letters, digits and hyphens, a letter first, 63 at most.")


def check_owner(provider: str, name: str, owner: str, path: str, *, record: Mapping[str, object], foreign: Sequence[str]) -> None:
    """Refuse a name that another machine has, or a folder that is not a machine's. `foreign`: files in it that no machine has."""
    if record.get("provider", provider) != provider:
        whose = f"belongs to a machine of {record['provider']}"
    elif record.get("owner", owner) != owner:
        whose = f"belongs to the inventory {record['owner']}"
    elif record.get("name", name) != name:
        whose = f"is taken: {path} belongs to the machine {record['name']}"
    elif foreign and not record:
        whose = f"is taken: {path} holds {', '.join(foreign[:3])}"
    else:
        return
    raise LobsterpotError(f"The name {name} {whose}. Set vm_name to another one.")


def plan(state: str, found: Size | None, found_state: str, wanted: Size) -> Plan:
    """Decide what becomes of a machine: made, removed, started, stopped, given other sizes. A disk grows, and never shrinks."""
    before = {"state": found_state} | asdict(found) if found else None
    if state == "absent":
        return Plan(before, None)
    if found and wanted.disk < found.disk:
        raise LobsterpotError(
            f"disk: the machine's disk has {found.disk // 2**20} MiB, and making it smaller ({wanted.disk // 2**20} MiB) "
            "would destroy what is on it. Give it at least what it has, or remove the machine first."
        )
    return Plan(before, {"state": state} | asdict(wanted))
