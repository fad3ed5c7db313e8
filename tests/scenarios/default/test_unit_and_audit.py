"""The gateway as it judges itself, and the admin's command."""

from __future__ import annotations

import json
import subprocess

from tests.lab import limits
from tests.lab.gateway import NAME, Host


def test_own_audit(gateway: Host) -> None:
    """The gateway's audit of this deployment: nothing critical; the warnings are the two that docs/audit.md explains."""
    report = json.loads(gateway.run("openclaw security audit --json"))
    assert report["summary"]["critical"] == 0
    warnings = sorted(f["checkId"] for f in report["findings"] if f["severity"] == "warn")
    assert warnings == ["fs.config.perms_group_readable", "gateway.trusted_proxies_missing"]


def test_the_documented_commands_work_for_the_admin(gateway: Host) -> None:
    """`openclaw` on PATH, from a plain admin's login, as the gateway's documentation has it."""
    assert gateway.run("openclaw --version").startswith("OpenClaw 2026.9.6")
    assert json.loads(gateway.run("openclaw pairing list telegram --json")) == {"channel": "telegram", "requests": []}
    command = ["podman", "exec", "--user", "admin", f"lp-{NAME}", "openclaw", "pairing", "list", "telegram", "--json"]
    assert json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["requests"] == []


def test_commands_that_would_undo_it_are_answered(gateway: Host) -> None:
    """What Lobsterpot manages is not changed behind its back: the command says where to change it."""
    assert gateway.code("openclaw update") == 64
    assert gateway.code("openclaw onboard") == 64


PENDING = f"""
import datetime, json, sqlite3
db = sqlite3.connect("/home/openclaw/.openclaw/state/openclaw.sqlite", timeout={limits.ANSWER})
db.execute("PRAGMA wal_autocheckpoint=0")
now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
row = ("telegram", "default", "4242", "ABCD2345", now, now, json.dumps({{"accountId": "default"}}))
db.execute("INSERT INTO channel_pairing_requests VALUES (?, ?, ?, ?, ?, ?, ?)", row)
db.commit()
"""  # noqa: S608 - nothing of it comes from outside


def test_approving_a_first_sender(gateway: Host) -> None:
    """The summary's last lines: a pending request is listed and approved, and the first sender does not become owner by the way."""
    before = gateway.run("sha256sum /etc/openclaw/openclaw.json")
    code, out = gateway.as_user(f"python3 -c '{PENDING}'")
    assert code == 0, out
    assert json.loads(gateway.run("openclaw pairing list telegram --json"))["requests"][0]["code"] == "ABCD2345"
    assert "Approved telegram sender 4242" in gateway.run("openclaw pairing approve telegram ABCD2345")
    assert gateway.run("sha256sum /etc/openclaw/openclaw.json") == before
