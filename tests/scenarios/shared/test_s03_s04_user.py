"""S3, S4: the gateway's user is nobody, and changes nothing that runs it."""

from __future__ import annotations

import pytest

from tests.lab.gateway import UNIT, USER, Host


def test_no_group_shell_password_or_sudo(gateway: Host) -> None:
    """S3: its own group only, no login shell, a locked password, no rule of sudo's."""
    assert gateway.run(f"id -nG {USER}").strip() == USER
    assert gateway.run(f"getent passwd {USER}").strip().endswith(":/usr/sbin/nologin")
    assert gateway.run(f"getent shadow {USER}").split(":")[1] == "!"
    assert "not allowed to run sudo" in gateway.run(f"sudo -l -U {USER}")


def test_no_socket_of_root_is_open_to_it(gateway: Host) -> None:
    """S3: no socket below /run that another user owns takes its writes, except those every user talks to."""
    code, out = gateway.as_user("find /run /var/run -type s -writable ! -user openclaw 2>/dev/null")
    allowed = {
        "/run/dbus/system_bus_socket",
        "/run/systemd/notify",
        "/run/systemd/private",
        # Debian 12's name, and Debian 13's.
        "/run/systemd/io.system.ManagedOOM",
        "/run/systemd/io.systemd.ManagedOOM",
    }
    everybody = {
        "/run/systemd/journal/dev-log",
        "/run/systemd/journal/socket",
        "/run/systemd/journal/stdout",
        "/run/systemd/userdb/io.systemd.DynamicUser",
        # systemd's own of Debian 13 and of a whole machine, open to every user there.
        "/run/systemd/io.systemd.Credentials",
        "/run/systemd/io.systemd.Hostname",
        "/run/systemd/netif/io.systemd.Network",
        "/run/systemd/resolve/io.systemd.Resolve",
        "/run/systemd/resolve/io.systemd.Resolve.Monitor",
    }
    assert set(out.split()) - allowed - everybody == set(), code
    assert gateway.run("ss -Hxl | grep -E 'podman[.]sock|docker[.]sock|containerd[.]sock' || true") == ""


def test_ssh_refuses_it_even_with_a_key(gateway: Host) -> None:
    """S3: sshd's effective settings name the user among those denied."""
    effective = gateway.run("sshd -T")
    assert "denyusers openclaw\n" in effective


CHANGES = {
    "code": "echo x >>/opt/openclaw/current/node_modules/openclaw/openclaw.mjs",
    "node": "cp /bin/true /opt/openclaw/current/bin/node",
    "the release in use": "ln -sfn /tmp /opt/openclaw/current",
    "a new release": "mkdir /opt/openclaw/releases/mine",
    "configuration": "echo '{}' >/etc/openclaw/openclaw.json",
    "configuration, by rename": "mv /etc/openclaw/openclaw.json /etc/openclaw/old.json",
    "secrets": "cat /etc/openclaw/secrets.json",
    "the directory of the secrets' copy": "touch /run/openclaw/mine",
    "environment": "echo LD_PRELOAD=/tmp/x >>/etc/openclaw/environment",
    "unit": f"echo x >>/etc/systemd/system/{UNIT}",
    "drop-in of the unit": f"mkdir -p /etc/systemd/system/{UNIT}.d",
    "drop-in of its manager": "touch /etc/systemd/system/user@$(id -u).service.d/zz.conf",
    "the admin's command": "echo x >>/usr/local/bin/openclaw",
    "podman's settings": "echo x >>/etc/lobsterpot/podman/containers.conf",
    "firewall": "ufw disable || iptables -F || nft flush ruleset",
    "forward rule": "echo >/etc/lobsterpot/forward.nft",
    "the service": f"systemctl stop {UNIT}",
    "SSH": "echo x >>/etc/ssh/sshd_config.d/01-lobsterpot.conf",
    "bans": "fail2ban-client unban --all",
}


@pytest.mark.parametrize("script", CHANGES.values(), ids=CHANGES.keys())
def test_it_cannot_change(gateway: Host, script: str) -> None:
    """S4: each attempt as the user fails."""
    code, _ = gateway.as_user(script)
    assert code != 0


def test_the_attempts_above_would_show(gateway: Host) -> None:
    """The same attempts are good ones: root succeeds with one, and with the file's mode opened the user does too."""
    gateway.run("chmod o+w /etc/openclaw/environment; chmod o+x /etc/openclaw")
    try:
        assert gateway.as_user("echo '# opened' >>/etc/openclaw/environment")[0] == 0
    finally:
        gateway.run("chmod o-w /etc/openclaw/environment; chmod o-x /etc/openclaw; sed -i '/# opened/d' /etc/openclaw/environment")


def test_the_whole_release_belongs_to_root(gateway: Host) -> None:
    """S4: not one file or directory of the code is another's or writable by others."""
    assert gateway.run(r"find /opt/openclaw \( ! -user root -o -perm /022 ! -type l \) | head -3") == ""


def test_configuration_is_read_only_to_the_service(gateway: Host) -> None:
    """S4: the service is told so, and its mounts say so as well."""
    pid = gateway.run(f"systemctl show -p MainPID --value {UNIT}").strip()
    assert "OPENCLAW_CONFIG_READONLY=1" in gateway.run(f"tr '\\0' '\\n' </proc/{pid}/environ").split("\n")
    root = next(line for line in gateway.run(f"cat /proc/{pid}/mountinfo").splitlines() if line.split()[4] == "/")
    assert "ro" in root.split()[5].split(",")
