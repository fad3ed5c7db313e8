"""The lab's bridge, and who hangs on it: hosts, the neighbour from which the tests attack, and the laptop that makes virtual machines."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.lab.shell import VMS, quiet, run

BRIDGE = "lp0"
NEIGHBOUR = "lp-neighbour"
LAPTOP = "lp-laptop"
LAPTOP_NUMBER = 251
IPV4 = "10.213.0."
IPV6 = "fd00:213::"
NAT_TABLE = "lobsterpot_lab"


def address(number: int) -> tuple[str, str]:
    return f"{IPV4}{number}", f"{IPV6}{number:x}"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Scenarios run side by side: one at a time looks what of the network is there, and adds what is missing."""
    with Path("/run/lock/lobsterpot-lab").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def lay_bridge() -> None:
    """One bridge, one neighbour, and a way out for the hosts' package manager."""
    if not quiet("ip", "link", "show", BRIDGE):
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        run("ip", "address", "add", f"{IPV4}1/24", "dev", BRIDGE)
        run("ip", "address", "add", f"{IPV6}1/64", "dev", BRIDGE, "nodad")
        run("ip", "link", "set", BRIDGE, "up")
    run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    if not quiet("nft", "list", "table", "ip", NAT_TABLE):
        rules = f"""table ip {NAT_TABLE} {{
          chain postrouting {{ type nat hook postrouting priority srcnat;
            ip saddr {IPV4}0/24 oifname != "{BRIDGE}" masquerade; }}
        }}"""
        run("nft", "-f", "-", text_in=rules)
    namespace(NEIGHBOUR, 250, default_route=False)


def namespace(name: str, number: int, *, default_route: bool = True) -> None:
    if quiet("ip", "-n", name, "link", "show", "eth0"):
        return
    four, six = address(number)
    run("ip", "netns", "add", name)
    run("ip", "link", "add", f"lpv{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
    # The same hardware address each time a host is made anew: neighbours remember the old one for a while.
    run("ip", "-n", name, "link", "set", "eth0", "address", f"02:00:00:00:00:{number:02x}")
    run("ip", "link", "set", f"lpv{number}", "master", BRIDGE, "up")
    quiet("ip", "neigh", "flush", "dev", BRIDGE)
    run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "-n", name, "address", "add", f"{four}/24", "dev", "eth0")
    run("ip", "-n", name, "address", "add", f"{six}/64", "dev", "eth0", "nodad")
    run("ip", "-n", name, "link", "set", "eth0", "up")
    if default_route:
        run("ip", "-n", name, "route", "add", "default", "via", f"{IPV4}1")


def netns(space: str, *command: str) -> list[str]:
    """The command line that runs a command in a network namespace."""
    return ["ip", "netns", "exec", space, *command]


def laptop(command: list[str]) -> int:
    """Run a command on the laptop, whose virtual machines lie in the lab's folder; return its exit code."""
    with alone():
        lay_bridge()
        namespace(LAPTOP, LAPTOP_NUMBER)
    environment = {**os.environ, "LOBSTERPOT_VMS": str(VMS)}
    return subprocess.run(netns(LAPTOP, *command), check=False, env=environment).returncode


def nameservers() -> list[str]:
    """The resolvers of this machine that a namespace can reach."""
    for candidate in ("/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"):
        with contextlib.suppress(FileNotFoundError):
            words = [line.split() for line in Path(candidate).read_text().splitlines()]
            found = [w[1] for w in words if len(w) > 1 and w[0] == "nameserver" and not w[1].startswith("127.")]
            if found:
                return found
    raise SystemExit("lab: no resolver outside loopback in /etc/resolv.conf")
