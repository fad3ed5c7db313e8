"""The machine is removed on purpose only."""

from __future__ import annotations

from tests import lab
from tests.lab.hosts.laptop import playbook


def test_destroy_asks_for_the_name() -> None:
    """A slip of the hand removes nothing."""
    refused = playbook("playbooks/destroy.yml", "--limit", "openclaw", "-e", "confirm=openclow")
    assert refused.returncode != 0
    assert "give -e confirm=openclaw" in refused.stdout
    assert (lab.VMS / "openclaw" / "disk.qcow2").exists()
