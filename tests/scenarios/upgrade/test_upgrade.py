"""S10: an upgrade is a switch, what the gateway knew stays, and an upgrade that cannot work is taken back."""

from __future__ import annotations

from tests import lab
from tests.lab.gateway import NAME, Host

SENDERS = """
/usr/local/lib/lobsterpot/run-as-openclaw python3 -c "
import sqlite3
db = sqlite3.connect('file:/home/openclaw/.openclaw/state/openclaw.sqlite?mode=ro', uri=True)
print([row[0] for row in db.execute('SELECT entry FROM channel_pairing_allow_entries ORDER BY entry')])"
"""


def host(script: str) -> str:
    return lab.inside(NAME, script).strip()


def test_the_new_release_is_in_use() -> None:
    """The link names the new release, the old one stays beside it, and the command and the process are the new one's."""
    assert host("readlink /opt/openclaw/current").startswith("releases/2026.9.6-x64-")
    releases = host("ls /opt/openclaw/releases").split()
    assert [name.rpartition("-")[0] for name in releases] == ["2026.9.5-x64", "2026.9.6-x64"]
    assert host("openclaw --version").startswith("OpenClaw 2026.9.6")
    pid = host("systemctl show -p MainPID --value openclaw-gateway")
    assert host(f"readlink /proc/{pid}/exe").startswith(f"/opt/openclaw/releases/{releases[1]}/")


def test_approved_senders_stay() -> None:
    """Who was approved by hand under the old release is approved under the new one, beside those of the inventory."""
    assert host(SENDERS) == "['1001', '123456789', '4242', 'ada']"


def test_debian_13() -> None:
    """This host is the other supported Debian, and its unit is as tight there."""
    assert host(". /etc/os-release; echo $ID $VERSION_ID") == "debian 13"
    line = host("systemd-analyze security --no-pager openclaw-gateway | tail -1")
    assert float(line.split(":")[1].split()[0]) <= 2.6


def test_its_sandbox_works(model: Host) -> None:
    """With podman 5 and systemd 257 too, the gateway starts a sandbox from inside its unit, and exec finds no capability and no network."""
    probe = "id -u; grep CapEff /proc/self/status | cut -f2; ls /sys/class/net; touch /probe 2>/dev/null || echo read-only"
    assert model.agent("exec", {"command": probe}, "s05-trixie").split()[-4:] == ["1000", "0000000000000000", "lo", "read-only"]


def test_a_release_that_does_not_start_is_taken_back() -> None:
    """S10: the older release refuses the newer state, or cannot start for another reason: the newer one is in use again, and ready."""
    before = host("readlink /opt/openclaw/current; sha256sum /etc/openclaw/openclaw.json")
    folder = host("echo /opt/openclaw/releases/2026.9.5-x64-*") + "/bin"
    host(f"mv {folder}/node /root/node; printf '#!/bin/sh\\nexit 1\\n' >{folder}/node; chmod 0755 {folder}/node")
    try:
        # Short: it cannot get ready, however long it is waited for.
        done = lab.site(NAME, "--tags", "gateway", "-e", "gateway_version=2026.9.5", "-e", "gateway_ready_timeout=20")
    finally:
        host(f"rm {folder}/node; mv /root/node {folder}/node")
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "are in use again" in said
    assert host("readlink /opt/openclaw/current; sha256sum /etc/openclaw/openclaw.json") == before
    # S4: on the way back nothing became writable for others.
    assert host(r"find /opt/openclaw \( ! -user root -o -perm /022 ! -type l \) | head -3") == ""
    Host().wait_until_ready()
