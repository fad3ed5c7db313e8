"""The gateway's stores without a gateway: what each version leaves on the disk, for tests that need no more.

Imitated: the JSON files of clawdbot 2026.1.24-3 (`unscoped`) and of openclaw 2026.7.35 (`scoped`, with the database that it makes and does
not use), the tables of openclaw 2026.9.6 (`sqlite`; its other tables are left out but for the one that names an owner). Sources: their
`dist/pairing/pairing-store.js`, `dist/pairing-store-*.js` and `OPENCLAW_STATE_SCHEMA_SQL`. Against the real ones: tests/integration.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.lab import limits

KINDS = ("unscoped", "scoped", "sqlite")

SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE channel_pairing_requests (
  channel_key TEXT NOT NULL,
  account_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  code TEXT NOT NULL,
  created_at TEXT NOT NULL,
  last_seen_at TEXT NOT NULL,
  meta_json TEXT,
  PRIMARY KEY (channel_key, account_id, request_id)
) STRICT;
CREATE INDEX idx_channel_pairing_requests_code ON channel_pairing_requests(channel_key, code);
CREATE INDEX idx_channel_pairing_requests_created ON channel_pairing_requests(channel_key, created_at, request_id);
CREATE TABLE channel_pairing_allow_entries (
  channel_key TEXT NOT NULL,
  account_id TEXT NOT NULL,
  entry TEXT NOT NULL,
  sort_order INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (channel_key, account_id, entry)
) STRICT;
CREATE INDEX idx_channel_pairing_allow_account ON channel_pairing_allow_entries(channel_key, account_id, sort_order, entry);
CREATE TABLE config_machine_state (
  state_key TEXT NOT NULL PRIMARY KEY,
  value_json TEXT NOT NULL,
  updated_at_ms INTEGER NOT NULL
) STRICT;
"""


class GatewayStore:
    """One state directory. Values are written and read as text and rows, by none of the project's code."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder
        self.credentials = folder / "credentials"
        self.database = folder / "state" / "openclaw.sqlite"
        folder.mkdir(mode=0o700, parents=True)
        self.credentials.mkdir(mode=0o700)
        if kind != "unscoped":
            self.database.parent.mkdir(mode=0o700)
            self.database.touch(mode=0o600)  # SQLite gives its other files the same
            self.sql(SCHEMA)
            self.sql(f"PRAGMA user_version = {18 if kind == 'sqlite' else 1}")

    def sql(self, script: str) -> None:
        with closing(sqlite3.connect(self.database, timeout=limits.ANSWER)) as database:
            database.executescript(script)

    def insert(self, table: str, row: tuple[object, ...]) -> None:
        marks = ", ".join("?" * len(row))
        with closing(sqlite3.connect(self.database, timeout=limits.ANSWER, isolation_level=None)) as database:
            database.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 - a constant

    def rows(self, query: str, *values: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=limits.ANSWER)) as database:
            return list(database.execute(query, values))

    def write(self, name: str, document: object) -> None:
        path = self.credentials / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(document, indent=2) + "\n")

    def list_name(self, channel: str, account: str = "default") -> str:
        return f"{channel}-allowFrom.json" if self.kind == "unscoped" else f"{channel}-{account}-allowFrom.json"

    def approve(self, channel: str, entries: list[str], account: str = "default") -> None:
        if self.kind != "sqlite":
            self.write(self.list_name(channel, account), {"version": 1, "allowFrom": entries})
            return
        for place, entry in enumerate(entries):
            self.insert("channel_pairing_allow_entries", (channel, account, entry, place, 1))

    def approved(self, channel: str, account: str = "default") -> list[str]:
        """The list as it lies there, in order."""
        if self.kind != "sqlite":
            path = self.credentials / self.list_name(channel, account)
            return list(json.loads(path.read_text())["allowFrom"]) if path.exists() else []
        query = "SELECT entry, sort_order FROM channel_pairing_allow_entries WHERE channel_key = ? AND account_id = ? ORDER BY sort_order"
        rows = self.rows(query, channel, account)
        assert [row[1] for row in rows] == list(range(len(rows)))
        return [str(row[0]) for row in rows]

    def ask(self, channel: str, requests: dict[str, str], account: str = "default", minutes: float = 5) -> None:
        """Leave pending requests, sender to code, made some minutes ago."""
        moment = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        meta = {"firstName": "Ada"} if self.kind == "unscoped" else {"firstName": "Ada", "accountId": account}
        if self.kind != "sqlite":
            new = [{"id": s, "code": c, "createdAt": moment, "lastSeenAt": moment, "meta": meta} for s, c in requests.items()]
            self.write(f"{channel}-pairing.json", {"version": 1, "requests": [*self.pending_raw(channel), *new]})
            return
        for sender, code in requests.items():
            self.insert("channel_pairing_requests", (channel, account, sender, code, moment, moment, json.dumps(meta)))

    def pending_raw(self, channel: str) -> list[dict[str, object]]:
        path = self.credentials / f"{channel}-pairing.json"
        return list(json.loads(path.read_text())["requests"]) if path.exists() else []

    def pending(self, channel: str) -> list[str]:
        """Senders of the requests."""
        if self.kind != "sqlite":
            return [str(request["id"]) for request in self.pending_raw(channel)]
        return [str(row[0]) for row in self.rows("SELECT request_id FROM channel_pairing_requests WHERE channel_key = ?", channel)]
