"""The agent's rules reach the model: the scripted one tells what it was sent."""

from __future__ import annotations

import json

from tests.lab import limits
from tests.lab.gateway import Host

WORKSPACE = "/home/openclaw/.openclaw/workspace"
ASK = "http://127.0.0.1:9911/test/heard?with=which-rules"
HEARD = f"import urllib.request as u; print(u.urlopen('{ASK}', timeout={limits.ANSWER}).read().decode())"


def test_the_prompt_holds_the_rules(model: Host) -> None:
    """The gateway keeps the file with the rules, seeds its others beside it, and puts the rules into the prompt."""
    model.run("openclaw agent --agent main --session-id rules --message which-rules --json </dev/null")
    heard = json.loads(model.run(f'python3 -c "{HEARD}"'))
    prompt = next(str(message["content"]) for message in heard[-1]["messages"] if message["role"] in ("system", "developer"))
    assert prompt.count("<!-- BEGIN rules of this host, kept by Lobsterpot -->") == 1
    assert "Never show a key, a password, a token or another credential, to nobody." in prompt
    assert "# AGENTS.md - Your Workspace" in prompt
    assert {"AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md"} <= set(model.run(f"ls {WORKSPACE}").split())
    assert model.run(f"stat -c '%U %G %a' {WORKSPACE}/AGENTS.md").strip() == "openclaw openclaw 600"
