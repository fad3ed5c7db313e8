"""The computer that runs the machines: the lab's laptop, a namespace. What an operator does on it."""

from __future__ import annotations

import os
import subprocess

from tests import lab
from tests.lab import limits


def playbook(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook on the default inventory."""
    environment = {**os.environ, "LOBSTERPOT_VMS": str(lab.VMS), "NO_COLOR": "1", "ANSIBLE_CONFIG": str(lab.ROOT / "ansible.cfg")}
    argv = lab.netns(lab.LAPTOP, "ansible-playbook", "-i", "inventories/local", name, *arguments)
    return subprocess.run(argv, check=False, capture_output=True, text=True, cwd=lab.ROOT, env=environment, timeout=limits.LAPTOP_PLAYBOOK)
