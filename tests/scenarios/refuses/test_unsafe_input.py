"""S14: unsafe or impossible input stops the run with one clear message, and the fresh host stays as it was, byte for byte."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import lab
from tests.lab import ROOT

NAME = os.environ.get("LAB_HOST", "gw2")
FINGERPRINT = (ROOT / "molecule" / "shared" / "fingerprint.sh").read_text()
# The same without the package manager's own lists, which it renews before it can know that a mirror is gone.
SETTINGS = "find /etc /usr /opt /home -xdev -type f -printf '%p %s %T@ %m %U %G\\n' | sort | sha256sum; dpkg-query --show | sha256sum"


def refused(tmp_path: Path, variables: dict[str, object], fingerprint: str = FINGERPRINT) -> str:
    """Run site.yml with the variables; demand that it fails and changes nothing; return what it said."""
    file = tmp_path / "variables.json"
    file.write_text(json.dumps(variables))
    before = lab.inside(NAME, fingerprint)
    done = lab.site(NAME, "--extra-vars", f"@{file}")
    assert done.returncode != 0, done.stdout[-2000:]
    assert lab.inside(NAME, fingerprint) == before
    return " ".join((done.stdout + done.stderr).split())


# Each is one run, which tells all that is wrong at its stage: the shape and meaning of the policy, the host, the archives. What else can be
# wrong is in tests/unit: test_policy.py, test_egress.py, test_people.py, test_preflight.py.
CASES: dict[str, tuple[dict[str, object], list[str]]] = {
    "all that is wrong with the policy": (
        {
            "gateway_port": 80,
            "gateway_channels": {
                "telegarm": {},
                "telegram": {
                    "botToken": "1:text",
                    "group_policy": "allowlist",
                    "group_senders": ["*"],
                    "accounts": {"work": {"dm_policy": "open"}},
                },
                "signal": {"number": "+15550100", "server": "http://127.0.0.1:8080", "dm_policy": "allowlist"},
            },
            "gateway_command_owners": ["somebody", "telegram:*"],
            "gateway_mention_patterns": ["[pot"],
            "gateway_model_keys": {"anthropic": "replace-me-with-a-key"},
            "gateway_config_extra": {"channels": {"telegram": {"groupPolicy": "open"}}},
            "gateway_agent_rules": ["Show no key.", "One.\nTwo."],
            "sandbox_mounts": {"/etc": "/config"},
            "egress_exceptions": [{"address": "0.0.0.0/0", "port": 443, "protocol": "tcp", "comment": "all"}],
            "access_channels": {"telegram": {"accounts": {"default": {"allow": ["*"]}}}},
        },
        [
            "gateway_port: must be a number from 1024 to 65535",
            "gateway_channels.telegarm: unknown, did you mean telegram?",
            "gateway_channels.telegram: needs a secret",
            "gateway_channels.telegram.botToken: would lie here as plain text. Put it into gateway_secrets.telegram.botToken",
            "gateway_channels.telegram.group_senders: '*' lets everybody in",
            "gateway_channels.telegram.accounts.work.dm_policy: open lets anybody give orders",
            "gateway_channels.signal.dm_policy: allowlist with nobody on it",
            "gateway_command_owners: 'somebody' must be CHANNEL:SENDER",
            "gateway_command_owners: '*' lets everybody in",
            "gateway_mention_patterns: '[pot' lacks a ]",
            "/models/anthropic: is a placeholder",
            "gateway_config_extra.channels.telegram.groupPolicy: lets anybody give orders",
            "gateway_agent_rules: each rule is one line of plain text",
            "sandbox_mounts./etc: would show the system",
            "egress_exceptions[0].address: 0.0.0.0/0 opens a whole network",
            "access_channels.telegram.accounts.default.allow: '*' lets everybody in",
            "Nothing was changed",
        ],
    ),
    "a container with a sandbox": (
        {
            "gateway_runtime": "container",
            "gateway_container_tools": ["group:runtime"],
            "gateway_config_extra": {"tools": {"allow": ["*"]}, "agents": {"defaults": {"sandbox": {"mode": "all"}}}},
        },
        [
            "gateway_container_tools: 'group:runtime' is no single tool",
            "gateway_config_extra.tools.allow: in a container there is no sandbox",
            "gateway_config_extra.agents.defaults.sandbox.mode: in a container there is no sandbox",
            "Nothing was changed",
        ],
    ),
    "an allowlist of nothing, for somebody nobody knows": (
        {"egress_mode": "allowlist", "access_channels": {"telegram": {"accounts": {"default": {"allow": ["eve"]}}}}},
        ["egress_domains", "no domain is named", "there is nobody called 'eve' in access_people", "Nothing was changed"],
    ),
    "an unknown mode, and a path as a channel": (
        {"egress_mode": "closed", "access_channels": {"../telegram": {"accounts": {"default": {"allow": ["1"]}}}}},
        ["egress_mode: 'closed' is none of guarded, allowlist, open", "'../telegram' is no channel", "Nothing was changed"],
    ),
    "an unknown product": ({"gateway_product": "moltbot"}, ["value of gateway_product must be one of: openclaw, clawdbot, got: moltbot"]),
    "an unknown runtime": ({"gateway_runtime": "docker"}, ["gateway_runtime"]),
    "tools without a sandbox": ({"sandbox_mode": "off"}, ["sandbox_mode", "all, non-main"]),
    "keys of the wrong type": ({"gateway_model_keys": "text"}, ["gateway_model_keys"]),
    "all that is wrong with the host and what it shall be": (
        {
            "baseline_min_memory_mb": 9000000,
            "baseline_min_disk_mb": 900000000,
            "baseline_extra_ca_certificates": {"x": "text"},
            "account_user": "root",
            "sandbox_memory": "0",
            "ssh_password_authentication": "maybe",
            "ssh_deny_users": ["admin"],
            "fail2ban_ignore": ["office.example"],
            "verify_report": "/no/such/folder/report.json",
            "verify_allowed_listeners": ["https"],
        },
        [
            "MiB of memory",
            "MiB of free disk",
            "the gateway needs 9000000 and 900000000 (baseline_min_memory_mb, baseline_min_disk_mb). Nothing was changed",
            "baseline_extra_ca_certificates must map plain names to PEM text",
            "account_user: 'root' cannot be the gateway's user",
            "A sandbox without bounds is not made",
            "'maybe' is none of auto, true, false",
            "ssh_deny_users must be plain names",
            "lock yourself out",
            "fail2ban_ignore: office.example is no address or network",
            "verify_report: there is no folder /no/such/folder on this controller",
            "verify_allowed_listeners: https: each must be tcp/PORT or udp/PORT, such as tcp/443",
        ],
    ),
    "the operator as the gateway's user": ({"account_user": "admin"}, ["account_user: 'admin' cannot be the gateway's user"]),
    "a version without a lock file": (
        {"gateway_version": "2026.1.1"},
        ["no lock file for openclaw 2026.1.1", "Locked are: 2026.9.5, 2026.9.6", "playbooks/lock.yml"],
    ),
}


@pytest.mark.parametrize(("variables", "words"), CASES.values(), ids=CASES.keys())
def test_refused_with_words(tmp_path: Path, variables: dict[str, object], words: list[str]) -> None:
    """S14: what is wrong, which variable, how to fix it."""
    said = refused(tmp_path, variables)
    for word in words:
        assert word in said, said[-1500:]


@pytest.mark.parametrize("token", [secrets.token_hex(8), "ab" * 20], ids=["short", "the same few"])
def test_a_weak_token(tmp_path: Path, token: str) -> None:
    """S14, S7: a weak token is refused, and not repeated in the message."""
    said = refused(tmp_path, {"gateway_token": token})
    assert "gateway_token: is too weak" in said
    assert token not in said


@contextmanager
def changed_host(do: str, undo: str) -> Iterator[None]:
    lab.inside(NAME, do)
    try:
        yield
    finally:
        lab.inside(NAME, undo)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """S14: another program has the gateway's port: it is named."""
    listen = "systemd-run --quiet --unit squatter python3 -m http.server 18789 --bind 127.0.0.1 --directory /srv; "
    listen += "wait_until 'ss -Hltn sport = :18789 | grep -q .'"
    with changed_host(listen, "systemctl stop squatter"):
        said = refused(tmp_path, {})
    assert "gateway_port: 18789 is taken" in said
    assert "python3" in said


@pytest.mark.parametrize(("system", "version"), [("ubuntu", "20.04"), ("debian", "11"), ("fedora", "42")])
def test_an_unsupported_system(tmp_path: Path, system: str, version: str) -> None:
    """S14: other systems and older releases are refused by name."""
    other = f'ID={system}\\nVERSION_ID={version}\\nPRETTY_NAME="{system} {version}"\\n'
    with changed_host(f"rm /etc/os-release; printf '{other}' >/etc/os-release", "ln -sf ../usr/lib/os-release /etc/os-release"):
        said = refused(tmp_path, {})
    assert f"runs {system} {version}" in said
    assert "Supported are Ubuntu 24.04 and 26.04, Debian 12 and 13" in said


def test_a_host_without_a_resolver(tmp_path: Path) -> None:
    """S14: what cannot be found before the run would not be found after it."""
    with changed_host("cp /etc/resolv.conf /root/resolv; echo >/etc/resolv.conf", "cat /root/resolv >/etc/resolv.conf; rm /root/resolv"):
        said = refused(tmp_path, {})
    assert "/etc/resolv.conf of" in said
    assert "names no resolver" in said


def test_an_unreachable_npm_mirror(tmp_path: Path) -> None:
    """S14: the release cannot be downloaded: npm's words, the variable to set, and the host untouched."""
    said = refused(tmp_path, {"release_registry": "http://127.0.0.1:9/", "release_cache_dir": str(tmp_path / "cache")})
    assert "npm could not download the release 2026.9.6" in said
    assert "set release_registry" in said


def test_an_unreachable_debian_mirror(tmp_path: Path) -> None:
    """S14: the host's package mirror cannot be reached: one message, and no package or setting of the host changed."""
    gone = "mv /etc/apt/sources.list /root/sources; echo 'deb http://127.0.0.1:9/debian bookworm main' >/etc/apt/sources.list"
    with changed_host(gone, "mv /root/sources /etc/apt/sources.list"):
        said = refused(tmp_path, {}, SETTINGS)
    assert "could not be installed on" in said
    assert "Nothing else was changed" in said


def test_a_wrong_policy_for_a_machine_that_is_not_there(tmp_path: Path) -> None:
    """S14: it is refused before the machine is made; not even its keys are."""
    machine = {"vm_provider": "qemu", "vm_directory": str(tmp_path / "vms"), "vm_image": "/no/such/image.qcow2"}
    said = refused(tmp_path, {**machine, "gateway_port": 80})
    assert "gateway_port: must be a number from 1024 to 65535" in said
    assert not (tmp_path / "vms").exists()
