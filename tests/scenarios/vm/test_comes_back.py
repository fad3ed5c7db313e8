"""S1 and S10 of a real machine that was restarted: from outside only SSH answers, and its network comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests import lab
from tests.lab import limits
from tests.lab.gateway import Host, wait_for

pytestmark = pytest.mark.last

RECORD = lab.VMS / "openclaw" / "machine.json"
GUEST, OUTSIDE = "10.0.2.15", "198.51.100.9"
SCAN = ["nmap", "-n", "-Pn", "-sS", "-p-", "-S", OUTSIDE, "-e", "lp-cable", "--min-rate", "5000", "--max-retries", "1", "-oG", "-", GUEST]


def restart_network() -> None:
    """Have the runner start what the record names as passt: its child beside qemu."""
    runner = lab.run("pgrep", "--full", f"run_vm.py {RECORD.parent}").strip()
    for pid in lab.run("pgrep", "--parent", runner, "--full", "passt|tap.py").split():
        os.kill(int(pid), signal.SIGKILL)


@pytest.fixture
def cable() -> Iterator[None]:
    """The machine on a cable to the neighbour, who has an address of the public internet: to one of the laptop's, the gate lets no answer
    through."""
    original = RECORD.read_text()
    record = json.loads(original)
    record["run"]["passt"] = [sys.executable, str(lab.ROOT / "tests/lab/doubles/tap.py"), "{net}", lab.NEIGHBOUR]
    RECORD.write_text(json.dumps(record))
    try:
        restart_network()
        wait_for(lambda: lab.quiet("ip", "-n", lab.NEIGHBOUR, "link", "show", "lp-cable", "up"), "the cable is plugged in")
        yield
    finally:
        RECORD.write_text(original)
        restart_network()


@pytest.mark.usefixtures("cable")
def test_only_ssh_answers() -> None:
    """S1, after the reboot: a stranger outside tries all 65535 ports of the machine itself and finds SSH."""
    out = subprocess.run(lab.netns(lab.NEIGHBOUR, *SCAN), check=True, capture_output=True, text=True, timeout=limits.SCAN).stdout
    ports = next(line for line in out.splitlines() if line.startswith("Host:") and "Ports:" in line)
    assert [word.strip() for word in ports.split("Ports:")[1].split("\t")[0].split(",")] == ["22/open/tcp//ssh///"]


def test_the_network_comes_back(gateway: Host) -> None:
    """S10: passt is killed; the runner starts it again, and the machine can be reached."""
    lab.quiet("ssh", "-O", "exit", "-o", f"ControlPath={lab.STATE}/ssh-openclaw", "vm")
    wait_for(lambda: gateway.code("true") == 0, "it can be logged in to")
