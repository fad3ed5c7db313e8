# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of the inventory stays text: what the gateway makes something else of, in values and keys of its configuration.

Source: `src/config/env-substitution.ts` and `src/config/includes.ts` of openclaw 2026.9.6; clawdbot 2026.1.24-3 has the same. Both take
variables from their environment, in which the gateway's user may put some (`.env` in the state) and clawdbot has its secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .problems import Problems

_VARIABLE = re.compile(r"\$\{[A-Z_][A-Z0-9_]*\}")

# The first has the gateway read another file; the others are more than names to JavaScript, and vanish.
_KEYS = {
    "$include": "would put a file of the host in here.",
    "__proto__": "is no name to the gateway.",
    "constructor": "is no name to the gateway.",
    "prototype": "is no name to the gateway.",
}


def literal(value: Any) -> Any:
    """Return a configuration that the gateway reads as `value`: `$${NAME}` for each `${NAME}`, which it would replace."""
    if isinstance(value, str):
        return _VARIABLE.sub(r"$\g<0>", value)
    if isinstance(value, Mapping):
        return {key: literal(item) for key, item in value.items()}
    return [literal(item) for item in value] if isinstance(value, list) else value


def walk(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Give each single value, empty mapping and empty list with the keys that lead to it; a place in a list is no key."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from walk(item, (*path, str(key)))
    elif isinstance(value, list) and value:
        for item in value:
            yield from walk(item, path)
    else:
        yield path, value


def texts(value: object) -> Iterator[str]:
    """Give each text, number and key in it, as a program reads them."""
    for path, item in walk(value):
        yield from path
        yield str(item)


def check_keys(variable: str, value: object, problems: Problems) -> None:
    """Note keys that are no names to the gateway, under the variable in which they stand."""
    for path, _ in walk(value):
        for place, key in enumerate(path):
            if key in _KEYS:
                problems.add(".".join((variable, *path[: place + 1])), f"{_KEYS[key]} Leave it out.")
