# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what Linux and its tools print. The samples are taken from Debian hosts."""

# ruff: noqa: S104 - nothing listens on the addresses in the samples

from __future__ import annotations

import pytest
from ansible.module_utils.lobsterpot import host
from ansible.module_utils.lobsterpot.host import Listener
from hypothesis import given
from hypothesis import strategies as st

OS_RELEASE = """\
PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
VERSION="13 (trixie)"
VERSION_CODENAME=trixie
# A comment with = in it
ID=debian
HOME_URL="https://www.debian.org/?a=b"

VARIANT='quoted once'
"""

MEMINFO = """\
MemTotal:        2014448 kB
MemFree:          170340 kB
MemAvailable:    1403724 kB
"""

SSHD = """\
port 22
port 2022
addressfamily any
listenaddress [::]:22
listenaddress 0.0.0.0:22
permitrootlogin without-password
passwordauthentication no
permitemptypasswords no
kexalgorithms sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,mlkem768x25519-sha256
denyusers openclaw
denyusers games
subsystem sftp /usr/lib/openssh/sftp-server
authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2
"""

SS = """\
udp   UNCONN 0      0                     127.0.0.54:53         0.0.0.0:*    users:(("systemd-resolve",pid=612,fd=19))
udp   UNCONN 0      0                  127.0.0.53%lo:53         0.0.0.0:*    users:(("systemd-resolve",pid=612,fd=17))
udp   UNCONN 0      0               10.0.2.15%enp0s3:68         0.0.0.0:*    users:(("systemd-network",pid=600,fd=22))
udp   UNCONN 0      0      [fe80::a00:27ff:fe4e:66a1]%enp0s3:546 [::]:*    users:(("systemd-network",pid=600,fd=23))
tcp   LISTEN 0      511                    127.0.0.1:18789      0.0.0.0:*    users:(("node-MainThread",pid=1501,fd=22))
tcp   LISTEN 0      511                        [::1]:18789         [::]:*    users:(("node-MainThread",pid=1501,fd=23))
tcp   LISTEN 0      128                      0.0.0.0:22         0.0.0.0:*    users:(("sshd",pid=812,fd=3))
tcp   LISTEN 0      128                         [::]:22            [::]:*    users:(("sshd",pid=812,fd=4))
tcp   LISTEN 0      4096                           *:2022             *:*    users:(("sshd",pid=900,fd=3),("systemd",pid=1,fd=72))
tcp   LISTEN 0      100           [::ffff:127.0.0.1]:8080             *:*    users:(("java",pid=1700,fd=11))
tcp   LISTEN 0      4096                  127.0.0.1:631       0.0.0.0:*    users:(("tmux: server",pid=77,fd=7))
tcp   LISTEN 0      10                  10.0.2.15:5432       0.0.0.0:*
"""

UNITS = """\
Id=openclaw-gateway.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled

Id=podman.socket
LoadState=masked
ActiveState=inactive
UnitFileState=masked

Id=missing.service
LoadState=not-found
ActiveState=inactive
UnitFileState=
"""


def test_os_release() -> None:
    """Quotes of both kinds go, comments and empty lines are no settings, a value may hold an equals sign."""
    assert host.parse_os_release(OS_RELEASE) == {
        "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)",
        "NAME": "Debian GNU/Linux",
        "VERSION_ID": "13",
        "VERSION": "13 (trixie)",
        "VERSION_CODENAME": "trixie",
        "ID": "debian",
        "HOME_URL": "https://www.debian.org/?a=b",
        "VARIANT": "quoted once",
    }


@pytest.mark.parametrize(("text", "megabytes"), [(MEMINFO, 1967), ("", 0), ("MemFree: 1024 kB\n", 0)])
def test_meminfo(text: str, megabytes: int) -> None:
    """A machine that is too small is found before anything is installed on it."""
    assert host.parse_meminfo_mb(text) == megabytes


def test_sshd() -> None:
    """A keyword given twice keeps both values, a value with spaces stays whole."""
    settings = host.parse_sshd(SSHD)
    assert settings["port"] == ["22", "2022"]
    assert settings["denyusers"] == ["openclaw", "games"]
    assert settings["listenaddress"] == ["[::]:22", "0.0.0.0:22"]
    assert settings["subsystem"] == ["sftp /usr/lib/openssh/sftp-server"]
    assert settings["passwordauthentication"] == ["no"]
    assert host.parse_sshd("") == {}


@pytest.mark.parametrize(
    ("offered", "modern"),
    [
        (["sntrup761x25519-sha512@openssh.com,mlkem768x25519-sha256"], True),
        (["mlkem768x25519-sha256"], True),
        (["mlkem768x25519-sha256,curve25519-sha256"], False),
        (["curve25519-sha256"], False),
        ([""], False),
        ([], False),
    ],
)
def test_only_post_quantum(offered: list[str], modern: bool) -> None:
    """One classical key exchange among the offers is enough to record now and decrypt later."""
    assert host.only_post_quantum({"kexalgorithms": offered}) is modern


def test_no_word_about_key_exchange_is_not_modern() -> None:
    """An sshd that could not be asked is not taken for a safe one."""
    assert host.only_post_quantum({}) is False


@pytest.mark.parametrize(
    ("value", "connection"),
    [
        ("203.0.113.7 51234 10.0.2.15 22", host.Connection("203.0.113.7", 22)),
        ("2001:db8::7 51234 2001:db8::15 2022", host.Connection("2001:db8::7", 2022)),
        ("fe80::1%eth0 51234 fe80::2%eth0 22", host.Connection("fe80::1%eth0", 22)),
        ("203.0.113.7 51234 10.0.2.15", None),
        ("203.0.113.7 51234 10.0.2.15 ssh", None),
        ("", None),
    ],
)
def test_ssh_connection(value: str, connection: host.Connection | None) -> None:
    """The port that must stay open is the one on this side; a value in another form is not guessed at."""
    assert host.parse_ssh_connection(value) == connection


def test_listeners() -> None:
    """Both families, zones, the wildcard, v4-mapped addresses, shared sockets, names with spaces, sockets of others."""
    assert host.parse_listeners(SS) == [
        Listener("udp", "127.0.0.54", 53, "systemd-resolve", 612),
        Listener("udp", "127.0.0.53", 53, "systemd-resolve", 612),
        Listener("udp", "10.0.2.15", 68, "systemd-network", 600),
        Listener("udp", "fe80::a00:27ff:fe4e:66a1", 546, "systemd-network", 600),
        Listener("tcp", "127.0.0.1", 18789, "node-MainThread", 1501),
        Listener("tcp", "::1", 18789, "node-MainThread", 1501),
        Listener("tcp", "0.0.0.0", 22, "sshd", 812),
        Listener("tcp", "::", 22, "sshd", 812),
        Listener("tcp", "*", 2022, "sshd", 900),
        Listener("tcp", "::ffff:127.0.0.1", 8080, "java", 1700),
        Listener("tcp", "127.0.0.1", 631, "tmux: server", 77),
        Listener("tcp", "10.0.2.15", 5432, "", 0),
    ]


@pytest.mark.parametrize("text", ["", "\n", "ss: command not found\n", "tcp LISTEN 0 128\n"])
def test_no_listeners(text: str) -> None:
    """Text in another form is no listener, and no crash."""
    assert host.parse_listeners(text) == []


@given(st.text())
def test_listeners_of_any_text(text: str) -> None:
    """A process chooses its own name, so any text may stand in a line."""
    for listener in host.parse_listeners(text):
        assert listener.port >= 0
        assert listener.pid >= 0


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.0.0.53", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("*", False),
        ("10.127.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1", False),
        ("1270::1", False),
    ],
)
def test_loopback(address: str, loopback: bool) -> None:
    """Only what the machine alone can reach counts as loopback; a wildcard never does."""
    assert Listener("tcp", address, 1, "x", 1).loopback is loopback


def test_packages() -> None:
    """Only installed packages count: not the removed, the half-configured or the unknown."""
    text = (
        "ii \topenssh-server\t1:10.0p1-7\n"
        "rc \ttelnetd\t0.17-44\n"
        "un \tgvfs\t\n"
        "iF \tbroken\t1.0\n"
        "ii \tufw\t0.36.2-9\n"
        "dpkg-query: no packages found matching nosuch\n"
    )
    assert host.parse_packages(text) == {"openssh-server": "1:10.0p1-7", "ufw": "0.36.2-9"}
    assert host.parse_packages("") == {}


def test_a_held_package_is_installed() -> None:
    """`apt-mark hold` makes the status `hi`; the package is on the host and works."""
    assert host.parse_packages("hi \tpodman\t5.4.2+ds1-1\n") == {"podman": "5.4.2+ds1-1"}


def test_units() -> None:
    """A unit that does not exist is there with its state, so a caller need not guess."""
    assert host.parse_units(UNITS) == {
        "openclaw-gateway.service": {"active": "active", "enabled": "enabled", "loaded": "loaded"},
        "podman.socket": {"active": "inactive", "enabled": "masked", "loaded": "masked"},
        "missing.service": {"active": "inactive", "enabled": "", "loaded": "not-found"},
    }
    assert host.parse_units("") == {}
    assert host.parse_units("System has not been booted with systemd as init system (PID 1).\n") == {}


def test_subordinate_ids() -> None:
    """All ranges of a user add up; another user whose name begins alike has his own."""
    text = "openclaw:100000:65536\nopenclaw2:165536:65536\nopenclaw:300000:1000\nopenclaw:broken\n"
    assert host.subordinate_ids(text, "openclaw") == 66536
    assert host.subordinate_ids(text, "claw") == 0
    assert host.subordinate_ids("", "openclaw") == 0


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/openclaw-gateway.service\n", "openclaw-gateway.service"),
        ("0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"),
        ("12:pids:/system.slice/ssh.service\n1:name=systemd:/system.slice/ssh.service\n0::/\n", "ssh.service"),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/openclaw-gateway.service\n",
            "openclaw-gateway.service",
        ),
        ("0::/user.slice/user-1000.slice/session-4.scope\n", ""),
        ("0::/user.slice/user-1000.slice/user@1000.service/init.scope\n", "user@1000.service"),
        ("0::/init.scope\n", ""),
        ("0::/\n", ""),
        ("", ""),
    ],
)
def test_unit_of(cgroup: str, unit: str) -> None:
    """The kernel says which service a process belongs to; its name could say anything."""
    assert host.unit_of(cgroup) == unit


OWN = "openclaw-gateway.service"


@pytest.mark.parametrize(
    ("port", "units", "answer"),
    [
        (18789, {1501: OWN}, ""),
        (18789, {1501: "other.service"}, "node-MainThread"),
        (18789, {}, "node-MainThread"),
        (5432, {0: ""}, "a process that cannot be named"),
        (4711, {}, ""),
        (53, {}, ""),  # udp: no obstacle to a tcp port
    ],
)
def test_foreign_listener(port: int, units: dict[int, str], answer: str) -> None:
    """A stranger on the gateway's port would be handed the operator's token."""
    assert host.foreign_listener(host.parse_listeners(SS), port, units, OWN) == answer
