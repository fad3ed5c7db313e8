# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be done with a store: keep an allowlist, settle a request, read all of it. Results hold only what JSON can."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .errors import LobsterpotError
from .pairing import VALID_SECONDS, Request, approval_entry, find
from .senders import WILDCARD, Plan, canonical, doubt, plan
from .store import Store

# Where channels put a sender's name in a request's `meta`.
_NAMES = ("firstName", "lastName", "name", "username", "tag")


def allowlist(store: Store, channel: str, account: str, wanted: Sequence[str], *, state: str, check: bool) -> dict[str, Any]:
    """Bring one allowlist to `state`. The lock is taken only when something is to change, and the change decided anew under it."""
    decided = plan(state, channel, store.entries(channel, account), wanted)
    if decided.changed and not check:
        before, after = store.update(channel, account, lambda now: list(plan(state, channel, now, wanted).after))
        decided = Plan(tuple(before), tuple(after))
    return {
        "changed": decided.changed,
        "before": list(decided.before),
        "after": list(decided.after),
        "added": decided.added,
        "removed": decided.removed,
        "wildcard": any(canonical(channel, entry) == WILDCARD for entry in decided.after),
        "store": store.kind,
        "where": store.where,
    }


def _candidates(store: Store, channel: str | None, account: str | None, code: str | None, sender: str | None) -> list[Request]:
    channels = [channel] if channel else sorted(store.lists())
    return [request for name in channels for request in find(store.requests(name), code, sender, account)]


def _one(found: Sequence[Request], where: str, named: str) -> Request:
    """Return the only request that is meant. Raises LobsterpotError when there is none, or more than one."""
    if not found:
        raise LobsterpotError(f"There is no pending request {named} in {where}. Requests last an hour; have the sender write again.")
    if len({(request.channel, request.account) for request in found}) > 1:
        places = ", ".join(sorted(f"{request.channel}/{request.account}" for request in found))
        raise LobsterpotError(f"Several requests {named} are pending ({places}). Name channel and account.")
    return max(found, key=lambda request: request.created)


def pairing(
    store: Store, channel: str | None, account: str | None, *, code: str | None, sender: str | None, approve: bool, check: bool
) -> dict[str, Any]:
    """Approve or dismiss one request. An approved sender without a request stays approved; nobody becomes a command owner."""
    named = "with this code" if code else f"from {sender}"
    found = _candidates(store, channel, account, code, sender)
    if sender and channel and not [request for request in found if not (approve and request.expired(time.time()))]:
        approved = canonical(channel, sender) in (canonical(channel, entry) for entry in store.entries(channel, account or "default"))
        if approved or not approve:
            return _settled(store, channel, account or "default", canonical(channel, sender), changed=False)
    request = _one(found, store.where, named)
    entry = approval_entry(request) if approve else None
    if approve and request.expired(time.time()):
        minutes = int((time.time() - request.created) // 60)
        raise LobsterpotError(
            f"The request {named} is {minutes} minutes old and has expired after {VALID_SECONDS // 60}. Have the sender write again."
        )
    if not check:
        request = store.settle(
            request.channel,
            lambda now: _one(find(now, code, sender, request.account), store.where, named),
            lambda chosen: approval_entry(chosen) if approve else None,
        )
    return _settled(store, request.channel, request.account, entry or canonical(request.channel, request.sender), changed=True)


def _settled(store: Store, channel: str, account: str, sender: str, *, changed: bool) -> dict[str, Any]:
    return {"changed": changed, "channel": channel, "account": account, "sender": sender, "store": store.kind, "where": store.where}


def report(store: Store) -> dict[str, Any]:
    """Everything there is, per channel and account, without codes; times in whole seconds."""
    now = time.time()
    channels: dict[str, dict[str, Any]] = {}
    for channel, accounts in sorted(store.lists().items()):
        requests = store.requests(channel)
        channels[channel] = {account: _account(store, channel, account, requests, now) for account in sorted(accounts)}
    findings = [
        f"{channel}/{account}: {finding}"
        for channel, accounts in channels.items()
        for account, found in accounts.items()
        for finding in found["suspicious"]
    ]
    return {"store": store.kind, "where": store.where, "channels": channels, "suspicious": findings}


def _pending(request: Request, now: float) -> dict[str, Any]:
    """One request without its code. The name is what the sender claims to be called."""
    name = " ".join(request.meta[key] for key in _NAMES if key in request.meta)
    return {
        "sender": request.sender,
        "name": "".join(character for character in name if character.isprintable()),
        "age": int(now - request.created),
        "last_seen": int(now - request.last_seen),
        "expires_in": max(0, int(request.created + VALID_SECONDS - now)),
        "expired": request.expired(now),
    }


def _account(store: Store, channel: str, account: str, requests: Sequence[Request], now: float) -> dict[str, Any]:
    stored = store.stored(channel, account)
    forms = [canonical(channel, entry) for entry in stored]
    pending = [_pending(request, now) for request in requests if request.account == account]
    doubts = [(entry, doubt(channel, entry)) for entry in stored]
    spelled = [(entry, "is not in the form the gateway writes") for entry, form in zip(stored, forms, strict=True) if entry != form]
    return {
        "approved": stored,
        "pending": pending,
        "duplicates": [form for form, times in Counter(forms).items() if times > 1],
        "suspicious": [f"{entry!r} {wrong}" for entry, wrong in (*doubts, *spelled) if wrong],
    }
