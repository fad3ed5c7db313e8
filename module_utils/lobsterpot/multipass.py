# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""multipass' command line and what it says, for one machine.

Written to its documentation and source (github.com/canonical/multipass), and tested against a double; never run with multipass itself.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .errors import LobsterpotError
from .vm import UNITS, Size, parse_size

PLACES = ["/snap/bin", "/usr/local/bin"]  # a login without a terminal often lacks the first in its PATH
LEAST = Size(1, 512 * 2**20, 2**30)  # include/multipass/constants.h
SSH_PORT = 22

# How each state (names: src/client/cli/formatter/format_utils.cpp; meaning: docs/reference/instance-states.md of canonical/multipass)
# becomes Running or Stopped. `start` waits for a machine that starts already; a machine that starts cannot be stopped (daemon.cpp,
# base_virtual_machine.cpp). Suspending and Unavailable are not here: multipass can do nothing with them.
TO_RUNNING = {
    "Running": [],
    "Stopped": ["start"],
    "Suspended": ["start"],
    "Starting": ["start"],
    "Restarting": ["start"],
    "Delayed Shutdown": ["stop --cancel"],
    "Unknown": ["stop --force", "start"],
}
TO_STOPPED = {
    "Running": ["stop"],
    "Stopped": [],
    "Suspended": ["stop --force"],
    "Starting": ["start", "stop"],
    "Restarting": ["start", "stop"],
    "Delayed Shutdown": ["stop"],
    "Unknown": ["stop --force"],
}

# Words of multipass (dispatch_rpc.h, daemon_rpc.cpp, daemon.cpp, image_vault_exceptions.h and cmd/launch.cpp of canonical/multipass).
WAYS_OUT = (
    ("cannot connect to the multipass socket", "Start its daemon (on Linux: sudo snap start multipass) and run again."),
    ("multipass socket access denied", "Run as a user of the group that owns the socket, on Ubuntu sudo."),
    ("not authenticated", "Authenticate this user once with `multipass authenticate`."),
    ("imed out waiting", "Raise vm_timeout if the network or the machine is slow; `multipass shell` shows what it waits for."),
    ("Unable to find an image", "Set image to a name that `multipass find` lists."),
    ("Available disk", "Free space where multipass keeps its machines."),
    ("Requested disk", "Set disk to at least what the image needs."),
    ("already exists", "Somebody made a machine of this name meanwhile; choose another name."),
    ("is being prepared", "multipass is still making it since an earlier run: wait for it, and run again."),
    ("Could not load cloud-init configuration", "user_data must be YAML."),
)


@dataclass(frozen=True)
class Found:
    """A machine that is there: `state` in multipass' words, folders of the host that are mounted in it."""

    state: str
    address: str | None
    image_hash: str
    mounts: list[str]


def meant(shown: str, wanted: int) -> int:
    """Bytes of a size that multipass prints, such as 20.0GiB; those that are wanted when they print the same.

    Format: one decimal and KiB, MiB or GiB. Source: MemorySize::human_readable, src/utils/memory_size.cpp of canonical/multipass.
    """
    size = parse_size("multipass get", shown)
    return wanted if abs(size - wanted) < 0.051 * UNITS.get(shown[-3:-2], 1) else size


def first_address(claims: list[str]) -> str | None:
    """The first IPv4 address. All but the first are what the guest says of itself, and end in the inventory: nothing else passes."""
    for claim in claims:
        with contextlib.suppress(ValueError):
            return str(ipaddress.IPv4Address(claim))
    return None


def commands(name: str, found_state: str, have: Size, state: str, wanted: Size) -> list[str]:
    """What turns a machine into the wanted one. Settings need a stopped one: src/daemon/instance_settings_handler.cpp."""
    before = asdict(have)
    settings = [f"set local.{name}.{key}={value}" for key, value in asdict(wanted).items() if value != before[key]]
    if not settings:
        return TO_RUNNING[found_state] if state == "running" else TO_STOPPED[found_state]
    if state == "stopped":
        return [*TO_STOPPED[found_state], *settings]
    # Resumed first: powered off, it would lose what it had not written yet.
    return [*(["start", "stop"] if found_state == "Suspended" else TO_STOPPED[found_state]), *settings, "start"]


def wanted_size(given: Mapping[str, Any]) -> Size:
    """The size of the options `cpus`, `memory` and `disk`. Raises LobsterpotError for what multipass would not make."""
    wanted = Size(given["cpus"], parse_size("vm_memory", given["memory"]), parse_size("vm_disk", given["disk"]))
    for key, least in asdict(LEAST).items():
        if asdict(wanted)[key] < least:
            words = least if key == "cpus" else f"{least // 2**20}M"
            raise LobsterpotError(f"vm_{key}: {given[key]} is too little; multipass asks for {words} or more.")
    return wanted


class Multipass:
    """multipass' command line, for one machine. Source: docs/reference/command-line-interface/*.md of canonical/multipass."""

    def __init__(self, module: AnsibleModule, name: str) -> None:
        self.module, self.name = module, name
        self.binary = module.get_bin_path("multipass", opt_dirs=PLACES)
        if not self.binary:
            raise LobsterpotError("multipass is not installed here. Install it (on Ubuntu: sudo snap install multipass), or choose qemu.")

    def call(self, *arguments: str, data: str | None = None) -> str:
        code, out, err = self.module.run_command([self.binary, *arguments], data=data, environ_update={"LC_ALL": "C"})
        if code:
            words = (err.strip() or out.strip() or f"exit code {code}")[-1000:]
            way_out = next((way for sign, way in WAYS_OUT if sign in words), "")
            limit = re.search(r"--timeout[= ](\d+)", " ".join(arguments)) if "imed out waiting" in words else None
            how_long = f" (vm_timeout: {limit[1]} s)" if limit else ""
            raise LobsterpotError(f"{self.name}: multipass refused to {arguments[0]}: {words}{how_long}\n{way_out}".rstrip())
        return out

    def do(self, command: str, timeout: int) -> None:
        options = ["--timeout", str(timeout)] if command == "start" else []
        self.call(*command.split(), *options, *([] if command.startswith("set ") else [self.name]))

    def find(self) -> Found | None:
        """The machine that is there.

        Format: src/client/cli/formatter/json_formatter.cpp and tests/unit/test_data/formatters/json/single_instance_info_reply.json. That
        there is none is an error, with the text of src/daemon/daemon.cpp.
        """
        try:
            answer = self.call("info", self.name, "--format", "json")
        except LobsterpotError as error:
            if f'instance "{self.name}" does not exist' in str(error):
                return None
            raise
        try:
            info: dict[str, Any] = json.loads(answer)["info"][self.name]
            return Found(info["state"], first_address(info["ipv4"]), info["image_hash"], sorted(info["mounts"]))
        except (ValueError, KeyError, TypeError) as error:
            raise LobsterpotError(f"{self.name}: what multipass says of it cannot be understood ({error!r}). Is it very old?") from error

    def size(self, wanted: Size) -> Size:
        """The sizes, from the settings: `info` has none of a stopped machine. Source: docs/reference/settings/local-instance-name-*.md."""
        cpus, memory, disk = (self.call("get", f"local.{self.name}.{key}").strip() for key in ("cpus", "memory", "disk"))
        if not cpus.isdecimal():
            raise LobsterpotError(f"{self.name}: multipass says that it has {cpus!r} CPUs, which cannot be understood.")
        return Size(int(cpus), meant(memory, wanted.memory), meant(disk, wanted.disk))

    def state(self) -> str:
        try:
            found = self.find()
        except LobsterpotError:
            return "What state it is in is not known."
        return f"Its state is: {found.state}." if found else "There is no machine of this name."


def refuse(multipass: Multipass, record: Mapping[str, Any], found: Found | None, state: str) -> None:
    """Refuse what is not ours, what multipass cannot change now, and what would show the host to the guest."""
    name, image_hash = multipass.name, record.get("image_hash")
    if found and (not record or image_hash not in (None, found.image_hash)):
        raise LobsterpotError(
            f"{name}: the name is taken by a foreign VM ({found.state}); Lobsterpot did not make it and leaves it alone. "
            f"Choose another name, or remove it yourself: multipass delete --purge {name}"
        )
    if state == "absent":
        return
    if found and image_hash and found.state != "Deleted":
        if found.state not in TO_RUNNING:
            raise LobsterpotError(
                f"{name}: its state is {found.state}, and multipass can do nothing with it now. Wait for another, and run again."
            )
        if found.mounts and state == "running":
            raise LobsterpotError(
                f"{name}: the host's folders are mounted in it at {', '.join(found.mounts)}. Take them out: multipass umount {name}"
            )
    elif multipass.call("get", "client.primary-name").strip() == name:
        raise LobsterpotError(
            f"{name}: multipass mounts your home directory into the machine of this name. "
            "Choose another name, or end that: multipass set client.primary-name="
        )
