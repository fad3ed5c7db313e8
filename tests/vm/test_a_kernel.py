"""What only a kernel of its own can show: settings in force, AppArmor, and the bounds of a sandbox enforced."""

from __future__ import annotations

import json

import pytest

from tests.host.attack import UNIT, Host, wait_for

RUN_AS = "/usr/local/lib/lobsterpot/run-as-openclaw"

# The most that a sandbox takes at once, as the kernel counts it, of each of its scopes: peak of memory, of processes, and what was refused.
BOUNDS = r"""
for scope in /sys/fs/cgroup/user.slice/user-$(id -u openclaw).slice/user@*.service/user.slice/libpod-*.scope; do
  [ -f $scope/pids.max ] || continue
  echo "$(cat $scope/pids.max) $(cat $scope/memory.max) $(cat $scope/memory.swap.max) $(cat $scope/cpu.max)"
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


@pytest.fixture(scope="module")
def sandbox(model: Host) -> Host:
    """The host with one sandbox up: the gateway makes it for the first tool call."""
    assert model.agent("exec", {"command": "echo up-$((40+2))"}, "limits").strip() == "up-42"
    return model


def test_the_kernel_holds_the_bounds(sandbox: Host) -> None:
    """S5: 256 processes, 1 GiB of memory with none beyond, one processor: read back from the sandbox's own control group."""
    assert sandbox.run(BOUNDS).strip() == "256 1073741824 0 100000 100000"


def test_a_fork_bomb_stays_in_the_sandbox(sandbox: Host) -> None:
    """Exhaustion of processes: the model starts a thousand; most are refused, and the gateway stays as it was."""
    before = sandbox.run(f"systemctl show -p MainPID --value {UNIT}")
    bomb = "for i in $(seq 1000); do sleep 20 & done 2>&1 | grep -c 'Resource temporarily unavailable'; ls -d /proc/[0-9]* | wc -l"
    out = sandbox.agent("exec", {"command": f"bash -c {json.dumps(bomb)}; true"}, "limits")
    assert "Resource temporarily unavailable" in out or int(out.split()[0]) > 0, out
    assert int(sandbox.run("ps -e --no-headers | wc -l")) < 700
    wait_for(sandbox.ready, "the gateway is ready", 120)
    assert sandbox.run(f"systemctl show -p MainPID --value {UNIT}") == before


def test_a_memory_hog_is_killed_in_the_sandbox(sandbox: Host) -> None:
    """Exhaustion of memory: the model takes 3 GiB of the machine's 4; the kernel ends it at 1, and nothing else."""
    before = sandbox.run(f"systemctl show -p MainPID --value {UNIT}")
    hog = "python3 -c 'x = bytearray(3 << 30); print(len(x))' && echo taken || echo refused"
    assert "refused" in sandbox.agent("exec", {"command": hog}, "limits")
    assert "taken" not in sandbox.agent("exec", {"command": "echo alive"}, "limits-2")
    wait_for(sandbox.ready, "the gateway is ready", 120)
    assert sandbox.run(f"systemctl show -p MainPID --value {UNIT}") == before
