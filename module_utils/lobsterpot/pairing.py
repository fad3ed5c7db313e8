# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairing requests: reading them, finding one, and what approving it adds to an allowlist. Nothing here reads or writes a store."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .errors import LobsterpotError
from .senders import DEFAULT_ACCOUNT, canonical, doubt

# `PAIRING_CODE_ALPHABET`, `PAIRING_CODE_LENGTH` and `PAIRING_PENDING_TTL_MS` of the gateway, the same in every version so far.
_CODE = re.compile(r"[A-HJ-NP-Z2-9]{8}")
VALID_SECONDS = 3600
_SLACK_TEAM = re.compile(r"T[A-Z0-9]+", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """One pending request. Times are seconds since 1970; the code stays out of what is printed of it."""

    channel: str
    account: str
    sender: str
    code: str = field(repr=False)
    created: float
    last_seen: float
    meta: Mapping[str, str] = field(default_factory=dict)

    def expired(self, now: float) -> bool:
        return now - self.created > VALID_SECONDS


def account_of(name: object) -> str:
    """An account's name in a store, as the gateway reads it: trimmed, in small letters, `default` when there is none."""
    return (name.strip().lower() if isinstance(name, str) else "") or DEFAULT_ACCOUNT


def seconds(text: object) -> float | None:
    """Read the gateway's ISO 8601 times, such as 2026-09-06T12:00:00.000Z; None for anything else."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return moment.timestamp() if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def parse_request(channel: str, account: object, raw: Mapping[str, Any]) -> Request | None:
    """Read one request as the gateway does; None for what it would drop: `normalizePersistedPairingRequest`."""
    meta = raw.get("meta")
    kept = {key: text.strip() for key, text in meta.items() if isinstance(text, str) and text.strip()} if isinstance(meta, dict) else {}
    sender, code = (text.strip() if isinstance(text := raw.get(key), str) else "" for key in ("id", "code"))
    created = seconds(raw.get("createdAt"))
    last_seen = seconds(raw.get("lastSeenAt") or raw.get("createdAt"))
    if not sender or not code or created is None or last_seen is None:
        return None
    return Request(channel, account_of(account or kept.get("accountId")), sender, code.upper(), created, last_seen, kept)


def normal_code(text: str) -> str:
    """Return a code as the gateway compares it. Raises LobsterpotError, without the text, for what can be none."""
    code = text.strip().upper()
    if not _CODE.fullmatch(code):
        raise LobsterpotError("code: a pairing code has 8 letters and digits, without 0, 1, I and O. This is none.")
    return code


def find(requests: Iterable[Request], code: str | None, sender: str | None, account: str | None) -> Sequence[Request]:
    """Return the requests that are meant, by code or by sender. More than one only when several channels or accounts have them."""
    return [
        request
        for request in requests
        if account in (None, request.account)
        and (request.code == code if code else canonical(request.channel, request.sender) == canonical(request.channel, sender or ""))
    ]


def approval_entry(request: Request) -> str:
    """Return what the allowlist gets when a request is approved, as `resolveApprovalStoreEntry` of its channel has it.

    Raises LobsterpotError for a sender that cannot be let in safely.
    """
    if request.channel == "reef":
        raise LobsterpotError(
            "channel: reef approves with a token of its own. Use the gateway's command: openclaw pairing approve reef CODE"
        )
    entry = request.sender
    team = request.meta.get("teamId", "")
    if request.channel == "slack" and _SLACK_TEAM.fullmatch(team):
        entry = f"team:{team}:user:{request.meta.get('senderId', request.sender)}"
    if wrong := doubt(request.channel, entry):
        raise LobsterpotError(
            f"The sender of this request on {request.channel} {wrong}: it is dismissed or left to expire, never approved."
        )
    return canonical(request.channel, entry)
