"""S10, and the whole host once more: these tests stop things, so they come last."""

from __future__ import annotations

import pytest

from tests.lab.gateway import UNIT, Host, wait_for

pytestmark = pytest.mark.last


def test_the_gateway_is_killed(gateway: Host) -> None:
    """S10: kill -9 of the gateway; systemd brings it back."""
    before = gateway.run(f"systemctl show -p MainPID --value {UNIT}").strip()
    gateway.run(f"kill -9 {before}")
    wait_for(
        lambda: gateway.run(f"systemctl show -p MainPID --value {UNIT}").strip() not in (before, "0"),
        "a new process",
    )
    gateway.wait_until_ready()


def test_its_manager_is_killed(model: Host) -> None:
    """S10: with the user's manager and its containers gone, gateway and sandboxes come back by themselves.

    The worst of it: podman still takes the dead sandbox for a running one, and the manager's next start fails, too.
    """
    before = model.run(f"systemctl show -p InvocationID --value {UNIT}")
    assert model.agent("exec", {"command": "echo first-$((40+2))"}, "s10-manager").strip() == "first-42"
    model.run("""
manager=user@$(id -u openclaw).service
systemctl kill --signal KILL $manager
until [ "$(systemctl show --property ActiveState --value $manager)" = activating ]; do :; done
until systemctl kill --signal KILL $manager 2>/dev/null; do :; done
""")
    wait_for(lambda: model.run(f"systemctl show -p InvocationID --value {UNIT}") not in (before, "\n"), "another start of the gateway")
    model.wait_until_ready()
    assert model.agent("exec", {"command": "echo still-$((40+2))"}, "s10-manager").strip() == "still-42"


def test_lynis(gateway: Host) -> None:
    """An independent baseline: Lynis gives 75 or more, and no warning, once the updates of the last night are in."""
    gateway.run("apt-get update -qq; unattended-upgrade")
    gateway.run("DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends lynis >/dev/null 2>&1")
    gateway.run("lynis audit system --quick --no-colors --quiet >/dev/null 2>&1 || true")
    report = gateway.run("cat /var/log/lynis-report.dat").splitlines()
    assert [line for line in report if line.startswith("warning[]")] == []
    index = next(int(line.split("=")[1]) for line in report if line.startswith("hardening_index="))
    assert index >= 75
