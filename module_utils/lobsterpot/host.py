# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a host: pure parsers of what Linux and its tools print."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# The gateway's audit of itself, which a run begins early (host_info) and reads late (gateway_posture).
AUDIT_UNIT = "lobsterpot-audit.service"
AUDIT_REPORT = "/run/lobsterpot/audit.json"
AUDIT_BYTES = 1 << 20

MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def parse_os_release(text: str) -> dict[str, str]:
    """Return the assignments of /etc/os-release, quotes removed. Format: os-release(5)."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def parse_meminfo_mb(text: str) -> int:
    """Return MemTotal of /proc/meminfo in MiB. Format: proc_meminfo(5), the unit is kB of 1024 bytes."""
    match = re.search(r"^MemTotal:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) // 1024 if match else 0


def parse_sshd(text: str) -> dict[str, list[str]]:
    """Return the effective settings that `sshd -T` prints, one list of values per keyword."""
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        settings.setdefault(keyword.lower(), []).append(value)
    return settings


def only_post_quantum(settings: Mapping[str, list[str]]) -> bool:
    """Say whether sshd offers no key exchange that a quantum computer could undo later. Names: sshd_config(5)."""
    offered = ",".join(settings.get("kexalgorithms", [])).split(",")
    return offered != [""] and all(name.startswith(("sntrup", "mlkem")) for name in offered)


def ufw_filters_ipv6(text: str) -> bool:
    """Read IPV6 of /etc/default/ufw as UFW does: the last assignment, without quotes, in any case. A missing file counts as yes."""
    values = re.findall(r"^\s*IPV6\s*=\s*[\"']?(\w*)", text, re.MULTILINE)
    return not values or values[-1].lower() == "yes"


def ufw_problems(status: str, settings: str, filters: Mapping[str, str]) -> list[str]:
    """Name what keeps UFW from denying incoming traffic, now and after a reboot.

    status: `ufw status verbose`, which tells what UFW's files say. settings: /etc/ufw/ufw.conf. filters: what `iptables -S INPUT` and
    `ip6tables -S INPUT` print, by UFW's prefix of its chains, `ufw` and `ufw6`: somebody else may have emptied them.
    """
    problems = [] if "Status: active" in status else ["UFW is not active"]
    if "deny (incoming)" not in status:
        problems.append("UFW does not deny incoming traffic by default")
    if not re.search(r"^\s*ENABLED\s*=\s*[\"']?yes\b", settings, re.MULTILINE | re.IGNORECASE):
        problems.append("UFW does not start at boot: ufw enable")
    for prefix, rules in filters.items():
        lines = rules.split("\n")
        if "-P INPUT DROP" not in lines or f"-A INPUT -j {prefix}-before-input" not in lines:
            problems.append(f"the kernel does not filter as UFW says ({prefix}): somebody emptied its tables")
    return problems


def parse_ufw(status: str) -> dict[str, Any]:
    """Read `ufw status verbose`: the TCP ports open to everybody on both families."""
    rules = [line.partition("#")[0].split() for line in status.splitlines()]
    open_to_all = [rule[0] for rule in rules if rule[1:] == ["ALLOW", "IN", "Anywhere"]]
    open_on_ipv6 = [rule[0] for rule in rules if rule[1:] == ["(v6)", "ALLOW", "IN", "Anywhere", "(v6)"]]
    ports = [name.partition("/")[0] for name in open_to_all if name.endswith("/tcp") and name in open_on_ipv6]
    return {
        "open_tcp": sorted(int(port) for port in ports if port.isascii() and port.isdigit()),
    }


@dataclass(frozen=True)
class Connection:
    """The SSH connection a command runs over: the client, and the port it reached on this host."""

    client: str
    port: int


def parse_ssh_connection(value: str) -> Connection | None:
    """Read SSH_CONNECTION: client address, client port, server address, server port. Format: ssh(1)."""
    words = value.split()
    if len(words) != 4 or not words[3].isdigit():  # noqa: PLR2004 - the four fields above
        return None
    return Connection(words[0], int(words[3]))


@dataclass(frozen=True)
class Listener:
    """One listening socket. `address` is without brackets, zone or port; `process` is empty when it cannot be seen."""

    protocol: str
    address: str
    port: int
    process: str
    pid: int

    @property
    def loopback(self) -> bool:
        return self.address.startswith("127.") or self.address in ("::1", "::ffff:127.0.0.1")


def parse_listeners(text: str) -> list[Listener]:
    """Read `ss --no-header --listening --tcp --udp --numeric --processes`. Columns: ss(8)."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 5:  # noqa: PLR2004 - netid, state, two queues, local address
            continue
        address, _, port = words[4].rpartition(":")
        process = re.search(r'users:\(\("([^"]*)",pid=(\d+)', line)
        found.append(
            Listener(
                protocol=words[0],
                address=address.partition("%")[0].strip("[]"),
                port=int(port) if port.isdigit() else 0,
                process=process[1] if process else "",
                pid=int(process[2]) if process else 0,
            )
        )
    return found


def parse_packages(text: str) -> dict[str, str]:
    """Read `dpkg-query --show --showformat='${db:Status-Abbrev}\\t${Package}\\t${Version}\\n'`: the installed ones."""
    rows = (line.split("\t") for line in text.splitlines() if line.count("\t") == 2)  # noqa: PLR2004
    return {name: version for status, name, version in rows if status[1:2] == "i"}


def parse_units(text: str) -> dict[str, dict[str, str]]:
    """Read `systemctl show --property=Id,ActiveState,UnitFileState,LoadState A B`: blocks divided by an empty line."""
    units = {}
    for block in text.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("Id"):
            units[values["Id"]] = {
                "active": values.get("ActiveState", ""),
                "enabled": values.get("UnitFileState", ""),
                "loaded": values.get("LoadState", ""),
            }
    return units


def subordinate_ids(text: str, user: str) -> int:
    """Count the ids that /etc/subuid or /etc/subgid gives to `user`. Format: subuid(5)."""
    rows = (line.split(":") for line in text.splitlines())
    return sum(int(row[2]) for row in rows if len(row) == 3 and row[0] == user and row[2].isdigit())  # noqa: PLR2004


def parse_resolvers(text: str) -> list[str]:
    """Return the addresses of the resolvers in /etc/resolv.conf, without zones. Format: resolv.conf(5)."""
    return re.findall(r"^[ \t]*nameserver[ \t]+([0-9A-Fa-f.:]+)", text, re.MULTILINE)


def unit_of(cgroup: str) -> str:
    """Return the service that a process belongs to, from /proc/PID/cgroup; empty if it belongs to none."""
    found: list[str] = re.findall(r"([^/\n]+\.service)", cgroup)
    return found[-1] if found else ""


def foreign_listener(listeners: Iterable[Listener], port: int, units: Mapping[int, str], own_unit: str) -> str:
    """Say who else listens on `port`; empty when it is free or `own_unit` has it. `units` maps a pid to its service."""
    for listener in listeners:
        if listener.port == port and listener.protocol == "tcp" and units.get(listener.pid) != own_unit:
            return listener.process or "a process that cannot be named"
    return ""
