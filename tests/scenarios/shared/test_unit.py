"""The gateway's unit: as systemd judges it, and what its process may do."""

from __future__ import annotations

from tests.lab.gateway import UNIT, Host


def test_exposure_of_the_unit(gateway: Host) -> None:
    """systemd-analyze security gives 2.6 of 10; a directive that is lost raises it."""
    line = gateway.run(f"systemd-analyze security --no-pager {UNIT} | tail -1")
    assert float(line.split(":")[1].split()[0]) <= 2.6


def test_the_process_has_no_privilege(gateway: Host) -> None:
    """What the directives come to: no capability, no new privileges, system calls filtered, not root."""
    pid = gateway.run(f"systemctl show -p MainPID --value {UNIT}").strip()
    status = dict(line.split(":\t", 1) for line in gateway.run(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    assert {status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0000000000000000"}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Uid"].split()[0] != "0"
