"""Which hosts are up."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.lab.shell import STATE


def hosts_up() -> dict[str, dict[str, Any]]:
    """The hosts that are up, by name: their number and their inventory variables."""
    return {path.stem.removeprefix("host-"): json.loads(path.read_text()) for path in sorted(STATE.glob("host-*.json"))}


def inventory() -> dict[str, object]:
    """What an Ansible inventory script prints; of one host alone where LAB_HOST names it, as scenarios run side by side."""
    wanted = os.environ.get("LAB_HOST")
    found = {name: state for name, state in hosts_up().items() if wanted in (None, name)}
    return {
        "gateways": {"hosts": list(found)},
        "_meta": {"hostvars": {name: state["variables"] for name, state in found.items()}},
    }
