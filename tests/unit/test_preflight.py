# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""S14: all that the roles demand is checked in one task, and all that is wrong is told in one message."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.text.converters import to_text

from plugins.filter.access import settled
from tests.lab import limits

PROJECT = Path(__file__).parents[2]
HOST: dict[str, Any] = {
    "os": {"id": "debian", "version": "12", "name": "Debian"},
    "arch": "x64",
    "systemd": True,
    "memory_mb": 4000,
    "disk_free_mb": 90000,
    "releases": [],
    "ssh": {"user": "admin", "port": 22, "configured_ports": [22], "loosened": [], "loosened_passwords": []},
    "user": {},
    "open_parents": [],
    "check_mode": False,
}


def preflight(tmp_path: Path, host: dict[str, Any], **variables: object) -> tuple[int, str]:
    """Run the task alone, on a host that the test made up; return the exit code and what it said."""
    roles = ["baseline", "ssh", "fail2ban", "account"]
    tasks: list[dict[str, Any]] = [{"import_role": {"name": role, "tasks_from": "names"}} for role in roles]
    tasks.append({"preflight": {"roles": roles}})
    playbook = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks, "vars": {"host_state": host}}]
    (tmp_path / "play.yml").write_text(json.dumps(playbook))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local", str(tmp_path / "play.yml")]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"), "NO_COLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "minimal"}
    done = subprocess.run(
        [*command, "-e", json.dumps(variables)], check=False, capture_output=True, cwd=PROJECT, env=environment, timeout=limits.PROGRAM
    )
    return done.returncode, to_text(done.stdout)


def test_what_is_right_passes(tmp_path: Path) -> None:
    """The defaults, on a host that is supported."""
    code, said = preflight(tmp_path, HOST)
    assert code == 0, said


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Shapes and meanings, of several roles, each with its variable; a role of a wrong shape is not asked for its meaning."""
    host = {**HOST, "os": {"id": "fedora", "version": "42", "name": "Fedora 42"}}
    code, said = preflight(
        tmp_path,
        host,
        fail2ban_max_retry="many",
        fail2ban_ignore=["office.example"],
        ssh_deny_users=["admin"],
        account_user="root",
        account_memory_max="lots",
    )
    assert code != 0
    for words in (
        "localhost runs Fedora 42",
        "fail2ban_max_retry",
        "ssh_deny_users must be plain names and must not hold admin",
        "account_user: 'root' cannot be the gateway's user",
        "account_memory_max a number with M or G",
    ):
        assert words in said
    assert "office.example" not in said


@pytest.mark.parametrize("proxy", [" ", "no", "//", 'http://192.0.2.1"; x'])
def test_a_proxy_that_is_none_is_refused(tmp_path: Path, proxy: str) -> None:
    """S14: a blank one too, which would stand in apt's configuration."""
    code, said = preflight(tmp_path, HOST, baseline_apt_proxy=proxy)
    assert code != 0
    assert "is no address such as http://192.0.2.1:3142. Nothing was changed." in " ".join(said.split())


def test_a_proxy_is_taken(tmp_path: Path) -> None:
    code, said = preflight(tmp_path, HOST, baseline_apt_proxy="http://proxy.example.org:3142/")
    assert code == 0, said


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (
            "auto",
            [
                "`PasswordAuthentication yes`",
                "`X11Forwarding yes`",
                "or set ssh_password_authentication: true if passwords shall be taken.",
            ],
        ),
        ("true", ["`X11Forwarding yes`", "Remove these lines. Names"]),
    ],
)
def test_what_loosens_sshd_is_refused(tmp_path: Path, wanted: str, told: list[str]) -> None:
    """S11: lines of other files that loosen sshd, those on passwords only where these must be off."""
    found = {
        "loosened": ["/etc/ssh/a.conf:2: `X11Forwarding yes`"],
        "loosened_passwords": ["/etc/ssh/a.conf:3: `PasswordAuthentication yes`"],
    }
    code, said = preflight(tmp_path, {**HOST, "ssh": {**HOST["ssh"], **found}}, ssh_password_authentication=wanted)
    assert code != 0
    said = " ".join(said.replace("\\n", " ").split())
    for words in (*told, "localhost: other lines of sshd's configuration loosen what the role ssh promises:", "Nothing was changed."):
        assert words in said
    assert ("`PasswordAuthentication yes`" in said) is (wanted == "auto")


FOUND: dict[str, Any] = {"channels": {"telegram": {"default": {"approved": ["1", "2"]}, "old": {"approved": []}}}, "suspicious": []}


@pytest.mark.parametrize(
    ("entries", "authoritative", "expected"),
    [
        (["1"], False, True),
        (["1"], True, False),
        (["2", "1"], True, True),
        (["1", "3"], False, False),
        ([], True, False),
        (["tg:1"], False, False),
    ],
)
def test_lists_that_are_settled(entries: list[str], authoritative: bool, expected: bool) -> None:
    """Senders that are wanted and there, and nobody else where the inventory is the only truth."""
    assert settled(FOUND, [{"channel": "telegram", "account": "default", "entries": entries}], authoritative) is expected


def test_what_is_suspicious_is_never_settled() -> None:
    """S8: an entry that somebody planted is looked at in each run."""
    assert settled({**FOUND, "suspicious": ["telegram/default: '*' lets everybody in"]}, [], False) is False
    assert settled(FOUND, [], False) is True


def test_a_home_below_an_open_directory_is_refused(tmp_path: Path) -> None:
    """S15: whoever can change a directory on the way could put another one in the home's place."""
    code, said = preflight(tmp_path, {**HOST, "open_parents": ["/srv/shared"]})
    assert code != 0
    assert "account_home: somebody but root can change /srv/shared, on the way to /home/openclaw" in " ".join(said.split())
