"""The red team in a machine, then a reboot: code that runs as the gateway's user, under a kernel of its own.

The other actors converse with the gateway, which takes an emulated machine most of an hour: see tests/scenarios/machine.
"""

from __future__ import annotations

import pytest

from tests.redteam import book, run
from tests.redteam.report import Result
from tests.redteam.scene import Scene
from tests.redteam.stage import check

pytestmark = pytest.mark.last

# Not those that restart the gateway, which takes minutes each: attacks in a container show them.
RESTARTS = {"user-unit", "image-of-its-own", "namespace-of-its-own", "places-of-the-unit", "what-starts-again"}
ATTACKS = [attack for attack in book.attacks() if attack.actor == "gateway-user" and attack.name not in RESTARTS]
NAMES = [attack.id for attack in ATTACKS]
SILENT = True


@pytest.mark.parametrize("attack", NAMES)
def test_attack(first: dict[str, Result], attack: str) -> None:
    """The attack is tried, and what comes of it is what its file says."""
    check(first[attack])


def test_it_restarts(restarted: Scene) -> None:
    """S10: after a reboot all is back with nobody logged in: gateway, UFW, forward rule, fail2ban, AppArmor, the bound on its bounds."""
    gateway = restarted.host
    assert gateway.run("systemctl --failed --no-legend --plain") == ""
    assert "Status: active" in gateway.run("ufw status")
    assert gateway.run("nft list table inet lobsterpot_forward").count(" drop") == 3
    assert "sshd" in gateway.run("fail2ban-client status")
    assert gateway.run("cat /sys/module/apparmor/parameters/enabled").strip() == "Y"


def test_no_canary_left(scene: Scene) -> None:
    """S7: in all that was sent to the network there was none, whichever attack carried it."""
    check(run.nothing_left(scene))
