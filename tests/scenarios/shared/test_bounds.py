"""The bounds of all that the gateway's user runs: neither the process table nor the memory of the host is its own."""

from __future__ import annotations

import shlex

from tests.lab.gateway import UNIT, USER, Host


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
