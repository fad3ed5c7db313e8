"""S11, and SSH itself: the operator keeps the door, nobody else has one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.lab.gateway import Host, playbook, sshd_settings


def test_the_firewall_allows_the_port_in_use(gateway: Host) -> None:
    """S11: the rule names the port of the connection, not the standard one."""
    assert sshd_settings(gateway)["port"] == "2022"
    rules = gateway.run("ufw show added").splitlines()[1:]
    assert rules == ["ufw allow 2022/tcp comment 'SSH (Lobsterpot)'"]


def test_ssh_audit_has_no_warning(gateway: Host) -> None:
    """No weak algorithm: ssh-audit prints neither a failure nor a warning."""
    command = ["ssh-audit", "--json", "--skip-rate-test", "--port", "2022", gateway.ipv4]
    report = json.loads(subprocess.run(command, check=False, capture_output=True, text=True).stdout)
    notes = [
        f"{entry['algorithm']}: {note}"
        for kind in ("kex", "key", "enc", "mac")
        for entry in report[kind]
        for level in ("fail", "warn")
        for note in entry.get("notes", {}).get(level, [])
    ]
    assert notes == []
    assert report["kex"]


def test_an_invalid_drop_in_is_never_installed(gateway: Host, tmp_path: Path) -> None:
    """S11: a setting that sshd refuses stops the run; the drop-in and the running sshd stay as they are."""
    before = gateway.run("sha256sum /etc/ssh/sshd_config.d/01-lobsterpot.conf; systemctl show -p MainPID ssh")
    variables = tmp_path / "bad.json"
    variables.write_text(json.dumps({"ssh_deny_users": ["nobody\nNoSuchSetting yes"]}))
    done = playbook("--tags", "ssh", "--extra-vars", f"@{variables}", check=False)
    assert done.returncode != 0
    assert "NoSuchSetting" in done.stdout
    assert gateway.run("sha256sum /etc/ssh/sshd_config.d/01-lobsterpot.conf; systemctl show -p MainPID ssh") == before
