# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approved senders and requests in JSON files: clawdbot, and openclaw up to 2026.7.35.

Format and locking rules: `src/pairing/pairing-store.ts` of both. Unscoped, a channel has one list; scoped, one for each account, and the
account `default` has the unscoped one as well.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from .errors import LobsterpotError
from .folder import Folder
from .pairing import Request, account_of, parse_request
from .senders import DEFAULT_ACCOUNT, KNOWN_CHANNELS, stored_form
from .store_lock import directory_lock, file_lock

MAX_BYTES = 32 << 20
# For how long a gateway that found no file may take to put its empty one there. It does that without its lock (`ensureJsonFile`), and
# what lies there by then is gone. Measured: 0.2 to 3 ms, with six of them on two cores up to 17.
CREATION_SECONDS = 0.25
_ALLOWED = "-allowFrom.json"
_PENDING = "-pairing.json"
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")


def _no_number(name: str) -> None:
    """Refuse what Python takes for a number in JSON and the gateway's `JSON.parse` does not: NaN and Infinity."""
    raise ValueError(f"{name} is no JSON")


def _escaped(half: re.Match[str]) -> str:
    """Write half a surrogate pair as `JSON.stringify` does; it has no UTF-8."""
    return f"\\u{ord(half[0]):04x}"


def split_name(stem: str, channels: frozenset[str], scoped: bool) -> tuple[str, str]:
    """Return channel and account of `<stem>-allowFrom.json`; a dash may be part of either, so known channels decide."""
    whole = stem in channels or "-" not in stem or not scoped
    if whole:
        return stem, DEFAULT_ACCOUNT
    known = max((name for name in channels if stem.startswith(f"{name}-")), key=len, default=stem.partition("-")[0])
    return known, stem.removeprefix(f"{known}-")


def is_scoped(state: Folder) -> bool:
    """Say whether the files show a gateway that keeps accounts apart. An empty store shows nothing and counts as unscoped."""
    folder = state.enter("credentials")
    names = folder.names() if folder else []
    stems = [name.removesuffix(_ALLOWED) for name in names if name.endswith(_ALLOWED)]
    pending = [name.removesuffix(_PENDING) for name in names if name.endswith(_PENDING)]
    channels = KNOWN_CHANNELS.union(pending)
    if any(split_name(stem, channels, scoped=True)[1] != DEFAULT_ACCOUNT or stem.endswith(f"-{DEFAULT_ACCOUNT}") for stem in stems):
        return True
    store = JsonStore(state, scoped=True, wait=0)
    return any("accountId" in request.meta for channel in pending for request in store.requests(channel))


class JsonStore:
    """One store of JSON files. Reading takes no lock: each file is replaced in one step."""

    kind = "json"

    def __init__(self, state: Folder, scoped: bool, wait: float) -> None:
        self._state = state
        self._scoped = scoped
        self._wait = wait

    @property
    def where(self) -> str:
        return str(self._state.path / "credentials")

    def lists(self) -> dict[str, set[str]]:
        """Return each channel with the accounts that have a list or a request."""
        folder = self._state.enter("credentials")
        names = folder.names() if folder else []
        pending = [name.removesuffix(_PENDING) for name in names if name.endswith(_PENDING)]
        found: dict[str, set[str]] = {}
        for channel in pending:
            found.setdefault(channel, set()).update(request.account for request in self.requests(channel))
        for stem in (name.removesuffix(_ALLOWED) for name in names if name.endswith(_ALLOWED)):
            channel, account = split_name(stem, KNOWN_CHANNELS.union(pending), self._scoped)
            found.setdefault(channel, set()).add(account)
        return found

    def stored(self, channel: str, account: str) -> list[str]:
        """Return the entries as they lie there."""
        return [entry for name in self._names(channel, account) for entry in self._entries(name)]

    def entries(self, channel: str, account: str) -> list[str]:
        """Return the entries as the gateway reads them, each once; it ignores a wildcard in these files, and we show it."""
        return list(dict.fromkeys(form for entry in self.stored(channel, account) if (form := stored_form(channel, entry))))

    def requests(self, channel: str) -> list[Request]:
        return [request for raw in self._document(f"{channel}{_PENDING}", "requests") if (request := self._request(channel, raw))]

    def update(self, channel: str, account: str, decide: Callable[[list[str]], list[str]]) -> tuple[list[str], list[str]]:
        """Change one list under the gateway's lock; `decide` sees it as it is then. Returns it before and after."""
        names = self._names(channel, account)
        with ExitStack() as held:
            for name in names:
                held.enter_context(self._locked(name))
            before = self.entries(channel, account)
            after = decide(before)
            rest = set(after).difference(before)
            for name in names:
                have = self._entries(name)
                forms = {stored_form(channel, entry) for entry in have}
                keep = [entry for entry in after if entry in forms or entry in rest]
                rest = set()  # who is new goes into the first file
                if before != after and keep != have:
                    self._write(name, "allowFrom", keep)
        return before, after

    def settle(self, channel: str, choose: Callable[[list[Request]], Request], entry: Callable[[Request], str | None]) -> Request:
        """Remove the request that `choose` picks, after adding what `entry` makes of it to its account's list.

        In this order, so that a crash between the two leaves an approved sender whose request can be settled again.
        """
        name = f"{channel}{_PENDING}"
        with self._locked(name):
            chosen = choose(self.requests(channel))
            added = entry(chosen)
            if added is not None:
                self.update(channel, chosen.account, lambda before: list(dict.fromkeys((*before, added))))
            pending = self._document(name, "requests")
            self._write(name, "requests", [raw for raw in pending if self._request(channel, raw) != chosen])
        return chosen

    def _request(self, channel: str, raw: object) -> Request | None:
        return parse_request(channel, None if self._scoped else DEFAULT_ACCOUNT, raw) if isinstance(raw, dict) else None

    def _names(self, channel: str, account: str) -> list[str]:
        """The files that hold a list; the first one gets what is new."""
        if self._scoped:
            shared = [f"{channel}{_ALLOWED}"] if account == DEFAULT_ACCOUNT else []
            return [f"{channel}-{account_of(account)}{_ALLOWED}", *shared]
        if account != DEFAULT_ACCOUNT:
            raise LobsterpotError(f"account: the store in {self.where} keeps no accounts apart. Leave account at {DEFAULT_ACCOUNT}.")
        return [f"{channel}{_ALLOWED}"]

    def _entries(self, name: str) -> list[str]:
        entries = self._document(name, "allowFrom")
        if not all(isinstance(entry, str) for entry in entries):
            raise LobsterpotError(f"{self.where}/{name} holds an entry that is no text. Put it in quotes or remove it.")
        return entries

    def _document(self, name: str, key: str) -> list[Any]:
        folder = self._state.enter("credentials")
        content = folder.read(name, MAX_BYTES) if folder else None
        if content is None:
            return []
        way_out = "Bring the file back from a backup or move it away; nothing was changed."
        try:
            document = json.loads(content.decode(), parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise LobsterpotError(f"{self.where}/{name} is no readable JSON, and the gateway takes it for empty. {way_out}") from error
        version = document.get("version") if isinstance(document, dict) else None
        if not isinstance(document, dict) or version != 1 or version is True or not isinstance(document.get(key), list):
            raise LobsterpotError(f"{self.where}/{name} is not of version 1 with a list {key}, the only form known. {way_out}")
        return list(document[key])

    def _write(self, name: str, key: str, content: list[Any]) -> None:
        text = json.dumps({"version": 1, key: content}, indent=2, ensure_ascii=False)
        folder = self._state.enter("credentials", make=True)
        assert folder  # noqa: S101 - for the type checker: it was made
        if folder.publish(name, f"{json.dumps({'version': 1, key: []}, indent=2)}\n".encode()):
            time.sleep(CREATION_SECONDS)  # whoever looked before now still replaces this empty one, and nothing else
        folder.replace(name, f"{_HALF_PAIR.sub(_escaped, text)}\n".encode())

    def _locked(self, name: str) -> AbstractContextManager[None]:
        folder = self._state.enter("credentials", make=True)
        assert folder  # noqa: S101 - for the type checker: it was made
        lock: Callable[[Folder, str, float], Any] = file_lock if self._scoped else directory_lock
        held: AbstractContextManager[None] = lock(folder, name, self._wait)
        return held
