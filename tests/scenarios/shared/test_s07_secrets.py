"""S7: a planted secret is found nowhere but where it belongs."""

from __future__ import annotations

import json

from tests.lab.gateway import Host

# The searching programs are given the value by a file: as an argument, they would now and then find themselves.
SEARCH = """
# Every file that somebody other than root and the gateway's user could read, and the journal, and all arguments and environments.
find / -xdev -type f -perm /004 -print0 2>/dev/null | xargs -0 grep -lsFf /root/needle || true
journalctl --no-pager --output=cat | grep -cFf /root/needle || true
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -cFf /root/needle || true
"""


def test_nothing_others_can_read_holds_a_secret(gateway: Host) -> None:
    """S7: no world-readable file, no line of the journal, no argument of a process holds one of the planted values."""
    for value in gateway.variables["lab_planted"].values():
        gateway.run(f"umask 077; printf '%s' '{value}' >/root/needle")
        assert gateway.run(SEARCH).split() == ["0", "0"]
    gateway.run("rm /root/needle")


def test_the_search_finds_what_is_there(gateway: Host) -> None:
    """The search above is a good one: a value left readable is found."""
    gateway.run("umask 077; printf needle-1 >/root/needle; umask 022; echo needle-1 >/srv/left-behind")
    try:
        assert gateway.run(SEARCH).split()[0] == "/srv/left-behind"
    finally:
        gateway.run("rm /srv/left-behind /root/needle")


def test_the_secrets_lie_where_they_should(gateway: Host) -> None:
    """S7: the original is root's, mode 0600; the service's copy is in memory, readable by it alone."""
    assert gateway.run("stat -c '%U %G %a' /etc/openclaw/secrets.json").strip() == "root root 600"
    assert gateway.run("stat -c '%U %G %a' /run/openclaw/secrets.json").strip() == "openclaw openclaw 400"
    assert gateway.run("stat -f -c %T /run/openclaw").strip() == "tmpfs"
    held = json.loads(gateway.run("cat /etc/openclaw/secrets.json"))
    assert held["gateway"]["token"] == gateway.variables["lab_planted"]["token"]


def test_no_copy_is_left_behind(gateway: Host) -> None:
    """S7: no archive, no staged file, no backup stays on the host after a run."""
    names = r"\( -name '.lobsterpot-*' -o -name '*.bak' -o -name '.secrets-*' \) ! -name .resolv.conf.systemd-resolved.bak"
    assert gateway.run(f"find /etc /opt/openclaw -maxdepth 3 {names}") == ""
    assert gateway.code("test -e /var/cache/lobsterpot") != 0
