"""S11, and SSH itself: the operator keeps the door, nobody else has one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from module_utils.lobsterpot import sshd_config
from tests.lab.gateway import Host, playbook, sshd_settings

TEAM = "/etc/ssh/sshd_config.d/50-team.conf"
ASKED = "user=admin,host=office.example,addr=192.0.2.7,laddr=192.0.2.1,lport=2022,rdomain="


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


@pytest.fixture
def team(gateway: Host) -> Iterator[Host]:
    """The host of a team that keeps a file of its own for sshd; the tests write it."""
    yield gateway
    gateway.run(f"rm -f {TEAM}; systemctl reload ssh")


def test_a_block_that_takes_passwords(team: Host, tmp_path: Path) -> None:
    """S11: `sshd -T` says that passwords are off, and admin's are taken. The run stops before a change, with file and line."""
    team.feed(f"cat >{TEAM}", "Match User admin\n  PasswordAuthentication yes\n")
    assert "passwordauthentication no" in team.run("sshd -T").split("\n")
    assert "passwordauthentication yes" in team.run(f"sshd -T -C {ASKED}").split("\n")
    words = f"{TEAM}:2: `PasswordAuthentication yes` in the block `Match User admin`"
    done = playbook("--tags", "ssh", check=False)
    assert done.returncode != 0
    assert words in " ".join(done.stdout.split())
    assert "changed=0" in done.stdout

    report = tmp_path / "report.json"
    assert playbook("-e", f"verify_report={report}", name="playbooks/verify.yml", check=False).returncode != 0
    (host,) = json.loads(report.read_text())["hosts"].values()
    assert host["problems"]["ssh"] == [f"sshd's configuration is loosened by {words}"]

    # Where passwords are wanted, the same line is the operator's business.
    assert words not in playbook("--tags", "never", "-e", "ssh_password_authentication=true").stdout


def test_a_block_that_lets_the_gateways_user_in(team: Host) -> None:
    """S3, S11: a list of a block takes the place of the project's own, in which the gateway's user stands."""
    team.feed(f"cat >{TEAM}", "Match all\n  DenyUsers nobody\n")
    assert "denyusers openclaw" not in team.run(f"sshd -T -C {ASKED}").split("\n")
    done = playbook("--tags", "never", check=False)
    assert f"{TEAM}:2: `DenyUsers nobody` in the block `Match all`" in " ".join(done.stdout.split())
    assert done.returncode != 0


def test_a_block_that_loosens_nothing(team: Host) -> None:
    """S11: a group that may only use sftp, by key, is not refused."""
    block = (
        "Match Group games\n  ChrootDirectory /srv\n  ForceCommand internal-sftp\n  PasswordAuthentication no\n  AllowTcpForwarding no\n"
    )
    team.feed(f"cat >{TEAM}", block)
    assert "changed=0" in playbook("--tags", "ssh").stdout


@pytest.mark.parametrize(
    ("main", "other"),
    [
        ("Match User admin\nPasswordAuthentication yes\n", ""),
        ("match user=admin\n\t passwordauthentication=YES # for now\n", ""),
        ('Match "User" "admin"\n  PasswordAuthentication = "yes"\n', ""),
        ("Match Address 192.0.2.0/24\n  Include /tmp/sshd-o*.conf\n", "PasswordAuthentication yes\n"),
        ("Include '/tmp/sshd-other.conf'\n", "Match Host *.example LocalPort 2022\r\nPasswordAuthentication yes\r\n"),
        ("Match User nobody\nInclude /tmp/sshd-other.conf\nMatch User *,!root\nPasswordAuthentication yes\n", "Match all\n"),
        ("Match User admin\n#PasswordAuthentication yes\n", ""),
        ("Include /tmp/sshd-other.conf\nPasswordAuthentication no\n", "Match User nobody\nX11Forwarding no\n"),
    ],
)
def test_the_files_are_read_as_sshd_reads_them(gateway: Host, main: str, other: str) -> None:
    """S11: whether this block takes admin's passwords, sshd and the project say the same."""
    files = {"/tmp/sshd-main.conf": f"PasswordAuthentication no\n{main}", "/tmp/sshd-other.conf": other}  # noqa: S108 - on the host
    for path, content in files.items():
        gateway.feed(f"cat >{path}", content)
    said = gateway.run(f"sshd -T -f /tmp/sshd-main.conf -C {ASKED}; rm /tmp/sshd-main.conf /tmp/sshd-other.conf").split("\n")
    texts = {sshd_config.MAIN: f"Include /etc/ssh/sshd_config.d/*.conf\n{main}", "/tmp/sshd-other.conf": other}  # noqa: S108
    on_passwords, _ = sshd_config.problems(
        lambda path: texts.get(path, ""), lambda pattern: [path for path in texts if Path(path).match(pattern)]
    )
    assert ("passwordauthentication yes" in said) is bool(on_passwords)
