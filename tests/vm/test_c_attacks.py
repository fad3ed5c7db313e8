"""The red team in a machine, under a kernel of its own, before and after a reboot."""

from __future__ import annotations

import pytest

from tests.host.attack import UNIT
from tests.host.test_y_attacks import ATTACKS, check, collected, first, scene, test_attack
from tests.redteam import book, run
from tests.redteam.report import Result
from tests.redteam.scene import Scene

__all__ = ["first", "scene", "test_attack"]

# What the kernel allows each sandbox: processes, memory, swap, processors. crun puts the container into a group of its own in the scope,
# and writes the swap that is left beside memory there: none. The scope itself is given the sum of both.
BOUNDS = r"""
for scope in /sys/fs/cgroup/user.slice/user-$(id -u openclaw).slice/user@*.service/user.slice/libpod-*.scope; do
  [ -f $scope/pids.max ] || continue
  echo "$(cat $scope/pids.max) $(cat $scope/container/memory.max) $(cat $scope/container/memory.swap.max) $(cat $scope/cpu.max)"
done | sort -u
"""


@pytest.fixture(scope="module")
def again(scene: Scene) -> dict[str, Result]:
    """What came of them after the reboot of the test before."""
    return collected(lambda tell: run.attacked(scene, book.attacks(), tell))


@pytest.mark.usefixtures("first")
def test_the_kernel_holds_the_bounds(scene: Scene) -> None:
    """S5: 256 processes, 1 GiB of memory with none beyond, one processor: read back from the control group of each sandbox."""
    assert scene.host.run(BOUNDS).strip() == "256 1073741824 0 100000 100000"


@pytest.mark.usefixtures("first")
def test_the_gateway_outlived_it(scene: Scene) -> None:
    """Exhaustion: fork bombs and memory hogs were ended by their bounds; to systemd, the gateway's unit never failed since the boot."""
    said = scene.host.run(f"journalctl --boot --output cat UNIT={UNIT}")
    assert "Started" in said
    assert "Failed with result" not in said


def test_it_restarts(scene: Scene) -> None:
    """S10: after a reboot all is back with nobody logged in: gateway, UFW, forward rule, fail2ban, AppArmor, the bound on its bounds."""
    scene.restart()
    gateway = scene.host
    assert gateway.run("systemctl --failed --no-legend --plain") == ""
    assert "Status: active" in gateway.run("ufw status")
    assert "drop" in gateway.run("nft list table inet lobsterpot_forward")
    assert "sshd" in gateway.run("fail2ban-client status")
    assert gateway.run("cat /sys/module/apparmor/parameters/enabled").strip() == "Y"


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_after_the_reboot(again: dict[str, Result], attack: str) -> None:
    """What held before the reboot holds after it."""
    check(again[attack])


def test_no_canary_left(scene: Scene) -> None:
    """S7: in all that was sent to the network, to Telegram or to the model there was none, whichever attack carried it."""
    check(run.nothing_left(scene))
