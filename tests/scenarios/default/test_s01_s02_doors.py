"""S1, S2: from outside only SSH answers, whatever a container publishes; the gateway listens on loopback alone."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

import pytest

from tests import lab
from tests.lab import limits
from tests.lab.gateway import Host, playbook, wait_for
from tests.lab.neighbour import neighbour_reaches, open_ports

PUBLISHED = 8081
LISTENER = 8082


def test_only_ssh_answers_on_ipv4(gateway: Host) -> None:
    """S1: a neighbour that tries all 65535 ports finds the SSH port in use, nothing else, not port 22 either."""
    assert open_ports(gateway.ipv4) == {2022}


def test_only_ssh_answers_on_ipv6(gateway: Host) -> None:
    """S1: IPv6 is no way round."""
    assert open_ports(gateway.ipv6) == {2022}


def test_sockets_outside_loopback_are_ssh_alone(gateway: Host) -> None:
    """S2: the gateway's socket is on loopback, on both families, and only sshd listens elsewhere."""
    rows = [line.split() for line in gateway.run("ss -Hltun").splitlines()]
    assert sorted({(row[0], row[4]) for row in rows}) == [
        ("tcp", "0.0.0.0:2022"),
        ("tcp", "127.0.0.1:18789"),
        ("tcp", "[::1]:18789"),
        ("tcp", "[::]:2022"),
    ]


@pytest.fixture
def published(gateway: Host) -> Iterator[Host]:
    """A container that publishes a port as rootful podman and docker do: rewritten and forwarded past UFW's input rules."""
    gateway.run(
        f"""
        ip netns add published
        ip link add podman9 type veth peer name eth0 netns published
        ip address add 10.88.9.1/24 dev podman9; ip link set podman9 up
        ip -n published link set lo up
        ip -n published address add 10.88.9.2/24 dev eth0; ip -n published link set eth0 up
        ip -n published route add default via 10.88.9.1
        sysctl -qw net.ipv4.ip_forward=1
        iptables -t nat -I PREROUTING -p tcp --dport {PUBLISHED} -m addrtype --dst-type LOCAL -j DNAT --to-destination 10.88.9.2:{PUBLISHED}
        iptables -I FORWARD -d 10.88.9.0/24 -j ACCEPT
        iptables -I FORWARD -s 10.88.9.0/24 -j ACCEPT
        systemd-run --quiet --unit published-port ip netns exec published python3 -m http.server {PUBLISHED} --directory /var/empty
        """.replace("--directory /var/empty", "--directory /srv")
    )
    wait_for(
        lambda: gateway.code(f"ip netns exec published ss -Hltn sport = :{PUBLISHED} | grep -q .") == 0,
        "the container listens",
    )
    yield gateway
    gateway.run(
        f"""
        systemctl stop published-port
        iptables -t nat -D PREROUTING -p tcp --dport {PUBLISHED} -m addrtype --dst-type LOCAL -j DNAT --to-destination 10.88.9.2:{PUBLISHED}
        iptables -D FORWARD -d 10.88.9.0/24 -j ACCEPT
        iptables -D FORWARD -s 10.88.9.0/24 -j ACCEPT
        ip netns delete published
        systemctl start lobsterpot-forward
        """
    )


def test_a_published_port_stays_shut(published: Host) -> None:
    """S1: publishing a port opens nothing. With the forward table gone, the same port is reached: so it is the control that holds."""
    assert not neighbour_reaches(published.ipv4, PUBLISHED)
    published.run("nft delete table inet lobsterpot_forward")
    assert neighbour_reaches(published.ipv4, PUBLISHED)
    published.run("systemctl reload lobsterpot-forward")
    assert not neighbour_reaches(published.ipv4, PUBLISHED)


def test_ufw_holds_what_listens_by_mistake(gateway: Host) -> None:
    """S1: a program that listens on every address is not reached. Without UFW it is: so it is UFW that holds."""
    gateway.run(f"systemd-run --quiet --unit by-mistake python3 -m http.server {LISTENER} --bind :: --directory /srv")
    try:
        wait_for(lambda: gateway.code(f"ss -Hltn sport = :{LISTENER} | grep -q .") == 0, "it listens")
        assert not neighbour_reaches(gateway.ipv4, LISTENER)
        assert not neighbour_reaches(gateway.ipv6, LISTENER)
        gateway.run("ufw disable")
        assert neighbour_reaches(gateway.ipv4, LISTENER)
        assert neighbour_reaches(gateway.ipv6, LISTENER)
    finally:
        gateway.run("ufw --force enable; systemctl stop by-mistake")


def test_a_firewall_that_was_emptied(gateway: Host) -> None:
    """S1, S11: the kernel's tables are emptied behind UFW's back, which still calls itself active. A run says so and locks nobody out."""
    gateway.run("iptables -P INPUT ACCEPT; iptables -F INPUT")
    try:
        assert "Status: active" in gateway.run("ufw status")
        done = playbook("--tags", "firewall", check=False)
        assert done.returncode != 0
        assert "somebody emptied the kernel's tables, so it filters nothing" in " ".join(done.stdout.split())
        assert neighbour_reaches(gateway.ipv4, 2022)
    finally:
        # The repair that the message names.
        gateway.run("/lib/ufw/ufw-init flush-all && ufw --force enable")
    assert open_ports(gateway.ipv4) == {2022}


def test_fail2ban_watches_the_port_in_use(gateway: Host) -> None:
    """Brute force: the jail counts failed logins on the port that sshd really has."""
    assert "sshd" in gateway.run("fail2ban-client status")
    assert gateway.run("fail2ban-client get sshd action nftables port").strip() == "2022"


def test_who_keeps_failing_is_banned(gateway: Host) -> None:
    """Brute force: after some names that do not exist, the neighbour does not even get a connection any more."""
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-p", "2022"]
    login = lab.netns(lab.NEIGHBOUR, "ssh", *options, f"no-such-user@{gateway.ipv4}", "true")
    try:
        for _ in range(6):
            # The ban also cuts a login that has begun: then ssh waits for an answer that never comes.
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(login, check=False, capture_output=True, timeout=limits.LOGIN_CUT)
        wait_for(lambda: lab.address(250)[0] in gateway.run("fail2ban-client status sshd"), "the neighbour is banned")
        assert not neighbour_reaches(gateway.ipv4, 2022)
    finally:
        gateway.run("fail2ban-client unban --all")
    assert neighbour_reaches(gateway.ipv4, 2022)
