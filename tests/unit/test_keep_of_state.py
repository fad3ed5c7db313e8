"""What a rebuild keeps of a gateway's database: roles/gateway, keep-of-state."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path("roles/gateway/files/keep-of-state.py")
ALWAYS = ["channel_pairing_allow_entries", "config_machine_state", "device_pairing_paired", "secret_store_entries", "session_state_heads"]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Tables as schema 18 has them, of their columns those that matter, each with a row or two, and a trigger that it has not."""
    path = tmp_path / "openclaw.sqlite"
    with sqlite3.connect(path) as connection:
        for name in (
            *("channel_pairing_allow_entries", "device_pairing_paired", "session_state_heads", "cron_jobs"),
            "operator_approvals",
            "worktrees",
        ):
            connection.execute(f"CREATE TABLE {name} (x TEXT)")
            connection.execute(f"INSERT INTO {name} VALUES ('mine')")  # noqa: S608 - a literal of this test
        connection.execute("CREATE TABLE config_machine_state (state_key TEXT, value_json TEXT)")
        connection.execute("INSERT INTO config_machine_state VALUES ('auth.sharedStore', 'mine'), ('plugins.installedIndex', 'planted')")
        connection.execute("CREATE TABLE secret_store_entries (kind TEXT, value TEXT)")
        connection.execute("INSERT INTO secret_store_entries VALUES ('secret', 'mine'), ('env', 'planted')")
        connection.execute('CREATE TABLE "new ""table" (x TEXT)')
        connection.execute("""INSERT INTO "new ""table" VALUES ('planted')""")
        connection.execute("CREATE TRIGGER again AFTER DELETE ON worktrees BEGIN INSERT INTO worktrees VALUES ('again'); END")
    return path


def rows(path: Path) -> dict[str, list[str]]:
    """The last column of each table that holds something."""
    with sqlite3.connect(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        quoted = {name: name.replace('"', '""') for name in tables}
        read = {name: f'SELECT * FROM "{quoted[name]}"' for name in sorted(tables)}  # noqa: S608 - quoted
        found = {name: [row[-1] for row in connection.execute(query)] for name, query in read.items()}
    return {name: values for name, values in found.items() if values}


def keep(path: Path, jobs: str) -> list[str]:
    return subprocess.run([sys.executable, "-IS", SCRIPT, path, jobs], capture_output=True, text=True, check=True).stdout.splitlines()


def test_without_jobs(database: Path) -> None:
    """Sessions, accounts, senders and devices stay; jobs, approvals, variables, plugins and tables of no name that is known do not."""
    emptied = ["config_machine_state", "cron_jobs", 'new "table', "operator_approvals", "secret_store_entries", "worktrees"]
    assert sorted(keep(database, "no jobs")) == sorted(emptied)
    assert rows(database) == {name: ["mine"] for name in ALWAYS}
    assert b"planted" not in database.read_bytes()


def test_with_jobs(database: Path) -> None:
    """Jobs and approvals come along when they are asked for."""
    keep(database, "jobs")
    assert rows(database) == {name: ["mine"] for name in (*ALWAYS, "cron_jobs", "operator_approvals")}
