# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging what was read from a host."""

# ruff: noqa: S104 - nothing listens on the addresses in the samples

from __future__ import annotations

import json

import pytest
from ansible.module_utils.lobsterpot import posture
from ansible.module_utils.lobsterpot.host import Listener
from ansible.module_utils.lobsterpot.posture import Audit

REPORT = json.dumps(
    {
        "ts": 1760000000000,
        "summary": {"critical": 1, "warn": 2, "info": 1},
        "findings": [
            {"checkId": "gateway.bind_no_auth", "severity": "critical", "title": "Gateway binds beyond loopback"},
            {"checkId": "logging.redact_off", "severity": "warn", "title": "Redaction is off"},
            {"checkId": "fs.config.perms_readable", "severity": "warn", "title": "Config is readable"},
            {"checkId": "summary.attack_surface", "severity": "info", "title": "Attack surface"},
        ],
    }
)
JUDGED = Audit(
    critical=("gateway.bind_no_auth: Gateway binds beyond loopback",),
    warnings=("logging.redact_off: Redaction is off", "fs.config.perms_readable: Config is readable"),
)


@pytest.mark.parametrize(
    ("text", "audit"),
    [
        (REPORT, JUDGED),
        ("Config warnings: none\n" + REPORT, JUDGED),
        ('{"findings": []}', Audit((), ())),
        ("", None),
        ("Error: cannot read the configuration\n", None),
        (REPORT[:-10], None),
        ("{}", None),
        ("[]", None),
        ('{"findings": null}', None),
        ('{"findings": ["text"]}', None),
        ('{"findings": [{"severity": "critical"}]}', None),
        ('{"findings": [{"checkId": "x", "title": "no severity"}]}', None),
    ],
)
def test_audit(text: str, audit: Audit | None) -> None:
    """A report that cannot be read in full is no report; silence is never taken for a clean result."""
    assert posture.parse_audit(text) == audit


def test_a_deeply_nested_audit_is_no_report() -> None:
    """The gateway's user can change what the audit prints; it must not crash the check."""
    assert posture.parse_audit('{"findings": ' + "[" * 200_000) is None


@pytest.mark.parametrize(
    ("protocol", "address", "port", "process", "problem"),
    [
        ("tcp", "127.0.0.1", 18789, "node", ""),
        ("tcp", "::1", 18789, "node", ""),
        ("tcp", "0.0.0.0", 22, "sshd", ""),
        ("tcp", "*", 2022, "systemd", ""),
        ("tcp", "::", 22, "", ""),
        ("udp", "10.0.2.15", 68, "dhclient", ""),
        ("udp", "fe80::1", 546, "systemd-network", ""),
        ("tcp", "0.0.0.0", 443, "caddy", ""),
        ("tcp", "0.0.0.0", 18789, "node", "node listens on 0.0.0.0 tcp/18789, outside loopback"),
        ("tcp", "*", 18789, "node", "node listens on * tcp/18789, outside loopback"),
        ("tcp", "::", 22, "dropbear", "dropbear listens on :: tcp/22, outside loopback"),
        ("udp", "0.0.0.0", 22, "sshd", "sshd listens on 0.0.0.0 udp/22, outside loopback"),
        ("udp", "0.0.0.0", 443, "caddy", "caddy listens on 0.0.0.0 udp/443, outside loopback"),
        ("tcp", "0.0.0.0", 68, "nc", "nc listens on 0.0.0.0 tcp/68, outside loopback"),
        ("tcp", "10.0.2.15", 5432, "", "an unknown process listens on 10.0.2.15 tcp/5432, outside loopback"),
    ],
)
def test_listener(protocol: str, address: str, port: int, process: str, problem: str) -> None:
    """What the world can reach is SSH, a DHCP client, or named by the operator; protocol and process count."""
    found = posture.listener_problems([Listener(protocol, address, port, process, 1)], [22, 2022], ["tcp/443"])
    assert found == ([problem] if problem else [])


def test_listeners_are_named_once_and_in_order() -> None:
    """The same socket in several workers is one problem."""
    listeners = [Listener("tcp", "0.0.0.0", 81, "b", 1), Listener("tcp", "0.0.0.0", 80, "a", 2)] * 2
    assert posture.listener_problems(listeners, [22], []) == [
        "a listens on 0.0.0.0 tcp/80, outside loopback",
        "b listens on 0.0.0.0 tcp/81, outside loopback",
    ]


NO_SUDO = "User openclaw is not allowed to run sudo on host.\n"
SUDO = "User openclaw may run the following commands on host:\n    (ALL) NOPASSWD: ALL\n"


@pytest.mark.parametrize(
    ("groups", "shell", "password", "sudo", "problems"),
    [
        ([], "/usr/sbin/nologin", "!", NO_SUDO, []),
        ([], "/bin/false", "*", "", []),
        ([], "/usr/sbin/nologin", "!$y$j9T$locked", NO_SUDO, []),
        (["adm", "sudo"], "/bin/false", "!", "", ["openclaw is a member of adm, sudo; it needs no group but its own"]),
        ([], "/bin/bash", "!", "", ["openclaw has the login shell /bin/bash"]),
        ([], "/bin/false", "$y$j9T$hash", "", ["openclaw can log in with a password"]),
        ([], "/bin/false", "", "", ["openclaw can log in with a password"]),
        ([], "/bin/false", "!", SUDO, ["openclaw may use sudo"]),
    ],
)
def test_user(groups: list[str], shell: str, password: str, sudo: str, problems: list[str]) -> None:
    """The gateway runs as somebody who is nothing else; an empty password is one too."""
    assert posture.user_problems("openclaw", groups, shell, password, sudo) == problems


@pytest.mark.parametrize(
    ("owner", "group", "mode", "problem"),
    [
        (0, 7, 0o640, ""),
        (1000, 7, 0o640, "belongs to 1000:7 with mode 0640, it must be 0:7 and 0640"),
        (0, 0, 0o640, "belongs to 0:0 with mode 0640, it must be 0:7 and 0640"),
        (0, 7, 0o644, "belongs to 0:7 with mode 0644, it must be 0:7 and 0640"),
        (0, 7, 0o4640, "belongs to 0:7 with mode 4640, it must be 0:7 and 0640"),
    ],
)
def test_file(owner: int, group: int, mode: int, problem: str) -> None:
    """Owner, group and mode must be exactly those that were set."""
    found = posture.file_problems("/etc/openclaw/openclaw.json", owner, group, mode, (0, 7, 0o640))
    assert found == ([f"/etc/openclaw/openclaw.json {problem}"] if problem else [])


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        ({"denyusers": ["games", "openclaw"], "permitemptypasswords": ["no"]}, []),
        ({"denyusers": ["games openclaw"], "permitemptypasswords": ["no"]}, []),
        (
            {"denyusers": ["openclaw2"], "permitemptypasswords": ["no"]},
            ["sshd would let openclaw in: its drop-in is not in effect"],
        ),
        ({"denyusers": ["openclaw"], "permitemptypasswords": ["yes"]}, ["sshd takes empty passwords"]),
        ({}, ["sshd would let openclaw in: its drop-in is not in effect", "sshd takes empty passwords"]),
    ],
)
def test_ssh(settings: dict[str, list[str]], problems: list[str]) -> None:
    """The effective settings decide; an sshd that cannot be asked is not in order."""
    assert posture.ssh_problems(settings, "openclaw") == problems


ROOTS = "_UID=0 _SYSTEMD_UNIT=ssh.service + _UID=0 _EXE=/usr/sbin/sshd"
LINES = "fail2ban believes lines that others than root wrote, so they can have anybody banned"
NAMES = "fail2ban looks up names that stand in lines"


@pytest.mark.parametrize(
    ("matches", "names", "problems"),
    [
        (f"Current match filter:\n{ROOTS}\n", "no\n", []),
        (f"Current match filter:\n{ROOTS} + _COMM=sshd\n", "no\n", [LINES]),
        ("Current match filter:\n_UID=0 _COMM=sshd\n_COMM=sshd-session\n", "no\n", [LINES]),
        ("No journal match filter set\n", "warn\n", [LINES, NAMES]),
        ("", "", [LINES, NAMES]),
    ],
)
def test_whom_fail2ban_believes(matches: str, names: str, problems: list[str]) -> None:
    """S11: each alternative has to name root; a filter that cannot be read is not in order."""
    assert posture.ban_problems(matches, names) == problems


def test_ssh_that_still_takes_passwords() -> None:
    """S11: another file of sshd's comes first and leaves a door that the run believes shut: both ways to give a password are named."""
    settings = {"denyusers": ["openclaw"], "permitemptypasswords": ["no"], "passwordauthentication": ["yes"]}
    assert posture.ssh_problems(settings, "openclaw", passwords_off=True) == [
        "sshd still has passwordauthentication on: another file of its configuration comes first",
        "sshd still has kbdinteractiveauthentication on: another file of its configuration comes first",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"findings": []}', []),
        ('chatter\n{"findings": [{"checkId": "policy/tools-elevated-enabled", "message": "On."}]}', ["tools-elevated-enabled: On."]),
        ("", None),
        ("{}", None),
        ("[1]", None),
        ('{"findings": [{"checkId": 1, "message": "x"}]}', None),
        ('{"findings": ["text"]}', None),
    ],
)
def test_policy(text: str, found: list[str] | None) -> None:
    """As of the audit: what cannot be read is no clean result."""
    assert posture.parse_policy(text) == found


@pytest.mark.parametrize("config", ["", "[]", '"text"', '{"plugins": []}', '{"plugins": {"entries": 1}}', '{"plugins": {"allow": 1}}'])
def test_a_configuration_that_is_none(config: str) -> None:
    """It is not checked, and said so."""
    with pytest.raises(ValueError):
        posture.with_policy(config, "/run/x/policy.jsonc")


@pytest.mark.parametrize(
    ("shown", "problems"),
    [
        ("DropInPaths=\nNeedDaemonReload=no\n", []),
        ("DropInPaths=/usr/lib/systemd/system/service.d/timeout.conf /run/systemd/system/service.d/lxc.conf\nNeedDaemonReload=no\n", []),
        (
            "DropInPaths=/etc/systemd/system/gateway.service.d/weaker.conf\nNeedDaemonReload=yes\n",
            [
                "/etc/systemd/system/gateway.service.d/weaker.conf changes gateway.service",
                "gateway.service runs from another file than the one that is there: systemctl daemon-reload",
            ],
        ),
    ],
)
def test_what_changes_a_unit(shown: str, problems: list[str]) -> None:
    """A file beside the unit can undo what the unit's own file says, which stays as it is."""
    assert posture.unit_problems("gateway.service", shown) == problems


SSH_RULE = "Added user rules (see 'ufw status' for running firewall):\nufw allow 2022/tcp comment 'SSH (Lobsterpot)'\n"


@pytest.mark.parametrize(
    ("added", "opened", "problems"),
    [
        (SSH_RULE, [], []),
        (SSH_RULE + "ufw deny 2023/tcp\n", [], []),
        (SSH_RULE + "ufw allow 443/tcp comment 'web'\n", [{"rule": "allow", "proto": "tcp", "to_port": "443"}], []),
        (SSH_RULE + "ufw allow from 192.0.2.7 to any port 9100\n", [{"from_ip": "192.0.2.7", "to_port": 9100}], []),
        (
            SSH_RULE + "ufw allow from 192.0.2.8 to any port 9100\n",
            [{"from_ip": "192.0.2.7", "to_port": 9100}, {"comment": "nothing that can be looked for"}],
            ["UFW has a rule that nobody asked for: ufw allow from 192.0.2.8 to any port 9100"],
        ),
        (SSH_RULE + "ufw allow 18789\n", [], ["UFW has a rule that nobody asked for: ufw allow 18789"]),
    ],
)
def test_rules_of_the_firewall(added: str, opened: list[dict[str, object]], problems: list[str]) -> None:
    """Somebody opened a port by hand: the rule is named."""
    assert posture.rule_problems(added, [2022], opened) == problems


STATUS = "Name:\tnode\nCapInh:\t{cap}\nCapPrm:\t{cap}\nCapEff:\t{cap}\nCapBnd:\t{cap}\nCapAmb:\t{cap}\nNoNewPrivs:\t{new}\n"
CONTAINED = STATUS.format(cap="0000000000000000", new="1")
# Shortened lines of a real one.
MOUNTINFO = """\
1 0 0:51 / / ro,relatime - overlay overlay rw
2 1 0:54 / /proc rw,nosuid - proc proc rw
3 2 0:54 /sys /proc/sys ro,relatime - proc proc rw
4 1 0:55 / /tmp rw,nosuid - tmpfs tmpfs rw
5 1 0:31 /hosts /etc/hosts ro,nosuid - tmpfs tmpfs rw
6 1 8:1 /etc/openclaw /etc/openclaw ro,relatime - ext4 /dev/vda1 rw
7 1 8:1 /home/openclaw/.openclaw /home/openclaw/.openclaw rw,relatime - ext4 /dev/vda1 rw
"""
MOUNTS = {"/etc/openclaw": "ro", "/home/openclaw/.openclaw": "rw"}


@pytest.mark.parametrize(
    ("status", "mountinfo", "problems"),
    [
        (CONTAINED, MOUNTINFO, []),
        (STATUS.format(cap="00000000000000c0", new="1"), MOUNTINFO, ["the gateway's container has capabilities"]),
        (STATUS.format(cap="0000000000000000", new="0"), MOUNTINFO, ["the gateway's container may gain privileges"]),
        ("", MOUNTINFO, ["the gateway's container has capabilities", "the gateway's container may gain privileges"]),
        (CONTAINED, MOUNTINFO.replace("/ / ro", "/ / rw"), ["the root of the gateway's container is not read-only"]),
        (
            CONTAINED,
            MOUNTINFO.replace("/etc/openclaw ro", "/etc/openclaw rw"),
            ["the gateway's container has /etc/openclaw mounted rw, which it should not"],
        ),
        (
            CONTAINED,
            MOUNTINFO + "8 1 8:1 /home/admin /home/admin ro,relatime - ext4 /dev/vda1 rw\n",
            ["the gateway's container has /home/admin mounted ro, which it should not"],
        ),
        (CONTAINED, MOUNTINFO.rpartition("7 1")[0], ["the gateway's container has no /home/openclaw/.openclaw"]),
    ],
)
def test_container(status: str, mountinfo: str, problems: list[str]) -> None:
    """A privilege, a root that can be written, one path of the host too many, too few or too open: each is named."""
    assert posture.container_problems(status, mountinfo, MOUNTS) == problems


def test_groups_that_the_kernel_learns_are_no_drift() -> None:
    """The host gets an IPv6 address after the table was loaded. A change of anything else is found."""
    table = "table inet x {\n\tset groups {\n\t\tflags dynamic\n%s\t}\n\n\tchain output {\n\t\tmeta skuid @users goto %s\n\t}\n}\n"
    recorded = table % ("", "guarded")
    learnt = table % ("\t\telements = { ff02::1:ff00:a,\n\t\t\t     ff02::1:ff00:b }\n", "guarded")
    assert posture.egress_problems(learnt, recorded, "openclaw", "guarded") == []
    assert "changed since it was loaded" in posture.egress_problems(learnt.replace("guarded", "open"), recorded, "openclaw", "guarded")[0]
    assert "changed since it was loaded" in posture.egress_problems("table inet x {\n}\n", recorded, "openclaw", "guarded")[0]
