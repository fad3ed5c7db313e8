"""S12: a changed policy touches what it must and no more; observed on the process, the file and the next run."""

from __future__ import annotations

import json
from pathlib import Path

from tests.host.attack import CONFIG, UNIT, Host, playbook


def with_policy(tmp_path: Path, variables: dict[str, object]) -> str:
    file = tmp_path / "variables.json"
    file.write_text(json.dumps(variables))
    return playbook("--tags", "gateway", "--extra-vars", f"@{file}").stdout


def process(gateway: Host) -> str:
    return gateway.run(f"systemctl show -p MainPID --value {UNIT}").strip()


def test_a_changed_policy_needs_no_restart(gateway: Host, tmp_path: Path) -> None:
    """The process stays, the gateway says that it took the change up, the second run changes nothing, and the way back is the same."""
    before, config = process(gateway), gateway.run(f"cat {CONFIG}")
    wanted: dict[str, object] = {"gateway_mention_patterns": ["\\bpot\\b"], "gateway_tool_deny": ["group:nodes"]}
    with_policy(tmp_path, wanted)
    assert json.loads(gateway.run(f"cat {CONFIG}"))["tools"]["deny"] == ["group:nodes"]
    said = gateway.run(f'journalctl --unit {UNIT} --since "@$(stat -c %Z {CONFIG})" --output cat')
    assert "config hot reload applied (messages.groupChat" in said or "config hot reload applied (tools" in said, said
    assert "changed=0" in with_policy(tmp_path, wanted)
    with_policy(tmp_path, {})
    assert gateway.run(f"cat {CONFIG}") == config
    assert process(gateway) == before


def test_a_changed_policy_by_restart(gateway: Host, tmp_path: Path) -> None:
    """With the reload off, and for what the gateway cannot take up, the process is a new one."""
    before = process(gateway)
    with_policy(tmp_path, {"gateway_reload_mode": "off", "gateway_mention_patterns": ["\\bpot\\b"]})
    off = process(gateway)
    with_policy(tmp_path, {})
    assert len({before, off, process(gateway)}) == 3
