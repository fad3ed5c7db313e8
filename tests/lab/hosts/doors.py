"""How a command gets into a host."""

from __future__ import annotations

import json

from tests.lab import limits
from tests.lab.network.bridge import LAPTOP, netns
from tests.lab.shell import STATE, VMS, WAIT_UNTIL, run


def is_machine(name: str) -> bool:
    """Whether a host is a virtual machine on the laptop, and no container."""
    return (VMS / name).exists()


def door(name: str) -> list[str]:
    """The beginning of a command line that runs a command in the host as root: a container's own door, a virtual machine's SSH."""
    if not is_machine(name):
        return ["podman", "exec", "-i", f"lp-{name}"]
    home = VMS / name
    port = json.loads((home / "machine.json").read_text())["port"]
    options = [
        f"UserKnownHostsFile={home}/known_hosts",
        f"HostKeyAlias={name}",
        "IdentitiesOnly=yes",
        "LogLevel=ERROR",
        f"ConnectTimeout={limits.LOGIN}",
    ]
    options += ["ControlMaster=auto", f"ControlPath={STATE}/ssh-{name}", "ControlPersist=60"]
    ssh = ["ssh", "-F", "none", "-i", f"{home}/id_ed25519", "-p", str(port), *(part for option in options for part in ("-o", option))]
    return netns(LAPTOP, *ssh, "lobsterpot@127.0.0.1", "sudo")


def inside(name: str, script: str, *, check: bool = True) -> str:
    """Run a shell script in the host as root, by its own door. It can use WAIT_UNTIL's function."""
    return run(*door(name), "bash", "-euo", "pipefail", "-s", check=check, text_in=WAIT_UNTIL + script)
