"""What only a kernel of its own can show: settings in force, AppArmor, and the bounds of a sandbox enforced."""

from __future__ import annotations

import shlex

import pytest

from tests.lab.gateway import UNIT, Host

# What the kernel allows each sandbox: processes, memory, swap, processors. crun puts the container into a group of its own in the scope,
# and writes the swap that is left beside memory there: none. The scope itself is given the sum of both.
BOUNDS = r"""
for scope in /sys/fs/cgroup/user.slice/user-$(id -u openclaw).slice/user@*.service/user.slice/libpod-*.scope; do
  [ -f $scope/pids.max ] || continue
  echo "$(cat $scope/pids.max) $(cat $scope/container/memory.max) $(cat $scope/container/memory.swap.max) $(cat $scope/cpu.max)"
done | sort -u
"""


def test_kernel_settings_are_in_force(gateway: Host) -> None:
    """Hardening: what the role baseline writes is what the kernel of this machine has."""
    names = (
        "kernel.kptr_restrict kernel.dmesg_restrict kernel.yama.ptrace_scope net.ipv4.conf.all.rp_filter net.ipv4.conf.all.accept_redirects"
    )
    assert gateway.run(f"sysctl -n {names}").split() == ["2", "1", "1", "1", "0"]


def test_apparmor_is_on(gateway: Host) -> None:
    """The distribution's profiles are loaded and enforced."""
    assert gateway.run("cat /sys/module/apparmor/parameters/enabled").strip() == "Y"
    assert int(gateway.run("grep -c enforce /sys/kernel/security/apparmor/profiles")) > 0


# Starts a thousand processes and prints how many the kernel refused.
BOMB = """
import os, time
refused = 0
for _ in range(1000):
    try:
        child = os.fork()
    except BlockingIOError:
        refused += 1
        continue
    if not child:
        time.sleep(20)
        os._exit(0)
print(refused)
"""


@pytest.fixture(scope="module")
def exhausted(model: Host) -> list[str]:
    """What the model's one tool call says, which lets a memory hog and a fork bomb loose in its sandbox: each call takes a minute here.

    The bomb comes last, as its processes live on for a while, and are counted.
    """
    before = model.run(f"systemctl show -p MainPID --value {UNIT}")
    hog = "python3 -c 'bytearray(3 << 30)' && echo taken || echo refused"
    said = model.agent("exec", {"command": f"{hog}; python3 -c {shlex.quote(BOMB)}; echo alive"}, "limits").splitlines()
    assert int(model.run("ps -e --no-headers | wc -l")) < 700
    model.wait_until_ready()
    assert model.run(f"systemctl show -p MainPID --value {UNIT}") == before
    return said


@pytest.mark.usefixtures("exhausted")
def test_the_kernel_holds_the_bounds(gateway: Host) -> None:
    """S5: 256 processes, 1 GiB of memory with none beyond, one processor: read back from the sandbox's own control group."""
    assert gateway.run(BOUNDS).strip() == "256 1073741824 0 100000 100000"


def test_a_fork_bomb_stays_in_the_sandbox(exhausted: list[str]) -> None:
    """Exhaustion of processes: the model starts a thousand; most are refused, and the gateway stays as it was."""
    (refused,) = (int(line) for line in exhausted if line.isdigit())
    assert 1000 - 256 < refused < 1000
    assert exhausted[-1] == "alive"


def test_a_memory_hog_is_killed_in_the_sandbox(exhausted: list[str]) -> None:
    """Exhaustion of memory: the model takes 3 GiB of the machine's 4; the kernel ends it at 1, and nothing else."""
    assert "refused" in exhausted
    assert "taken" not in exhausted
