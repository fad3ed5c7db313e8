# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's store of approved senders and pairing requests, whatever its form. What it says of itself decides which it is."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from . import limits
from .errors import LobsterpotError
from .folder import Folder
from .json_store import JsonStore, is_scoped
from .pairing import Request
from .sqlite_store import FIRST_VERSION, SqliteStore

_DATABASE = "openclaw.sqlite"


class Store(Protocol):
    """What every form can do. Lists and requests are of one channel; `stored` is raw, `entries` is what the gateway makes of it."""

    kind: str

    @property
    def where(self) -> str: ...
    def lists(self) -> dict[str, set[str]]: ...
    def stored(self, channel: str, account: str) -> list[str]: ...
    def entries(self, channel: str, account: str) -> list[str]: ...
    def requests(self, channel: str) -> list[Request]: ...
    def update(self, channel: str, account: str, decide: Callable[[list[str]], list[str]]) -> tuple[list[str], list[str]]: ...
    def settle(self, channel: str, choose: Callable[[list[Request]], Request], entry: Callable[[Request], str | None]) -> Request: ...


def _database(state: Folder) -> Path | None:
    """The database's path, when there is one. It is never opened but by SQLite: closing another descriptor would drop its locks."""
    folder = state.enter("state")
    status = folder.status(_DATABASE) if folder else None
    if folder is None or status is None:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise LobsterpotError(f"{folder.path / _DATABASE} is no plain file. Move it away: the gateway's database belongs there.")
    return folder.path / _DATABASE


def open_store(state_dir: Path, kind: str = "auto", wait: float = limits.STORE_LOCK) -> Store:
    """Open the store of a state directory. `kind` is auto, json or sqlite.

    From `user_version` 2 on the database is the store; at 1 the gateway made it and still uses its JSON files (2026.7.35).
    """
    state = Folder.open(state_dir)
    path = _database(state)
    database = SqliteStore(path, wait) if path else None
    version = database.version() if database else 1
    if database and version >= FIRST_VERSION:
        if kind == "json":
            raise LobsterpotError(f"store: the gateway keeps its senders in {path} and reads no JSON files any more. Leave store at auto.")
        return database
    if kind == "sqlite":
        raise LobsterpotError(
            f"store: there is no database in use in {state_dir / 'state'}. Start the gateway once, or run its `openclaw doctor --fix`; "
            "it makes its database itself."
        )
    if version == 0:
        raise LobsterpotError(f"{path} is empty: no gateway has set it up. Start the gateway once, or move the file away.")
    return JsonStore(state, scoped=database is not None or is_scoped(state), wait=wait)
