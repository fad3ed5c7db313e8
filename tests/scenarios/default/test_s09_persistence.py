"""S9: the gateway's user leaves nothing behind that runs later, and takes neither process table, memory nor disk from the host."""

from __future__ import annotations

import re

import pytest

from tests.lab.gateway import UNIT, USER, Host, playbook, wait_for


@pytest.fixture
def schedulers(gateway: Host) -> Host:
    """A host that has cron and at."""
    gateway.run(
        "command -v at crontab >/dev/null || { apt-get update -qq; "
        "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends cron at >/dev/null 2>&1; }"
    )
    return gateway


CRON = "echo '* * * * * true' | crontab -"
AT = "echo true | at now + 1 day"


def test_no_cron_and_no_at(schedulers: Host) -> None:
    """S9: after a run that sees both, neither takes a job from it; without the denial both do, and the next run removes what they took."""
    try:
        playbook("--tags", "account")
        for attempt in (CRON, AT):
            assert schedulers.as_user(attempt)[0] != 0
        schedulers.run(f"sed -i /^{USER}$/d /etc/cron.deny /etc/at.deny")
        for attempt in (CRON, AT):
            assert schedulers.as_user(attempt)[0] == 0
        playbook("--tags", "account")
        for attempt in (CRON, AT):
            assert schedulers.as_user(attempt)[0] != 0
        assert schedulers.run(f"find /var/spool/cron -type f -user {USER}") == ""
        assert "changed=0" in playbook("--tags", "account").stdout
    finally:
        schedulers.run("DEBIAN_FRONTEND=noninteractive apt-get purge -qq -y cron at >/dev/null 2>&1; rm -rf /var/spool/cron")


def test_nobody_logs_in_as_it(gateway: Host) -> None:
    """S9: its start-up files are read by no login: there is none, and root's commands in its name do not look at them."""
    files = ".profile .bash_profile .bashrc .bash_login .zshrc"
    gateway.as_user(f"cd; for f in {files}; do echo 'touch /home/{USER}/was-run' >>$f; done")
    try:
        assert gateway.code(f"su - {USER} -c true") != 0
        gateway.run(f"/usr/local/lib/lobsterpot/run-as-{USER} bash -c true; openclaw --version >/dev/null")
        assert gateway.code(f"test -e /home/{USER}/was-run") != 0
        # What was planted is good: a shell that reads it runs it.
        assert gateway.as_user("bash --rcfile ~/.bashrc -ic true; test -e ~/was-run")[0] == 0
    finally:
        gateway.as_user(f"cd; rm -f was-run; sed -i /was-run/d {files}; find {files} -empty -delete")


def test_no_compiled_code_is_kept(gateway: Host) -> None:
    """S9: Node keeps nothing of what it compiled: it would run it again unseen, and it lies where its user can write. Without the setting
    it does."""
    places = f"/tmp /home/{USER} /proc/$(systemctl show -p MainPID --value {UNIT})/root/tmp"  # noqa: S108 - judged, not used
    look = f"find {places} -name node-compile-cache -printf '%u\n'"
    program = "/opt/openclaw/current/bin/node /opt/openclaw/current/node_modules/openclaw/openclaw.mjs"
    forget = f"rm -rf /home/{USER}/.cache/tmp/node-compile-cache"
    gateway.run(f"{forget}; openclaw config validate >/dev/null")
    assert gateway.run(look) == ""
    try:
        keeping = "env $(grep -v COMPILE_CACHE /etc/openclaw/environment)"
        gateway.run(f"/usr/local/lib/lobsterpot/run-as-{USER} {keeping} {program} config validate >/dev/null")
        assert set(gateway.run(look).split()) == {USER}
    finally:
        gateway.run(forget)


def test_a_disk_that_is_nearly_full_stops_it(gateway: Host) -> None:
    """Before a disk is full, of bytes or of files, all that it runs is stopped, with a word in the journal; with room again it starts."""
    uid = gateway.run(f"id -u {USER}").strip()

    def told(words: str) -> None:
        said = "journalctl -u lobsterpot-disk.service -p crit -o cat --no-pager"
        wait_for(lambda: re.search(words, gateway.run(said)) is not None, f"the journal says: {words}")

    gateway.run("mount -t tmpfs -o size=700m,nr_inodes=1000,mode=1777 tmpfs /var/tmp")
    try:
        gateway.as_user("mkdir /var/tmp/many; cd /var/tmp/many; touch $(seq 940); fallocate -l 180M /var/tmp/large")
        gateway.run("systemctl start lobsterpot-disk.service")
        assert gateway.run(f"systemctl is-active {UNIT}").strip() == "active"
        gateway.as_user("fallocate -l 200M /var/tmp/large")
        wait_for(lambda: gateway.run(f"systemctl is-active {UNIT} || true").strip() == "inactive", "the gateway is stopped")
        wait_for(lambda: gateway.run(f"ps -u {uid} -o pid= || true") == "", "nothing of it runs")
        told("has 500 MiB and 5[0-9] of 1000 inodes left")
        gateway.as_user("cd /var/tmp; rm large; touch $(seq 20)")
        told("has 700 MiB and 3[0-9] of 1000 inodes left")
    finally:
        gateway.run(f"umount /var/tmp; systemctl start {UNIT}")
    gateway.wait_until_ready()
