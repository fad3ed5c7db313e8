# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approved senders and requests in the gateway's database: openclaw 2026.8.1 and later.

SQLite before 3.51.3 can corrupt a database by a checkpoint while another process writes, and distributions carry such versions. So nothing
here ever checkpoints: not by itself, and not by closing the last connection either, since no connection is ever closed. A process that
used this module must end by `os._exit`, and `as_user` does.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import LobsterpotError
from .pairing import Request, account_of, parse_request

# `user_version`: below 2 the gateway (2026.7.35) makes these tables and does not use them; 18 is that of 2026.9.6.
FIRST_VERSION, LAST_VERSION = 2, 18

# Columns with type, NOT NULL and place in the primary key. Whatever differs is a gateway nobody has tried.
_TABLES = {
    "channel_pairing_requests": (
        ("channel_key", "TEXT", 1, 1),
        ("account_id", "TEXT", 1, 2),
        ("request_id", "TEXT", 1, 3),
        ("code", "TEXT", 1, 0),
        ("created_at", "TEXT", 1, 0),
        ("last_seen_at", "TEXT", 1, 0),
        ("meta_json", "TEXT", 0, 0),
    ),
    "channel_pairing_allow_entries": (
        ("channel_key", "TEXT", 1, 1),
        ("account_id", "TEXT", 1, 2),
        ("entry", "TEXT", 1, 3),
        ("sort_order", "INTEGER", 1, 0),
        ("updated_at", "INTEGER", 1, 0),
    ),
}
_MAX_TEXT = 1 << 20
# Where the gateway's locks lie: with the project's unit (role gateway), and by itself. Used only when it is ours.
_LOCKS = ("/run/openclaw/locks", "/tmp/openclaw-state-locks-{uid}")  # noqa: S108 - see above

_never_closed: list[sqlite3.Connection] = []


class SqliteStore:
    """One database, opened for each reading and each writing; it is never created."""

    kind = "sqlite"

    def __init__(self, path: Path, wait: float) -> None:
        self._path = path
        self._wait = wait
        self._writing: sqlite3.Connection | None = None

    @property
    def where(self) -> str:
        return str(self._path)

    def version(self) -> int:
        with self._reading() as database:
            return self._version(database)

    def lists(self) -> dict[str, set[str]]:
        """Return each channel with the accounts that have a list or a request."""
        found: dict[str, set[str]] = {}
        with self._reading() as database:
            for table in _TABLES:
                for channel, account in database.execute(f"SELECT DISTINCT channel_key, account_id FROM {table}"):  # noqa: S608 - a constant
                    found.setdefault(channel, set()).add(account_of(account))
        return found

    def stored(self, channel: str, account: str) -> list[str]:
        """Return the entries as they lie there, which is how the gateway reads them."""
        with self._reading() as database:
            return [entry for _, entry, _ in self._rows(database, channel, account)]

    entries = stored

    def requests(self, channel: str) -> list[Request]:
        with self._reading() as database:
            return [request for _, request in self._requests(database, channel)]

    def update(self, channel: str, account: str, decide: Callable[[list[str]], list[str]]) -> tuple[list[str], list[str]]:
        """Change one list in one transaction; `decide` sees it as it is then. Returns it before and after."""
        with self._transaction() as database:
            rows = self._rows(database, channel, account)
            before = [entry for _, entry, _ in rows]
            after = decide(list(before))
            if after != before:
                self._rewrite(database, channel, account, rows, after)
        return before, after

    def settle(self, channel: str, choose: Callable[[list[Request]], Request], entry: Callable[[Request], str | None]) -> Request:
        """Remove the request that `choose` picks and add what `entry` makes of it to its account's list, in one transaction."""
        with self._transaction() as database:
            pending = self._requests(database, channel)
            chosen = choose([request for _, request in pending])
            added = entry(chosen)
            if added is not None:
                self.update(channel, chosen.account, lambda before: list(dict.fromkeys((*before, added))))
            gone = [(row,) for row, request in pending if request == chosen]
            database.executemany("DELETE FROM channel_pairing_requests WHERE rowid = ?", gone)
        return chosen

    def _requests(self, database: sqlite3.Connection, channel: str) -> list[tuple[int, Request]]:
        """Row number and request, for each that the gateway would not drop."""
        query = (
            "SELECT rowid, account_id, request_id, code, created_at, last_seen_at, meta_json FROM channel_pairing_requests "
            "WHERE channel_key = ? ORDER BY created_at, account_id, request_id"
        )
        found = []
        for row, account, sender, code, created, last_seen, meta in database.execute(query, (channel,)):
            raw = {"id": sender, "code": code, "createdAt": created, "lastSeenAt": last_seen, "meta": _meta(meta)}
            if request := parse_request(channel, account, raw):
                found.append((row, request))
        return found

    def _rows(self, database: sqlite3.Connection, channel: str, account: str) -> list[tuple[str, str, int]]:
        """Account as written, entry and place. The gateway trims and lowers the account as it reads, so others' spellings count too."""
        query = (
            "SELECT account_id, entry, sort_order FROM channel_pairing_allow_entries "
            "WHERE channel_key = ? ORDER BY account_id, sort_order, entry"
        )
        return [row for row in database.execute(query, (channel,)) if account_of(row[0]) == account]

    def _rewrite(
        self, database: sqlite3.Connection, channel: str, account: str, rows: list[tuple[str, str, int]], after: list[str]
    ) -> None:
        """Touch only the rows that differ: the lock is held for as long as this takes. Places count from 0 without gaps."""
        stay = set(after)
        gone = [(channel, name, entry) for name, entry, _ in rows if name != account or entry not in stay]
        have = {entry: place for name, entry, place in rows if name == account}
        now = int(time.time() * 1000)
        moved = [(place, channel, account, entry) for place, entry in enumerate(after) if have.get(entry, place) != place]
        new = [(channel, account, entry, place, now) for place, entry in enumerate(after) if entry not in have]
        table = "channel_pairing_allow_entries"
        where = "channel_key = ? AND account_id = ? AND entry = ?"
        database.executemany(f"DELETE FROM {table} WHERE {where}", gone)  # noqa: S608 - constants
        database.executemany(f"UPDATE {table} SET sort_order = ? WHERE {where}", moved)  # noqa: S608 - constants
        database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", new)  # noqa: S608 - a constant

    def _connect(self, mode: str) -> sqlite3.Connection:
        address = f"file:{urllib.parse.quote(self.where)}?mode={mode}"
        database = sqlite3.connect(address, uri=True, timeout=self._wait, isolation_level=None)
        _never_closed.append(database)
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_TEXT)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA wal_autocheckpoint = 0")
        return database

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that cannot write; inside a transaction, the one that has it."""
        if self._writing:
            yield self._writing
            return
        with self._explained():
            database = self._connect("ro")
            database.execute("BEGIN")
            try:
                if self._version(database) >= FIRST_VERSION:
                    self._check_schema(database)
                yield database
            finally:
                database.execute("ROLLBACK")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """The gateway's write transaction: its coordinator first, where it keeps one, then the database's own lock."""
        if self._writing:
            yield self._writing
            return
        with self._explained():
            coordinator = self._coordinator()
            database = self._connect("rw")
            logged = database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            if logged:  # then the change reaches the disk after the lock is free
                database.execute("PRAGMA synchronous = NORMAL")
            database.execute("BEGIN IMMEDIATE")
            try:
                self._check_schema(database)
                self._check_owner(database)
                self._writing = database
                yield database
                database.execute("COMMIT")
                if logged:
                    self._sync_log()
            finally:
                self._writing = None
                for connection in filter(None, (database, coordinator)):
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")

    def _sync_log(self) -> None:
        """Bring the log to the disk. SQLite locks other files than this one, so closing it gives up none of its locks."""
        with contextlib.suppress(FileNotFoundError):  # the gateway has taken it over into the database meanwhile
            log = os.open(f"{self.where}-wal", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            os.fsync(log)
            os.close(log)

    def _coordinator(self) -> sqlite3.Connection | None:
        """Hold what the gateway's commands hold while they write or replace the database: `acquireStateDatabaseCoordinator` of 2026.9.6.

        A version that has none leaves no such file, and none is made.
        """
        name = hashlib.sha256(os.path.realpath(self._path).encode()).hexdigest()[:8]
        for folder in (Path(place.format(uid=os.getuid())) for place in _LOCKS):
            path = folder / f"state-lifecycle.{name}.lock.sqlite"
            try:
                ours = all(status.st_uid == os.getuid() for status in (folder.lstat(), path.lstat()))
            except (FileNotFoundError, PermissionError):  # another user's gateway has the place
                continue
            if not ours or folder.is_symlink() or path.is_symlink():
                raise LobsterpotError(f"{path} does not belong to the gateway's user, or is a link. Find out who made it and remove it.")
            return self._locked(path)
        return None

    def _locked(self, path: Path) -> sqlite3.Connection:
        database = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=self._wait, isolation_level=None)
        _never_closed.append(database)
        database.execute("PRAGMA journal_mode = MEMORY")
        database.execute("BEGIN EXCLUSIVE")
        return database

    def _version(self, database: sqlite3.Connection) -> int:
        published = int(database.execute("PRAGMA user_version").fetchone()[0])
        version = max(published, self._content_version(database))
        if version > LAST_VERSION:
            raise LobsterpotError(
                f"{self.where} has user_version {version}; {LAST_VERSION} is the newest that is known here. Nothing was changed. "
                "Use a version of Lobsterpot that knows this gateway."
            )
        return published

    def _content_version(self, database: sqlite3.Connection) -> int:
        """What newer content is marked with while older readers are still let in: `readStateSchemaContentVersion`."""
        row = self._machine_state(database, "state.schema.contentVersion")
        return int(row) if row and row.isdigit() else 0

    def _machine_state(self, database: sqlite3.Connection, key: str) -> str | None:
        """One value of the gateway's own notes; None when it has none, or keeps no notes."""
        if not database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'config_machine_state'").fetchone():
            return None
        row = database.execute("SELECT value_json FROM config_machine_state WHERE state_key = ?", (key,)).fetchone()
        return str(row[0]) if row else None

    def _check_schema(self, database: sqlite3.Connection) -> None:
        self._version(database)
        for table, columns in _TABLES.items():
            found = tuple(row[1:4] + row[5:6] for row in database.execute(f"PRAGMA table_info({table})"))
            if found != columns:
                raise LobsterpotError(f"{self.where}: the table {table} is not as this gateway's versions make it. Nothing was changed.")
            if not any(row[5] for row in database.execute(f"PRAGMA table_list({table})")):
                raise LobsterpotError(f"{self.where}: the table {table} is not STRICT, as the gateway makes it. Nothing was changed.")
            unique = [row[1] for row in database.execute(f"PRAGMA index_list({table})") if row[2] and row[3] == "c"]
            if unique:
                raise LobsterpotError(
                    f"{self.where}: a unique index {unique[0]!r} on {table} is not the gateway's. Remove it; nothing was changed."
                )
            query = "SELECT name FROM sqlite_master WHERE tbl_name = ? AND type = 'trigger'"
            if trigger := database.execute(query, (table,)).fetchone():
                raise LobsterpotError(
                    f"{self.where}: a trigger {trigger[0]!r} on {table} is not the gateway's. Remove it; nothing was changed."
                )

    def _check_owner(self, database: sqlite3.Connection) -> None:
        """The row that names an external owner forbids writing, whatever it holds: `assertOpenClawStateWriteAllowed`."""
        if self._machine_state(database, "gateway.supervision") is not None:
            raise LobsterpotError(
                f"{self.where} is owned by an external manager (openclaw database ownership). Nothing was changed. "
                "Change senders through that manager, or have it give up its claim."
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors into what an operator can act on."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                way_out = f"another process has held its lock for {self._wait:.0f} s. See who: fuser {self.where}. Then run this again."
            elif name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
                way_out = f"{error}. Look at the disk, its free space and the file's owner and mode, then run this again."
            else:
                way_out = f"{error}. Stop the gateway, then: openclaw doctor. Or bring the state back from a backup."
            raise LobsterpotError(f"{self.where}: {way_out} Nothing was changed.") from error


def _meta(text: str | None) -> dict[str, object]:
    """Read `meta_json` as the gateway does: what is no object counts as nothing."""
    try:
        meta = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return meta if isinstance(meta, dict) else {}
