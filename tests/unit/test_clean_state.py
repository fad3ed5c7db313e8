"""What the gateway's unit removes from its user's places before each start, and what it leaves: roles/gateway, clean-state."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path("roles/gateway/templates/usr/local/lib/lobsterpot/clean-state.j2")
JOBS = "CREATE TABLE cron_jobs (name TEXT, payload_kind TEXT, job_json TEXT)"  # of its columns, in 2026.9.6, those that are read


def job(kind: str, schedule: str = "every", **more: object) -> str:
    return json.dumps({"payload": {"kind": kind}, "schedule": {"kind": schedule}, **more})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".openclaw/state").mkdir(parents=True)
    with sqlite3.connect(tmp_path / ".openclaw/state/openclaw.sqlite") as database:
        database.execute(JOBS)
    return tmp_path


def clean(home: Path, *arguments: str) -> list[str]:
    """What it prints, with the home's path left out."""
    script = jinja2.Template(TEMPLATE.read_text()).render(account_home=home, gateway_state=home / ".openclaw")
    done = subprocess.run([sys.executable, "-IS", "-c", script, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.replace(str(home), "~").splitlines()


def add(home: Path, name: str, kind: str, text: str) -> None:
    with sqlite3.connect(home / ".openclaw/state/openclaw.sqlite") as database:
        database.execute("INSERT INTO cron_jobs VALUES (?, ?, ?)", (name, kind, text))


def jobs(home: Path) -> list[str]:
    with sqlite3.connect(home / ".openclaw/state/openclaw.sqlite") as database:
        return [name for (name,) in database.execute("SELECT name FROM cron_jobs ORDER BY name")]


def test_a_clean_home(home: Path) -> None:
    """Nothing is found, and jobs that ask the agent stay."""
    for kind in ("agentTurn", "systemEvent", "heartbeat"):
        add(home, kind, kind, job(kind))
    assert (clean(home, "--check"), clean(home), jobs(home)) == (["end"], [], ["agentTurn", "heartbeat", "systemEvent"])


def test_files_that_the_gateway_would_load(home: Path) -> None:
    """Files, folders and links are removed, and nothing that a link leads to; the check removes none."""
    outside = home / "documents"
    outside.mkdir()
    (outside / "kept").touch()
    (home / ".openclaw/.env").touch()
    (home / ".openclaw/extensions/x").mkdir(parents=True)
    (home / ".openclaw/hooks").symlink_to(outside)
    (home / ".env").symlink_to("/nonexistent")
    found = ["~/.env", "~/.openclaw/.env", "~/.openclaw/extensions", "~/.openclaw/hooks"]
    assert clean(home, "--check") == [*found, "end"]
    assert (clean(home), clean(home)) == (found, [])
    assert [path.name for path in sorted(home.rglob("*"))] == [".openclaw", "state", "openclaw.sqlite", "documents", "kept"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("command", job("command")),
        ("script", job("script")),
        ("agentTurn", job("command")),
        ("command", job("agentTurn")),
        ("agentTurn", job("agentTurn", "stream")),
        ("agentTurn", job("agentTurn", "on-exit")),
        ("agentTurn", job("agentTurn", trigger={"script": "x"})),
        ("agentTurn", "{"),
        ("agentTurn", "[]"),
        ("agentTurn", "{}"),
    ],
)
def test_a_job_that_would_run_a_program(home: Path, kind: str, text: str) -> None:
    """Commands, scripts and what cannot be read are removed from the scheduler."""
    add(home, "planted", kind, text)
    add(home, "reminder", "systemEvent", job("systemEvent"))
    found = ["~/.openclaw/state/openclaw.sqlite: job planted"]
    assert (clean(home, "--check"), clean(home), jobs(home)) == ([*found, "end"], found, ["reminder"])


def test_what_runs_inside_the_database(home: Path) -> None:
    """A trigger that would plant the job again goes with it."""
    with sqlite3.connect(home / ".openclaw/state/openclaw.sqlite") as database:
        database.execute(
            'CREATE TRIGGER "a""b" AFTER DELETE ON cron_jobs BEGIN INSERT INTO cron_jobs VALUES (OLD.name, OLD.payload_kind, \'\'); END'
        )
    add(home, "planted", "command", job("command"))
    database_path = "~/.openclaw/state/openclaw.sqlite"
    assert clean(home) == [f'{database_path}: trigger a"b', f"{database_path}: job planted"]
    assert (clean(home), jobs(home)) == ([], [])


def test_files_of_the_home(home: Path) -> None:
    """Start-up files that are not the distribution's are named and left; names steer no terminal."""
    (home / ".profile").write_text("touch /tmp/x\n")
    (home / ".config/systemd").mkdir(parents=True)
    add(home, "\x1b[2Jx", "command", job("command"))
    found = ["~/.openclaw/state/openclaw.sqlite: job \\x1b[2Jx", "~/.profile", "~/.config/systemd"]
    assert clean(home, "--check") == [*found, "end"]
    clean(home)
    assert clean(home, "--check") == ["~/.profile", "~/.config/systemd", "end"]
