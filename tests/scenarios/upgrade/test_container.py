"""Option A: the same release, configuration and secrets in a rootless container. Switched to and back on a settled host."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab import limits
from tests.lab.gateway import UNIT, Host, playbook, wait_for

pytestmark = pytest.mark.last

CONTAINER = ("-e", "gateway_runtime=container")
EXEC = "/usr/local/lib/lobsterpot/run-as-openclaw podman exec openclaw-gateway"
PID = "ss -Hltnp sport = :18789 | grep -o 'pid=[0-9]*' | head -1 | cut -d= -f2"
SCRIPT = "/usr/local/lib/lobsterpot/gateway-container"
SSH = f"timeout {limits.SILENCE} bash -c 'exec 3<>/dev/tcp/127.0.0.1/2022'"


@pytest.fixture(scope="module")
def contained(model: Host) -> Iterator[Host]:
    """The host, its gateway moved into a container by a run that its own verify passed, and moved back."""
    assert "all 13 checks passed" in playbook(*CONTAINER).stdout
    yield model
    assert "all 13 checks passed" in playbook().stdout
    assert model.run(f"readlink /proc/$({PID})/exe").startswith("/opt/openclaw/releases/")
    assert model.run(f"readlink /proc/$({PID})/ns/user") == model.run("readlink /proc/self/ns/user")
    assert model.code(f"test -e {SCRIPT}") != 0


def test_a_second_run_changes_nothing(contained: Host) -> None:  # noqa: ARG001 - it moved the gateway
    """S12."""
    assert "changed=0" in playbook(*CONTAINER).stdout


def test_it_is_nobody_in_there(contained: Host) -> None:
    """S3: a user namespace of its own, no capability in any set, no way to gain privileges, system calls filtered, the user's number."""
    status = dict(line.split(":\t", 1) for line in contained.run(f"cat /proc/$({PID})/status").splitlines() if ":\t" in line)
    assert {status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0000000000000000"}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Uid"].split() == [contained.run("id -u openclaw").strip()] * 4
    assert contained.run(f"readlink /proc/$({PID})/ns/user") != contained.run("readlink /proc/self/ns/user")
    assert contained.run(f"{EXEC} ps -eo comm= 2>/dev/null || {EXEC} sh -c 'cat /proc/[0-9]*/comm'").split()[0] == "podman-init"


def test_what_it_sees_of_the_host(contained: Host) -> None:
    """Option A: five places of the host and no more, only two of them to write to; no home, no release but the one in use."""
    uid = contained.run("id -u openclaw").strip()
    rows = [line.split() for line in contained.run(f"cat /proc/$({PID})/mountinfo").splitlines()]
    podmans = ("/dev", "/proc", "/sys", "/etc/ho", "/etc/resolv.conf", "/etc/passwd", "/etc/group", "/run/podman-init", "/run/.c")
    assert {row[4]: row[5].split(",")[0] for row in rows if not row[4].startswith(podmans)} == {
        "/": "ro",
        "/run": "rw",
        "/tmp": "rw",  # noqa: S108 - a mount point
        "/var/tmp": "rw",  # noqa: S108 - a mount point
        "/home/openclaw/.cache": "rw",
        "/home/openclaw/.openclaw": "rw",
        f"/tmp/openclaw-state-locks-{uid}": "rw",  # noqa: S108 - likewise
        "/etc/openclaw": "ro",
        "/opt/openclaw/current": "ro",
        "/run/openclaw": "ro",
    }
    assert contained.run(f"{EXEC} ls -A /home /home/openclaw /opt/openclaw").split("\n\n") == [
        "/home:\nopenclaw\nsandbox",
        "/home/openclaw:\n.cache\n.openclaw",
        "/opt/openclaw:\ncurrent\n",
    ]
    assert contained.code(f"{EXEC} cat /etc/openclaw/secrets.json") != 0


WRITES = [
    "/x",
    "/etc/x",
    "/etc/openclaw/x",
    "/etc/openclaw/openclaw.json",
    "/opt/openclaw/current/x",
    "/run/openclaw/x",
    "/home/openclaw/x",
]


@pytest.mark.parametrize("path", WRITES)
def test_it_cannot_write(contained: Host, path: str) -> None:
    """S4: neither its root nor what is mounted to be read."""
    assert contained.code(f"{EXEC} sh -c 'echo x >>{path}'") != 0
    assert contained.code(f"{EXEC} sh -c 'echo x >>/home/openclaw/.openclaw/x && rm /home/openclaw/.openclaw/x'") == 0


def test_it_listens_on_loopback_and_its_user_is_walled_in(contained: Host) -> None:
    """S2, S6: the host's loopback alone. The table of what the user may send holds in there, too: without it the attempt succeeds."""
    rows = [line.split() for line in contained.run("ss -Hltun").splitlines()]
    assert {row[4] for row in rows if row[4].endswith(":18789")} == {"127.0.0.1:18789", "[::1]:18789"}
    assert contained.code(f"{EXEC} {SSH}") != 0
    contained.run("nft delete table inet lobsterpot_egress")
    try:
        assert contained.code(f"{EXEC} {SSH}") == 0
    finally:
        contained.run("/usr/local/lib/lobsterpot/load-egress")
    assert contained.code(f"{EXEC} {SSH}") != 0


def test_the_bounds_of_its_unit_hold(contained: Host) -> None:
    """S5: each of its processes is in the unit's control group, whose bounds on memory and processes are set."""
    inside = contained.run(f"cat /proc/$({PID})/cgroup")
    assert f"/{UNIT}" in next(line for line in inside.splitlines() if line.startswith(("0::/", "1:name=systemd:")) and line.count("/") > 1)
    shown = contained.run(f"systemctl show -p MemoryMax -p TasksMax {UNIT}").split()
    assert sorted(shown) == ["MemoryMax=2147483648", "TasksMax=1024"]


def test_the_admins_command(contained: Host) -> None:
    """It runs in the container, beside the gateway or in one of its own; what it writes is the user's."""
    assert contained.run("openclaw --version").startswith("OpenClaw 2026.9.6")
    assert json.loads(contained.run("openclaw pairing list telegram --json"))["channel"] == "telegram"
    contained.run(f"systemctl stop {UNIT}")
    try:
        assert contained.run("openclaw --version").startswith("OpenClaw 2026.9.6")
    finally:
        contained.run(f"systemctl start {UNIT}")
    contained.wait_until_ready()
    assert contained.run("find /home/openclaw/.openclaw ! -user openclaw | head -3") == ""


def test_it_is_killed(contained: Host) -> None:
    """S10: systemd brings it back after kill -9 of the gateway and of what watches it."""
    for who in (PID, f"systemctl show -p MainPID --value {UNIT}"):
        before = contained.run(PID).strip()
        contained.run(f"kill -9 $({who})")
        wait_for(lambda: contained.run(f"{PID} || true").strip() not in ("", before), "another gateway listens")  # noqa: B023 - called here
        contained.wait_until_ready()


def test_verify_sees_another_mount(contained: Host) -> None:
    """One directory more in reach, and the run's last step fails with its name."""
    contained.run(f"cp -a {SCRIPT} /root/script.away; sed -i 's#--read-only#--volume /srv:/srv:ro &#' {SCRIPT}; systemctl restart {UNIT}")
    try:
        contained.wait_until_ready()
        done = playbook("--tags", "verify", *CONTAINER, check=False)
        assert done.returncode != 0
        assert "the gateway's container has /srv mounted ro, which it should not" in " ".join(done.stdout.split())
    finally:
        contained.run(f"mv /root/script.away {SCRIPT}; systemctl restart {UNIT}")
    contained.wait_until_ready()


def test_a_switch_that_fails_is_taken_back(contained: Host) -> None:
    """S10: out of the container in no time: the gateway in the container is in use again, and ready."""
    before = contained.run(f"sha256sum /etc/openclaw/openclaw.json /etc/systemd/system/{UNIT} {SCRIPT}")
    done = playbook("--tags", "gateway", "-e", "gateway_ready_timeout=1", check=False)
    assert "are in use again" in " ".join(done.stdout.split())
    assert contained.run(f"sha256sum /etc/openclaw/openclaw.json /etc/systemd/system/{UNIT} {SCRIPT}") == before
    contained.wait_until_ready()
    assert contained.code(f"{EXEC} true") == 0


def test_its_agent_only_talks(contained: Host) -> None:
    """S5: without a sandbox the model is offered neither exec nor files. Named in the inventory, exec runs and shows what it reaches."""
    for result in contained.agents(
        [("exec", {"command": "id"}), ("read", {"path": "/etc/hostname"}), ("write", {"path": "x", "content": "x"})], "container-tools"
    ):
        assert "not found" in result
    playbook("--tags", "gateway", *CONTAINER, "-e", '{"gateway_container_tools": ["exec"]}')
    # The fixture's last run takes it away again.
    said = contained.agent("exec", {"command": "id -un; ls -A /home; wc -c </run/openclaw/secrets.json"}, "container-opened")
    assert said.split()[:3] == ["openclaw", "openclaw", "sandbox"]
    assert int(said.split()[3]) > 0
