#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: multipass_vm
short_description: Make, resize, start, stop and remove a virtual machine of multipass
description:
  - Runs on the controller, as a user who may use multipass. Written to multipass' documentation and source, and tested against a double;
    it was never run with multipass itself.
  - A machine is Lobsterpot's when I(directory) holds its record. Another machine of the name is refused and not touched.
  - A machine whose making was interrupted, and one that was deleted without purging, is purged and made anew.
  - A running machine into which a folder of the host is mounted is refused, and so is the name of multipass' primary instance, into which
    multipass mounts the user's home directory.
  - Another number of CPUs, more memory or disk, or less memory, stops a running machine for a moment. I(image) and I(user_data) count when
    a machine is made, and change nothing later.
  - A suspended machine that shall stop is powered off, and so is one in an unknown state; multipass has no gentler way for them.
author: the Lobsterpot contributors
options:
  name:
    description: Name of the machine. Letters, digits and hyphens, a letter first.
    type: str
    required: true
  directory:
    description: Directory of this one machine, for its record C(machine.json). Keys of the machine in it go with the machine.
    type: path
    required: true
  state:
    description: What the machine shall be.
    type: str
    choices: [running, stopped, absent]
    default: running
  cpus:
    description: Number of CPUs.
    type: int
    default: 2
  memory:
    description: Memory, as a number with K, M, G or T. At least 512M.
    type: str
    default: 4G
  disk:
    description:
      - Disk, as a number with K, M, G or T. At least 1G. It can grow; less than it has is refused.
      - multipass tells sizes with one decimal. A difference that does not show in that is none.
    type: str
    default: 20G
  image:
    description: Image as multipass names it. See C(multipass find).
    type: str
    default: "24.04"
  user_data:
    description: Configuration for cloud-init, as YAML. It reaches multipass by its standard input. Empty means multipass' own alone.
    type: str
    default: ""
  timeout:
    description: How many seconds a launch, with the download of the image, or a start may take.
    type: int
    default: 600
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
"""

EXAMPLES = r"""
- name: VM | Make the machine
  multipass_vm:
    name: lobsterpot
    directory: ~/.local/share/lobsterpot/vms/lobsterpot
    user_data: "{{ lookup('template', 'user-data.j2') }}"
"""

RETURN = r"""
vm:
  description: The machine. I(address) is null unless it runs; I(memory) and I(disk) are in bytes, null with I(cpus) for one that is absent.
  returned: success
  type: dict
  sample: {name: lobsterpot, provider: multipass, state: running, address: 10.97.0.76, port: 22, cpus: 2, memory: 4294967296,
    disk: 21474836480}
"""

import contextlib
import ipaddress
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.vm import UNITS, Plan, Size, check_name, parse_size, plan

ARGUMENT_SPEC = {
    "name": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["running", "stopped", "absent"], "default": "running"},
    "cpus": {"type": "int", "default": 2},
    "memory": {"type": "str", "default": "4G"},
    "disk": {"type": "str", "default": "20G"},
    "image": {"type": "str", "default": "24.04"},
    "user_data": {"type": "str", "default": "", "no_log": True},
    "timeout": {"type": "int", "default": 600},
}

RECORD = "machine.json"
LINE = 16  # characters from which a line of user_data may be a part of a key
KEYS = ("host_key", "host_key.pub", "id_ed25519", "id_ed25519.pub", "known_hosts")
PLACES = ["/snap/bin", "/usr/local/bin"]  # a login without a terminal often lacks the first in its PATH
LEAST = Size(1, 512 * 2**20, 2**30)  # canonical/multipass, include/multipass/constants.h

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
    ("imed out waiting", "Raise timeout if the network or the machine is slow; `multipass shell` shows what it waits for."),
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


class Multipass:
    """multipass' command line, for one machine. Source: docs/reference/command-line-interface/*.md of canonical/multipass."""

    def __init__(self, module: AnsibleModule, wanted: Size) -> None:
        self.module, self.wanted, self.name = module, wanted, module.params["name"]
        self.binary = module.get_bin_path("multipass", opt_dirs=PLACES)
        if not self.binary:
            raise LobsterpotError("multipass is not installed here. Install it (on Ubuntu: sudo snap install multipass), or choose qemu.")

    def call(self, *arguments: str, data: str | None = None) -> str:
        code, out, err = self.module.run_command([self.binary, *arguments], data=data, environ_update={"LC_ALL": "C"})
        if code:
            words = (err.strip() or out.strip() or f"exit code {code}")[-1000:]
            way_out = next((way for sign, way in WAYS_OUT if sign in words), "")
            raise LobsterpotError(f"{self.name}: multipass refused to {arguments[0]}: {words}\n{way_out}".rstrip())
        return out

    def do(self, command: str) -> None:
        options = ["--timeout", str(self.module.params["timeout"])] if command == "start" else []
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

    def size(self) -> Size:
        """The sizes, from the settings: `info` has none of a stopped machine. Source: docs/reference/settings/local-instance-name-*.md."""
        cpus, memory, disk = (self.call("get", f"local.{self.name}.{key}").strip() for key in ("cpus", "memory", "disk"))
        if not cpus.isdecimal():
            raise LobsterpotError(f"{self.name}: multipass says that it has {cpus!r} CPUs, which cannot be understood.")
        return Size(int(cpus), meant(memory, self.wanted.memory), meant(disk, self.wanted.disk))

    def state(self) -> str:
        try:
            found = self.find()
        except LobsterpotError:
            return "What state it is in is not known."
        return f"Its state is: {found.state}." if found else "There is no machine of this name."


class Record:
    """Says that a machine is ours. Without an image hash, its making was begun and did not end."""

    def __init__(self, directory: str, name: str) -> None:
        self.path, self.mine = Path(directory) / RECORD, {"provider": "multipass", "name": name}
        try:
            self.content: dict[str, Any] = dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            self.content = {}
        except (ValueError, TypeError) as error:
            raise LobsterpotError(f"{self.path} is damaged ({error}). If the machine {name} is yours, remove both.") from error
        if self.content and self.content | self.mine != self.content:
            raise LobsterpotError(f"{self.path} is the record of another machine. Give each machine a directory of its own.")

    def write(self, image_hash: str | None) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self.path.with_name(f"{RECORD}.new")
        new.write_text(json.dumps(self.mine | {"image_hash": image_hash}, indent=2) + "\n")
        new.replace(self.path)

    def remove(self, *others: str) -> None:
        """Remove the record last, and the directory if nothing of anybody else is in it."""
        for name in (*others, f"{RECORD}.new", RECORD):
            self.path.with_name(name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()


def refuse(multipass: Multipass, record: Record, found: Found | None, state: str) -> None:
    """Refuse what is not ours, what multipass cannot change now, and what would show the host to the guest."""
    name, image_hash = multipass.name, record.content.get("image_hash")
    if found and (not record.content or image_hash not in (None, found.image_hash)):
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


def launch(multipass: Multipass, record: Record) -> None:
    """Make the machine. The record comes first: one whose making is cut off must not look foreign."""
    params, wanted, begun = multipass.module.params, multipass.wanted, bool(record.content)
    options = [f"--cpus={wanted.cpus}", f"--memory={wanted.memory}", f"--disk={wanted.disk}", f"--timeout={params['timeout']}"]
    secret = ["--cloud-init", "-"] if params["user_data"] else []
    record.write(None)
    try:
        multipass.call("launch", params["image"], "--name", multipass.name, *options, *secret, data=params["user_data"] or None)
    except LobsterpotError as error:
        # What was there is somebody else's. What is not there was not made, except after a timeout: then multipass may go on.
        if "already exists" in str(error) or not (begun or "imed out" in str(error) or multipass.find()):
            record.remove()
        raise
    made = multipass.find()
    record.write(made.image_hash if made else None)
    if params["state"] == "stopped":
        multipass.do("stop")


def change(multipass: Multipass, record: Record, found: Found | None, size: Size | None) -> None:
    """Carry the plan out. `size` is what a whole machine of ours has."""
    state = multipass.module.params["state"]
    if found and size and state != "absent":
        for command in commands(multipass.name, found.state, size, state, multipass.wanted):
            multipass.do(command)
        return
    if found:
        multipass.do("delete --purge")
    if state == "absent":
        record.remove(*KEYS)
    else:
        launch(multipass, record)


def wanted_size(params: dict[str, Any]) -> Size:
    wanted = Size(params["cpus"], parse_size("memory", params["memory"]), parse_size("disk", params["disk"]))
    for key, least in asdict(LEAST).items():
        if asdict(wanted)[key] < least:
            raise LobsterpotError(
                f"{key}: {params[key]} is too little; multipass asks for {least if key == 'cpus' else f'{least // 2**20}M'} or more."
            )
    return wanted


def ensure(module: AnsibleModule) -> dict[str, object]:
    params, name, state = module.params, module.params["name"], module.params["state"]
    check_name(name)
    if params["image"].startswith("-"):
        raise LobsterpotError(f"image: {params['image']!r} is no image; multipass would read an option.")
    wanted = wanted_size(params)
    multipass, record = Multipass(module, wanted), Record(params["directory"], name)
    found = multipass.find()
    refuse(multipass, record, found, state)
    size = multipass.size() if found and found.state != "Deleted" and record.content.get("image_hash") else None
    planned = plan(state, size, found.state.lower() if found else "", wanted)
    if record.content and not size:
        planned = Plan({"state": "deleted" if found and found.state == "Deleted" else "half-made"}, planned.after)
    if planned.changed and not module.check_mode:
        try:
            change(multipass, record, found, size)
        except LobsterpotError as error:
            raise LobsterpotError(f"{error}\n{multipass.state()}") from error
        found = multipass.find()
        record = Record(params["directory"], name)
        refuse(multipass, record, found, state)
    address = found.address if found and found.state == "Running" and state == "running" else None
    if (
        state != "absent"
        and not module.check_mode
        and (found is None or found.state.lower() != state or (state == "running") != bool(address))
    ):
        raise LobsterpotError(f"{name}: multipass says that it is {state} now, but it is not, or has no address. {multipass.state()}")
    has: dict[str, object] = asdict(wanted) if state != "absent" else dict.fromkeys(asdict(wanted))
    vm = {"name": name, "provider": "multipass", "state": state, "address": address, "port": 22, **has}
    return {"changed": planned.changed, "diff": planned.diff(), "vm": vm}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o077)
    # Ansible hides the whole of it; an error of multipass could repeat one line, and that line could be a key's.
    module.no_log_values.update(line for line in map(str.strip, module.params["user_data"].splitlines()) if len(line) >= LINE)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
