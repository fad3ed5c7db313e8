# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secrets a host shall hold. Values pass through here and are never part of an error or a result."""

from __future__ import annotations

import re
import secrets as random
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import LobsterpotError

# The gateway's own audit warns below 24 characters (`gateway.token_too_short`).
MIN_TOKEN_LENGTH = 24
TOKEN_BYTES = 32

_POINTER = re.compile(r"(/[^/~]+)+")


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return a nested dict of secrets as JSON pointers (RFC 6901) to text.

    Raises LobsterpotError for a name or value that cannot be a secret.
    """
    flat: dict[str, str] = {}
    for key, value in tree.items():
        pointer = f"{prefix}/{key}"
        if not isinstance(key, str) or not key or "/" in key or "~" in key:
            raise LobsterpotError(f"{pointer}: a secret's name is text without / and ~")
        if isinstance(value, Mapping):
            flat.update(flatten(value, pointer))
        elif not isinstance(value, str) or not value.strip():
            raise LobsterpotError(f"{pointer}: the secret is empty or no text")
        else:
            flat[pointer] = value
    return flat


def nest(flat: Mapping[str, str]) -> dict[str, Any]:
    """Undo `flatten`."""
    tree: dict[str, Any] = {}
    for pointer, value in flat.items():
        *parents, last = pointer.split("/")[1:]
        level = tree
        for name in parents:
            level = level.setdefault(name, {})
        level[last] = value
    return tree


@dataclass(frozen=True)
class Plan:
    """Secrets before and after, by JSON pointer."""

    before: Mapping[str, str]
    after: Mapping[str, str]

    @property
    def changed(self) -> bool:
        return dict(self.before) != dict(self.after)

    def summary(self) -> dict[str, list[str]]:
        """Names only."""
        common = set(self.before) & set(self.after)
        return {
            "added": sorted(set(self.after) - set(self.before)),
            "removed": sorted(set(self.before) - set(self.after)),
            "replaced": sorted(name for name in common if self.before[name] != self.after[name]),
        }


def plan(before: Mapping[str, str], given: Mapping[str, str], generated: Iterable[str]) -> Plan:
    """Decide what the host shall hold: what is given, and a strong random value for each name in `generated` that is not.

    A value that was generated earlier stays. What is neither given nor generated goes.
    """
    after = dict(given)
    for pointer in generated:
        if not _POINTER.fullmatch(pointer):
            raise LobsterpotError(f"{pointer}: a name to generate is a JSON pointer, such as /gateway/token")
        if any(other.startswith(f"{pointer}/") or pointer.startswith(f"{other}/") for other in after):
            raise LobsterpotError(f"{pointer}: one secret cannot hold another")
        if pointer not in after:
            after[pointer] = before.get(pointer) or random.token_urlsafe(TOKEN_BYTES)
    return Plan(before, after)


def rotation(before: Mapping[str, str], given: Mapping[str, str], generated: Collection[str], name: str) -> Plan:
    """Decide on a new value for one secret, the given one or, where none is given, a random one; the others stay as they are on the host.

    Raises LobsterpotError for a name that is neither given nor generated, and for a value that the host has already.
    """
    known = sorted({*given, *generated})
    if name not in known:
        raise LobsterpotError(f"There is no secret {name.strip('/')!r}. There are: {', '.join(other.strip('/') for other in known)}.")
    value = given.get(name) or random.token_urlsafe(TOKEN_BYTES)
    if value == before.get(name):
        raise LobsterpotError(f"{name.strip('/')}: the host has this value already. Put the new one into the inventory (vault) first.")
    return Plan(before, {**before, name: value})
