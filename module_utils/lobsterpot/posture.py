# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging what was read from a host. Each function returns the problems it sees, in words for the operator."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .host import Listener
from .terminal import printable

# Clients that must listen to get an address: RFC 2131, RFC 8415.
DHCP_CLIENT_PORTS = (68, 546)

# The set of the table of roles/egress that the kernel fills by itself, as nft lists it.
LEARNT = re.compile(r"^\tset groups \{\n.*?^\t\}\n", re.DOTALL | re.MULTILINE)

# What podman itself puts into each container of ours: podman-run(1), at --read-only-tmpfs, --init, --hostname, --dns and --passwd.
PODMANS_OWN = frozenset(
    (
        *("/", "/dev", "/run", "/run/lock", "/run/podman-init", "/run/.containerenv", "/tmp", "/var/tmp"),  # noqa: S108 - mount points
        *(f"/etc/{name}" for name in ("group", "hostname", "hosts", "mtab", "passwd", "resolv.conf")),
    )
)


@dataclass(frozen=True)
class Audit:
    """What the gateway's own `security audit --json` found. Form: its documentation, cli/security, "JSON output"."""

    critical: tuple[str, ...]
    warnings: tuple[str, ...]


def parse_audit(text: str) -> Audit | None:
    """Read the audit's report; None when there is none. Lines before the first brace are the program's chatter."""
    start = text.find("{")
    try:
        report = json.loads(text[start:]) if start >= 0 else None
        findings: Iterable[Mapping[str, Any]] = report["findings"] if report else ()
        by_severity = {
            severity: tuple(f"{f['checkId']}: {f['title']}" for f in findings if f["severity"] == severity)
            for severity in ("critical", "warn")
        }
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return Audit(by_severity["critical"], by_severity["warn"]) if report else None


def with_policy(config: str, path: str) -> str:
    """Return the gateway's configuration with its policy plugin on and the policy at `path`. Raises ValueError for what is none.

    Form: the gateway's documentation, cli/policy, "Configure policy".
    """
    settings = json.loads(config)
    try:
        plugins = settings.setdefault("plugins", {})
        plugins.setdefault("entries", {})["policy"] = {"enabled": True, "config": {"enabled": True, "path": path}}
        if "allow" in plugins:
            plugins["allow"] = [*plugins["allow"], "policy"]
    except (AttributeError, TypeError) as error:
        raise ValueError(f"no configuration: {error}") from error
    return json.dumps(settings)


def parse_policy(text: str) -> list[str] | None:
    """Read the report of `policy check --json`: what each finding says. None when there is none. Form: as above, "Findings"."""
    start = text.find("{")
    try:
        report = json.loads(text[start:]) if start >= 0 else {}
        return [f"{finding['checkId'].removeprefix('policy/')}: {finding['message']}" for finding in report["findings"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def unit_problems(unit: str, shown: str) -> list[str]:
    """Name files that change what a unit's own file says, from `systemctl show --property=DropInPaths,NeedDaemonReload`.

    Those for all units together, which distributions and containers have, are none of them: systemd.unit(5).
    """
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    problems = [f"{path} changes {unit}" for path in values.get("DropInPaths", "").split() if f"/{unit}.d/" in path]
    if values.get("NeedDaemonReload") == "yes":
        problems.append(f"{unit} runs from another file than the one that is there: systemctl daemon-reload")
    return problems


def rule_problems(added: str, ssh_ports: Sequence[int], opened: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name each rule in `ufw show added` that lets something in and that neither SSH nor a rule in `opened` explains."""
    keys = ("to_port", "port", "from_ip", "from", "src", "name", "app")
    wanted = [{str(port)} for port in ssh_ports] + [{str(rule[key]) for key in keys if rule.get(key)} for rule in opened]
    problems = []
    for line in added.splitlines():
        words = line.partition(" comment ")[0].split()
        known = {*words, *(word.partition("/")[0] for word in words)}
        if {"allow", "limit"} & set(words) and not any(need and need <= known for need in wanted):
            problems.append(f"UFW has a rule that nobody asked for: {' '.join(words)}")
    return problems


def listener_problems(listeners: Iterable[Listener], ssh_ports: Sequence[int], allowed: Sequence[str]) -> list[str]:
    """Name what listens outside loopback and is neither SSH, a DHCP client, nor in `allowed` (such as `tcp/443`)."""
    problems = []
    for item in listeners:
        if item.loopback or f"{item.protocol}/{item.port}" in allowed:
            continue
        if item.protocol == "tcp" and item.port in ssh_ports and item.process in ("sshd", "systemd", "init", ""):
            continue
        if item.protocol == "udp" and item.port in DHCP_CLIENT_PORTS:
            continue
        who = item.process or "an unknown process"
        problems.append(f"{who} listens on {item.address} {item.protocol}/{item.port}, outside loopback")
    return sorted(set(problems))


def user_problems(name: str, groups: Sequence[str], shell: str, password: str, sudo: str) -> list[str]:
    """Say what makes the gateway's user more than nobody: groups, a shell, a password, a rule of sudo's."""
    problems = []
    if groups:
        problems.append(f"{name} is a member of {', '.join(groups)}; it needs no group but its own")
    if not shell.endswith(("/nologin", "/false")):
        problems.append(f"{name} has the login shell {shell}")
    if not password.startswith(("!", "*")):
        problems.append(f"{name} can log in with a password")
    if "may run the following" in sudo:
        problems.append(f"{name} may use sudo")
    return problems


def egress_problems(loaded: str, recorded: str, user: str, mode: str) -> list[str]:
    """Compare the table of what `user` may send, as nft lists it, with what was loaded last and with the mode that is wanted."""
    again = "systemctl reload lobsterpot-egress"
    loaded, recorded = (LEARNT.sub("", text) for text in (loaded, recorded))
    if not loaded:
        return [f"the table of what {user} may send is not loaded: {again}"]
    if loaded != recorded:
        return [f"the table of what {user} may send was changed since it was loaded: {again}"]
    if f"meta skuid @users goto {mode}\n" not in loaded:
        return [f"the table of what {user} may send is not in mode {mode}"]
    return []


def container_problems(status: str, mountinfo: str, mounts: Mapping[str, str]) -> list[str]:
    """Judge a process in a container: what it may do, and what of the host it sees.

    `status`, `mountinfo`: the files of these names in its /proc directory, proc(5). `mounts`: each path that it should see, `ro` or `rw`.
    """
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    problems = []
    if any(facts.get(name, "").strip("0") or name not in facts for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")):
        problems.append("the gateway's container has capabilities")
    if facts.get("NoNewPrivs") != "1":
        problems.append("the gateway's container may gain privileges")
    found = {words[4]: words[5].split(",")[0] for words in (line.split() for line in mountinfo.splitlines())}
    if found.get("/") != "ro":
        problems.append("the root of the gateway's container is not read-only")
    seen = {path: mode for path, mode in found.items() if path not in PODMANS_OWN and not path.startswith(("/dev/", "/proc", "/sys"))}
    strange = {path: mode for path, mode in seen.items() if mounts.get(path) != mode}
    problems += [f"the gateway's container has {path} mounted {mode}, which it should not" for path, mode in sorted(strange.items())]
    problems += [f"the gateway's container has no {path}" for path in sorted(set(mounts) - set(seen))]
    return problems


def image_problems(image: str, store: str, unit: str, layer: str, *, own: bool, writable: bool) -> list[str]:
    """Judge where a sandbox's files come from: `layer` is the folder that podman names, `own` whether its user has images of its own.

    Podman looks into its user's own store first, so an image or a layer there stands for root's.
    """
    if writable:
        return [f"{store} can be written to, so its user can alter the sandbox image: systemctl restart var-lib-lobsterpot-images.mount"]
    if own or (layer and not layer.startswith(f"{store}/")):
        return [f"sandboxes may be made of an image that is not root's: systemctl restart {unit} removes it"]
    return [] if layer else [f"the sandbox image {image} is not in {store}"]


def file_problems(path: str, owner: int, group: int, mode: int, want: tuple[int, int, int]) -> list[str]:
    """Compare owner, group and permissions of a file with what they must be."""
    if (owner, group, mode) == want:
        return []
    return [f"{path} belongs to {owner}:{group} with mode {mode:04o}, it must be {want[0]}:{want[1]} and {want[2]:04o}"]


def ssh_problems(settings: Mapping[str, Sequence[str]], gateway_user: str, passwords_off: bool = False) -> list[str]:
    """Check what sshd makes of all its files together; in sshd_config(5) the first word on a setting counts."""
    problems = []
    for keyword in ("passwordauthentication", "kbdinteractiveauthentication"):
        if passwords_off and settings.get(keyword) != ["no"]:
            problems.append(f"sshd still has {keyword} on: another file of its configuration comes first")
    denied = " ".join(settings.get("denyusers", [])).split()
    if gateway_user not in denied:
        problems.append(f"sshd would let {gateway_user} in: its drop-in is not in effect")
    if settings.get("permitemptypasswords") != ["no"]:
        problems.append("sshd takes empty passwords")
    return problems


def ban_problems(matches: str, names: str) -> list[str]:
    """Check whom fail2ban believes, from what `fail2ban-client get sshd journalmatch` and `usedns` print."""
    problems = []
    # A line for each match, whose alternatives are divided by a plus: jail.conf(5), journalmatch.
    alternatives = [words.split() for line in matches.splitlines()[1:] for words in line.split(" + ")]
    if not alternatives or any("_UID=0" not in words for words in alternatives):
        problems.append("fail2ban believes lines that others than root wrote, so they can have anybody banned")
    if names.strip() != "no":
        problems.append("fail2ban looks up names that stand in lines")
    return problems


def planted_problems(said: str) -> list[str]:
    """What is wrong by the words of `clean-state --check` (role gateway): a line for each thing that was found, and then `end`."""
    *found, last = said.splitlines() or [""]
    if last != "end":
        return ["it could not be seen whether something is planted in the gateway's state: look at that directory and its database"]
    mend = "Find out who put it there, remove it, and restart the gateway."
    return [f"{printable(line)} is not the project's, and a start of the gateway or of a shell would run it. {mend}" for line in found]
