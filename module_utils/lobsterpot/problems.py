# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects all that is wrong with variables, so that one message can say it. Each check returns a value that is safe to go on with."""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .errors import LobsterpotError

_ADDRESS = re.compile(r"(?i)https?://(\[[0-9a-f:.]+\]|\w[\w.-]*)(:[0-9]{1,5})?(/[^\s?#]*)?")


class Problems:
    """What is wrong, each line with the path of the variable and how to put it right."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, where: str, words: str) -> None:
        self._note(f"{where}: {words}")

    def _note(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note the problem that what stands inside raises, and go on."""
        try:
            yield
        except LobsterpotError as error:
            self._note(str(error))

    def known(self, where: str, names: Iterable[str], allowed: Sequence[str]) -> None:
        """Demand that each name is one of `allowed`; name the nearest one otherwise."""
        for name in names:
            if name not in allowed:
                near = difflib.get_close_matches(str(name), allowed, n=1)
                self.add(f"{where}.{name}", f"unknown{f', did you mean {near[0]}' if near else ''}? Known are {', '.join(allowed)}.")

    def mapping(self, where: str, value: object, form: str) -> dict[str, Any]:
        if isinstance(value, Mapping):
            texts = [str(name) for name in value]
            for name in dict.fromkeys(text for text in texts if texts.count(text) > 1):
                self.add(where, f"{name} is named twice, as a text and as a number. Put both into one.")
            return {str(name): item for name, item in value.items()}
        self.add(where, f"must be {form}.")
        return {}

    def texts(self, where: str, value: object, form: str) -> list[str]:
        """A list of texts; YAML makes numbers of some senders."""
        if isinstance(value, list) and all(isinstance(item, (str, int)) and not isinstance(item, bool) for item in value):
            return [str(item) for item in value]
        self.add(where, f"must be {form}.")
        return []

    def text(self, where: str, value: object, form: str) -> str:
        if isinstance(value, str) and value.strip():
            return value
        self.add(where, f"must be {form}.")
        return ""

    def address(self, where: str, value: object, form: str, example: str) -> str:
        """The address of a server, without a login and without questions."""
        text = self.text(where, value, form)
        if text and not _ADDRESS.fullmatch(text):
            self.add(where, f"is no address such as {example}; a key in it would be no secret.")
        return text

    def choice(self, where: str, value: object, allowed: Sequence[str]) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        self.add(where, f"{value!r} is none of {', '.join(allowed)}.")
        return allowed[0]

    def flag(self, where: str, value: object) -> bool:
        if not isinstance(value, bool):
            self.add(where, f"{value!r} is neither true nor false.")
        return value is True
