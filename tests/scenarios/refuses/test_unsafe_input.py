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


CASES: dict[str, tuple[dict[str, object], list[str]]] = {
    "too little memory": (
        {"baseline_min_memory_mb": 9000000},
        ["MiB of memory", "baseline_min_memory_mb", "Nothing was changed"],
    ),
    "too little disk": (
        {"baseline_min_disk_mb": 900000000},
        ["MiB of free disk", "baseline_min_disk_mb", "Nothing was changed"],
    ),
    "a version without a lock file": (
        {"gateway_version": "2026.1.1"},
        ["no lock file for openclaw 2026.1.1", "Locked are: 2026.9.5, 2026.9.6", "playbooks/lock.yml"],
    ),
    "an unknown product": ({"gateway_product": "moltbot"}, ["value of gateway_product must be one of: openclaw, clawdbot, got: moltbot"]),
    # What else can be wrong with the policy is in tests/unit/test_policy.py.
    "all that is wrong at once": (
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
            "sandbox_mounts": {"/etc": "/config"},
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
            "gateway_mention_patterns: '[pot' is no regular expression",
            "/models/anthropic: is a placeholder",
            "gateway_config_extra.channels.telegram.groupPolicy: lets anybody give orders",
            "sandbox_mounts./etc: would show the system",
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
    "an unknown runtime": ({"gateway_runtime": "docker"}, ["gateway_runtime"]),
    "tools without a sandbox": ({"sandbox_mode": "off"}, ["sandbox_mode", "all, non-main"]),
    "everybody approved": (
        {"access_channels": {"telegram": {"accounts": {"default": {"allow": ["*"]}}}}},
        ["access_channels.telegram.accounts.default.allow: '*' lets everybody in", "Nothing was changed"],
    ),
    "somebody nobody knows approved": (
        {"access_channels": {"telegram": {"accounts": {"default": {"allow": ["eve"]}}}}},
        ["there is nobody called 'eve' in access_people", "Nothing was changed"],
    ),
    "a path as a channel": (
        {"access_channels": {"../telegram": {"accounts": {"default": {"allow": ["1"]}}}}},
        ["'../telegram' is no channel", "Nothing was changed"],
    ),
    "root as the gateway's user": ({"account_user": "root"}, ["account_user: 'root' cannot be the gateway's user"]),
    "the operator as the gateway's user": (
        {"account_user": "admin"},
        ["account_user: 'admin' cannot be the gateway's user"],
    ),
    "a sandbox without bounds": ({"sandbox_memory": "0"}, ["A sandbox without bounds is not made"]),
    "keys of the wrong type": ({"gateway_model_keys": "text"}, ["gateway_model_keys"]),
    "passwords: neither yes nor no": ({"ssh_password_authentication": "maybe"}, ["is none of auto, true, false"]),
    "a name never banned": ({"fail2ban_ignore": ["office.example"]}, ["fail2ban_ignore", "no address or network"]),
    "a rule of two lines": (
        {"gateway_agent_rules": ["Show no key.", "One.\nTwo."]},
        ["gateway_agent_rules: each rule is one line of plain text", "One.", "Two."],
    ),
    "a report into nowhere": (
        {"verify_report": "/no/such/folder/report.json"},
        ["verify_report: there is no folder /no/such/folder on this controller"],
    ),
    "a listener that is no port": ({"verify_allowed_listeners": ["https"]}, ["verify_allowed_listeners", "tcp/443"]),
    "the operator shut out": ({"ssh_deny_users": ["admin"]}, ["ssh_deny_users must be plain names", "lock yourself out"]),
    "an exception for everything": (
        {"egress_exceptions": [{"address": "0.0.0.0/0", "port": 443, "protocol": "tcp", "comment": "all"}]},
        ["egress_exceptions[0].address: 0.0.0.0/0 opens a whole network", "Nothing was changed"],
    ),
    "an exception for a private range": (
        {"egress_exceptions": [{"address": "fd00::/8", "port": 443, "protocol": "tcp", "comment": "home"}]},
        ["egress_exceptions[0].address: fd00::/8 opens a whole network", "Nothing was changed"],
    ),
    "an exception without a port": (
        {"egress_exceptions": [{"address": "10.0.0.5", "protocol": "tcp", "comment": "model"}]},
        ["egress_exceptions[0] must have address, port, protocol and comment", "Nothing was changed"],
    ),
    "a wildcard for a top-level domain": (
        {"egress_mode": "allowlist", "egress_domains": ["*.com"]},
        ["egress_domains[0]: '*.com' opens a whole top-level domain", "Nothing was changed"],
    ),
    "a wildcard for everything": (
        {"egress_mode": "allowlist", "egress_domains": ["*"]},
        ["egress_domains[0]: '*' is no domain", "Nothing was changed"],
    ),
    "an allowlist of nothing": ({"egress_mode": "allowlist"}, ["egress_domains", "no domain is named", "Nothing was changed"]),
    "an unknown mode": ({"egress_mode": "closed"}, ["egress_mode", "guarded, allowlist, open"]),
    "a certificate that is none": (
        {"baseline_extra_ca_certificates": {"x": "text"}},
        ["baseline_extra_ca_certificates"],
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
