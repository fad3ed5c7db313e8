"""S7: what a run prints."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from tests.lab.gateway import NAME, Host, playbook


def test_output_of_a_verbose_run_that_changes_secrets(gateway: Host, tmp_path: Path) -> None:
    """S7: new values for every kind of secret, a run with -vvv and --diff: no value in its output, old or new."""
    fresh = {kind: f"planted-fresh-{secrets.token_hex(16)}" for kind in ("token", "model", "extra")}
    variables = tmp_path / "secrets.json"
    variables.write_text(json.dumps({"lab_planted": fresh}))
    variables.chmod(0o600)
    old = gateway.variables["lab_planted"]
    try:
        done = playbook("-vvv", "--diff", "--extra-vars", f"@{variables}")
    finally:
        playbook("--tags", "gateway")
    said = done.stdout + done.stderr
    assert f"{NAME} : ok=" in " ".join(said.split())
    assert [kind for kind, value in {**fresh, **{f"old {k}": v for k, v in old.items()}}.items() if value in said] == []
