"""S9: the gateway's user leaves nothing behind that runs later, and takes neither process table, memory nor disk from the host."""

from __future__ import annotations

import shlex

import pytest

from tests.host.attack import UNIT, USER, Host, playbook, wait_for

# The places of everybody, which do not outlive a restart or from which nothing is run.
EVERYBODY = ("/dev", "/proc", "/sys", "/tmp", "/var/tmp", "/run/lock", "/run/user", "/run/screen", "/run/cloud-init/tmp", "/var/lock")  # noqa: S108 - judged, not used
WRITABLE = "find / -xdev \\( -path /proc -o -path /sys -o -path /dev \\) -prune -o -writable ! -type l -print 2>/dev/null"


def test_it_can_write_nowhere_but_at_home(gateway: Host) -> None:
    """S9: no start-up file of anybody's, no unit, no program on anybody's path: what it may write, as a whole set."""
    _, found = gateway.as_user(f"({WRITABLE}; {WRITABLE.replace('find /', 'find /home /run', 1)}) | sort -u")
    strange = [
        path
        for path in found.split("\n")
        if path and not path.startswith((f"/home/{USER}", "/run/user/1001", *EVERYBODY)) and gateway.code(f"test -S {path}") != 0
    ]
    assert strange == []


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
        gateway.as_user(f"cd; rm -f was-run; sed -i /was-run/d {files}")


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


def test_bounds_of_all_that_it_runs(gateway: Host) -> None:
    """Neither the process table nor the memory of the host is its own: effective bounds of the service and of everything else."""
    uid = gateway.run(f"id -u {USER}").strip()
    total = int(gateway.run("awk '/MemTotal/ {print $2}' /proc/meminfo")) * 1024
    service = dict(line.split("=") for line in gateway.run(f"systemctl show -p TasksMax,MemoryMax {UNIT}").split())
    rest = dict(line.split("=") for line in gateway.run(f"systemctl show -p TasksMax,MemoryMax user-{uid}.slice").split())
    assert service == {"TasksMax": "1024", "MemoryMax": str(2 << 30)}
    assert rest["TasksMax"] == "4096"
    assert int(rest["MemoryMax"]) <= total * 0.76
    for unit in (UNIT, f"user@{uid}.service"):
        limits = gateway.run(f"cat /proc/$(systemctl show -p MainPID --value {unit})/limits")
        assert next(line.split()[2:4] for line in limits.splitlines() if line.startswith("Max processes")) == ["4096", "4096"]


# 1,100 processes that wait: few enough for any host.
FORKS = """
import os, signal
made = 0
try:
    while made < 1100:
        if os.fork() == 0:
            signal.pause()
        made += 1
except OSError:
    pass
print(made, flush=True)
os.killpg(0, signal.SIGKILL)
"""


def test_a_fork_bomb_ends_at_the_bound(gateway: Host) -> None:
    """The bound that needs no cgroups holds: under a smaller one the kernel refuses to make more; without one all are made."""

    def forks(*properties: str) -> int:
        options = " ".join(f"-p {item}" for item in properties)
        return int(
            gateway.run(f"systemd-run --quiet --wait --pipe --uid {USER} {options} python3 -c {shlex.quote(FORKS)} || true").split()[0]
        )

    assert 0 < forks("LimitNPROC=1024") < 1024
    assert forks() == 1100


def test_only_the_families_that_the_table_knows(gateway: Host) -> None:
    """S6: what its manager starts gets no socket of another family, AF_VSOCK to the machine's own host among them."""
    probe = "import socket; socket.socket(40, 1)"
    command = f"XDG_RUNTIME_DIR=/run/user/$(id -u) systemd-run --user --quiet --wait --pipe python3 -c {shlex.quote(probe)}"
    assert "Address family not supported" in gateway.as_user(command)[1]


def test_a_disk_that_is_nearly_full_stops_it(gateway: Host) -> None:
    """Before the disk is full all that it runs is stopped, with a word in the journal; with room again it starts. The timer is on."""
    uid = gateway.run(f"id -u {USER}").strip()
    assert gateway.run("systemctl is-active lobsterpot-disk.timer").strip() == "active"
    gateway.run("systemctl start lobsterpot-disk.service")
    assert gateway.run(f"systemctl is-active {UNIT}").strip() == "active"
    drop_in = "/run/systemd/system/lobsterpot-disk.service.d"
    gateway.run(f"mkdir -p {drop_in}; printf '[Service]\\nEnvironment=FLOOR_MB=999999999\\n' >{drop_in}/test.conf; systemctl daemon-reload")
    try:
        gateway.run("systemctl start lobsterpot-disk.service")
        wait_for(lambda: gateway.run(f"systemctl is-active {UNIT} || true").strip() == "inactive", "the gateway is stopped", 60)
        wait_for(lambda: gateway.run(f"ps -u {uid} -o pid= || true") == "", "nothing of it runs", 30)
        assert "MiB and" in gateway.run("journalctl -u lobsterpot-disk.service -p crit -o cat --no-pager")
    finally:
        gateway.run(f"rm -r /run/systemd/system/lobsterpot-disk.service.d; systemctl daemon-reload; systemctl start {UNIT}")
    gateway.wait_until_ready()
