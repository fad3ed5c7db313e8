"""S15: what the gateway wrote about itself, file names of others included, is told to the operator without steering the terminal."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

VARS = Path(__file__).resolve().parents[2] / "roles" / "gateway" / "vars" / "main.yml"


def failure(words: str, **more: object) -> str:
    text = trust_as_template(yaml.safe_load(VARS.read_text())["__gateway_failure"])
    variables = {"__gateway_started": {"changed": True}, "__gateway_words": {"stdout": words}, **more}
    return str(Templar(loader=DataLoader(), variables=variables).template(text))


def test_the_last_words_are_cleaned() -> None:
    """Escape sequences, carriage returns, tabs and the one-byte forms of them become spaces; lines and letters stay."""
    assert failure("a\x1b]0;owned\x07b\x9b31mc\rd\te\nf \u00e4") == (
        "The gateway did not become ready. Its last words: a ]0;owned b 31mc d e\nf \u00e4"
    )


def test_the_limit_that_was_reached_is_said() -> None:
    """What was waited for, and how long, stands before the gateway's last words."""
    said = "Waited 900 s in vain until the gateway answered /readyz on port 18789 (gateway_ready_timeout)."
    assert failure("a", ansible_failed_result={"stdout": said}) == f"The gateway did not become ready. {said} Its last words: a"
