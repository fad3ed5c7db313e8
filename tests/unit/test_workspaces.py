# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each agent's workspace lies, by the gateway's own rules (its documentation, concepts/agent-workspace)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

VARIABLES = Path(__file__).parents[2] / "roles/gateway/vars/main.yml"
STATE = "/home/openclaw/.openclaw"


@pytest.mark.parametrize(
    ("agents", "found"),
    [
        ({"defaults": {}}, [f"{STATE}/workspace"]),
        ({"defaults": {"workspace": "~/work"}}, ["/home/openclaw/work"]),
        ({"defaults": {}, "entries": {"main": {}}}, [f"{STATE}/workspace"]),
        ({"defaults": {}, "entries": {"main": {"workspace": "/srv/work"}}}, ["/srv/work"]),
        (
            {"defaults": {}, "entries": {"main": {"workspace": f"{STATE}/workspace"}, "ops": {}}},
            [f"{STATE}/workspace", f"{STATE}/workspace-ops"],
        ),
        ({"defaults": {"workspace": "/srv/work"}, "entries": {"main": {}, "ops": {}}}, ["/srv/work/main", "/srv/work/ops"]),
    ],
)
def test_each_agent_has_one(agents: dict[str, Any], found: list[str]) -> None:
    """The default, one agent's own, and those of several agents."""
    loader = DataLoader()
    variables = {"__gateway_config": {"agents": agents}, "gateway_state": STATE, "account_home": "/home/openclaw"}
    rendered = Templar(loader, variables=variables).template(
        loader.load_from_file(str(VARIABLES), trusted_as_template=True)["__gateway_workspaces"]
    )
    assert rendered == found
