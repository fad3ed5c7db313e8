"""S13: two machines of one inventory at the same time."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests import lab
from tests.lab.gateway import Host
from tests.lab.hosts import laptop
from tests.lab.hosts.guest import knock

HOME = lab.VMS / "openclaw"
LAPTOP = lab.address(lab.LAPTOP_NUMBER)[0]
SECOND = "gateways: {hosts: {second: {vm_provider: qemu, vm_cpus: 1, vm_memory: 2G}}}\n"


@pytest.fixture
def second() -> Iterator[int]:
    """Another machine of the same inventory, at the same time, made and removed as an operator does; its SSH port on the laptop."""
    entry = lab.ROOT / "inventories/local/second.yml"
    entry.write_text(SECOND)
    try:
        made = laptop.playbook("site.yml", "--limit", "second", "--tags", "none")
        assert made.returncode == 0, made.stdout[-3000:]
        yield json.loads((lab.VMS / "second" / "machine.json").read_text())["port"]
    finally:
        removed = laptop.playbook("playbooks/destroy.yml", "--limit", "second", "-e", "confirm=second")
        entry.unlink()
    assert removed.returncode == 0, removed.stdout[-3000:]
    assert not (lab.VMS / "second").exists()


def test_the_ssh_ports_of_machines_are_out_of_reach(root: Host, second: int) -> None:
    """S13: the ports on the computer's loopback that lead to a machine, this one's and another's. The other one can be logged in to."""
    own = json.loads((HOME / "machine.json").read_text())["port"]
    shown = laptop.playbook("playbooks/vm-status.yml").stdout
    assert "openclaw: running, qemu, 2 CPUs" in shown
    assert "second: running, qemu, 1 CPUs" in shown
    for address in ("127.0.0.1", "10.0.2.2", LAPTOP):
        for port in (own, second):
            assert knock(root, address, port) == "silent"
