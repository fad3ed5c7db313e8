"""S12: a changed policy touches what it must and no more: process, what it runs with, next run; and what gateway_read_only leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.gateway import CONFIG, UNIT, Host, playbook

PATTERN = {"gateway_reload_mode": "hybrid", "gateway_mention_patterns": ["\\bpot\\b"]}
READ_ONLY = {**PATTERN, "gateway_read_only": True}
WRITTEN = "gateway : Gateway | Put release, configuration, unit and command in use, the configuration checked by the gateway itself"


def deploy(folder: Path, variables: dict[str, Any]) -> list[str]:
    """Run the gateway's part of site.yml with the variables; return the tasks that changed something. Its words are shown on failure."""
    file = folder / "variables.json"
    file.write_text(json.dumps(variables))
    said = playbook("--diff", "--tags", "gateway", "--extra-vars", f"@{file}").stdout
    print(said)
    task, changed = "", []
    for line in said.splitlines():
        if line.startswith("TASK ["):
            task = line.removeprefix("TASK [").rpartition("]")[0]
        elif line.startswith("changed: "):
            changed.append(task)
    return changed


def process(gateway: Host) -> str:
    return gateway.run(f"systemctl show -p MainPID --value {UNIT}").strip()


def in_use(gateway: Host) -> Any:
    """The configuration that the running gateway says it runs with."""
    told = json.loads(gateway.run("openclaw gateway call config.get --json --params '{}'"))
    assert told["configRevisionHash"] == told["appliedConfigHash"]
    return told["runtimeConfig"]


@pytest.fixture(scope="module")
def policy(model: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The host, and at the end its policy of before; with the reload off that takes a restart."""
    folder = tmp_path_factory.mktemp("policy")
    before = model.run(f"cat {CONFIG}")
    yield model
    last = process(model)
    deploy(folder, {})
    assert model.run(f"cat {CONFIG}") == before
    assert process(model) != last


def test_a_changed_policy_needs_no_restart(policy: Host, tmp_path: Path) -> None:
    """A change that is only read and one that the gateway acts on: the process stays, and the second run changes nothing."""
    before = process(policy)
    changed = deploy(tmp_path, PATTERN)
    print(policy.run(f"journalctl --unit {UNIT} --lines 40 --output short-precise"))
    assert changed == [WRITTEN]
    assert in_use(policy)["messages"]["groupChat"]["mentionPatterns"] == ["\\bpot\\b"]
    assert deploy(tmp_path, READ_ONLY) == [WRITTEN]
    assert "group:fs" in in_use(policy)["tools"]["allow"]
    assert deploy(tmp_path, READ_ONLY) == []
    assert process(policy) == before


TRIED: list[tuple[str, dict[str, object], str]] = [
    ("exec", {"command": "touch /workspace/written"}, "Tool exec not found"),
    ("process", {"action": "list"}, "Tool process not found"),
    ("message", {"action": "send", "channel": "telegram", "target": "1001", "message": "hello"}, "Tool message not found"),
    ("write", {"path": "/home/openclaw/.openclaw/workspace/written", "content": "x"}, "Sandbox path is container-only"),
    ("read", {"path": "AGENTS.md"}, "Never show a key"),
]


def test_an_agent_that_only_reads(policy: Host) -> None:
    """gateway_read_only, after the test above: no shell, no messages, no file outside the sandbox, and a file of its own is read."""
    results = policy.agents([(tool, arguments) for tool, arguments, _ in TRIED], "s12-read-only")
    wrong = [(tool, result) for (tool, _, answer), result in zip(TRIED, results, strict=True) if answer not in result]
    assert wrong == []
    assert policy.run("find /home/openclaw -name written") == ""


def test_what_it_cannot_take_up_is_brought_by_a_restart(policy: Host, tmp_path: Path) -> None:
    before = process(policy)
    deploy(tmp_path, {**READ_ONLY, "gateway_port": 18790})
    assert in_use(policy)["gateway"]["port"] == 18790
    assert process(policy) != before
