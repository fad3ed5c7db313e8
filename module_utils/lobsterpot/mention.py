# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mention patterns as the gateway reads them: JavaScript's regular expressions, flag `i` alone, in a text made small.

The policy is judged on the controller, which need not have a Node. So the grammar stands here: ECMA-262, 22.2.1 with annex B.1.2, for
patterns without the flags `u` and `v`, and what the gateway refuses on top, `hasNestedRepetition` of `src/security/safe-regex.ts` in
openclaw 2026.9.6. An integration test holds both to the real gateway and its Node.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# One unit of UTF-16 a character, as JavaScript counts.
_UNIT = 2
_HIGHEST_COUNT = 2**31 - 1

_COUNT = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_MODIFIERS = re.compile(r"\?([ims]*)(-([ims]*))?:")
_NAMED = re.compile(r"\?<([A-Za-z_$][\w$]*)>")
# Escapes that are letters and mean something: in a class, \b is a backspace and \B nothing.
_ESCAPE = re.compile(r"[bBdDsSwWfnrtv]|c[A-Za-z]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[0-7]{1,3}|[89]")
_CLASSES = "dDsSwW"
_CONTROLS = {"b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
# What is meant by some words of Python and others.
_MEANT = {"A": "Write ^.", "Z": "Write $.", "z": "Write $.", "p": "Name the letters.", "U": "Write the character itself."}


class _NoPatternError(Exception):
    """What is wrong with a pattern."""


def refusal(pattern: str) -> str:
    """Say why the gateway would ignore a pattern, or read it as something that nobody means; empty when it does neither."""
    text = _units(pattern.strip())
    if not text:
        return "is blank"
    try:
        _Grammar(text).read()
    except _NoPatternError as error:
        return str(error).encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
    return "repeats a repetition, or branches of different lengths" if _nested_repetition(text) else ""


def _units(text: str) -> str:
    raw = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(int.from_bytes(raw[place : place + _UNIT], "big")) for place in range(0, len(raw), _UNIT))


class _Grammar:
    """Reads a pattern. Raises _NoPatternError for what JavaScript refuses, and for an escaped letter that stays a letter."""

    def __init__(self, text: str) -> None:
        self.text, self.place = text, 0
        # Whether each group that is open may be repeated once it is closed.
        self.open: list[bool] = []
        opened = [
            found for found in re.finditer(r"\\.|\[(?:\\.|[^\]\\])*\]?|\((?:\?<(?![=!])|(?!\?))", text, re.DOTALL) if found[0][0] == "("
        ]
        self.groups = len(opened)
        self.names = [named[1] for found in opened if (named := _NAMED.match(text, found.start() + 1))]

    def read(self) -> None:
        if len(set(self.names)) < len(self.names):
            raise _NoPatternError("gives two groups one name")
        repeatable = False
        while self.place < len(self.text):
            repeatable = self._item(self._next(), repeatable)
        if self.open:
            raise _NoPatternError("lacks a )")

    def _next(self) -> str:
        self.place += 1
        return self.text[self.place - 1]

    def _found(self, form: re.Pattern[str]) -> re.Match[str] | None:
        """Go past what has this form, if it stands here."""
        if found := form.match(self.text, self.place):
            self.place = found.end()
        return found

    def _item(self, character: str, repeatable: bool) -> bool:
        """Read what begins with `character`; return whether a repetition may follow it."""
        if character in "*+?" or (character == "{" and _COUNT.match(self.text, self.place - 1)):
            self._repetition(character, repeatable)
            return False
        if character == "(":
            self._group()
            return False
        if character == ")":
            if not self.open:
                raise _NoPatternError("has a ) too many")
            return self.open.pop()
        if character == "[":
            self._class()
        if character == "\\":
            return self._escape(in_class=False) is not None
        return character not in "|^$"

    def _repetition(self, character: str, repeatable: bool) -> None:
        if not repeatable:
            raise _NoPatternError(f"has a {character} with nothing to repeat before it")
        if character == "{":
            self.place -= 1
            count = self._found(_COUNT)
            least = min(int(count[1]), _HIGHEST_COUNT) if count else 0
            if count and count[3] and min(int(count[3]), _HIGHEST_COUNT) < least:
                raise _NoPatternError(f"has {count[0]}, the higher number first")
        self._found(re.compile(r"\?"))

    def _group(self) -> None:
        ahead = self.text[self.place : self.place + 3]
        if ahead.startswith("?P"):
            raise _NoPatternError("has (?P, which JavaScript does not know. Write (?<name>...) and \\k<name>")
        if re.match(r"\?[aiLmsux]+\)", self.text[self.place :]):
            raise _NoPatternError("has flags of its own, which JavaScript does not know. Leave (?i) out: letters of either case match")
        form = next((form for form in ("?<=", "?<!", "?=", "?!") if ahead.startswith(form)), "")
        self.place += len(form)
        if not form and ahead.startswith("?") and not self._found(_NAMED):
            modifiers = self._found(_MODIFIERS)
            letters = (modifiers[1] + (modifiers[3] or "")) if modifiers else ""
            if not modifiers or len(set(letters)) < len(letters) or (modifiers[2] and not letters):
                raise _NoPatternError(f"has ({ahead}, which begins no group in JavaScript")
        self.open.append(not form.startswith("?<"))

    def _escape(self, *, in_class: bool) -> int | None:
        """Read what follows a backslash. Return the character's number, 0 for a class of characters, None for a place like \\b."""
        if self.place == len(self.text):
            raise _NoPatternError("ends with a backslash")
        if self.names and not in_class and (named := self._found(re.compile(r"k<([^>]*)>"))):
            if named[1] not in self.names:
                raise _NoPatternError(f"refers to a group {named[1]} that it has not")
            return 0
        if not in_class and (number := re.compile(r"[1-9][0-9]*").match(self.text, self.place)):
            if int(number[0]) > self.groups:
                raise _NoPatternError(f"refers to a group {number[0]} that it has not")
            self.place = number.end()
            return 0
        found = self._found(_ESCAPE)
        character = found[0] if found else self._next()
        if character.isascii() and character.isalpha() and (not found or (in_class and character == "B")):
            meant = _MEANT.get(character, "Write it without the backslash.")
            raise _NoPatternError(f"has \\{character}, which means the letter {character} in JavaScript. {meant}")
        if not in_class and character in ("b", "B"):
            return None
        return _number(character) if found else ord(character)

    def _class(self) -> None:
        """Read characters up to the bracket that closes, ranges in order."""
        self._found(re.compile(r"\^"))
        low: int | None = None
        dash = False
        while self.place < len(self.text):
            character = self._next()
            if character == "]":
                return
            if character == "-" and low is not None and not dash and self.text[self.place : self.place + 1] != "]":
                dash = True
                continue
            class_of_many = character == "\\" and self.text[self.place : self.place + 1] in tuple(_CLASSES)
            number = self._escape(in_class=True) if character == "\\" else ord(character)
            if dash and not class_of_many and low is not None and low >= 0 and number is not None and low > number:
                raise _NoPatternError("has a range in [] that ends before it begins")
            low = None if dash else (-1 if class_of_many else number)
            dash = False
        raise _NoPatternError("lacks a ]")


def _number(escape: str) -> int:
    """The number of the character that an escape of `_ESCAPE` stands for, 0 for a class."""
    kind = escape[0]
    if escape in _CONTROLS:
        return _CONTROLS[escape]
    if kind in "xu":
        return int(escape[1:], 16)
    if kind == "c":
        return ord(escape[1]) % 32
    if kind in "89":
        return ord(kind)
    return int(escape, 8) if kind.isdigit() else 0


@dataclass
class _Part:
    """What a repetition can follow: how long it can be, and what is in it."""

    least: float = 0
    most: float = 0
    repeats: bool = False
    ambiguous: bool = False


class _Level:
    """A group that is open: the part before, and the lengths of its branches."""

    def __init__(self) -> None:
        self.last: _Part | None = None
        self.repeats = False
        self.parts: list[_Part] = []
        self.branches: list[tuple[float, float]] = []

    def add(self, part: _Part) -> None:
        self.last = part
        self.repeats = self.repeats or part.repeats
        self.parts.append(part)

    def branch(self) -> None:
        self.branches.append((sum(part.least for part in self.parts), sum(part.most for part in self.parts)))
        self.last, self.parts = None, []

    def close(self) -> _Part:
        alternatives = bool(self.branches)
        self.branch()
        least, most = min(low for low, _ in self.branches), max(high for _, high in self.branches)
        return _Part(least, most, self.repeats, alternatives and least != most)


# One part of a pattern: an escape, a class, a parenthesis, a bar, a repetition, a character.
_TOKEN = re.compile(r"\\.?|\[(?:\\.|[^\]\\])*\]?|[()|]|(?P<repetition>[*+?]\??|\{[0-9]+(?:,[0-9]*)?\}\??)|.", re.DOTALL)


def _nested_repetition(text: str) -> bool:
    """Whether something is repeated that holds a repetition, or branches of several lengths, without an end."""
    levels = [_Level()]
    for token in _TOKEN.finditer(text):
        level = levels[-1]
        if token[0] == "(":
            levels.append(_Level())
        elif token[0] == ")" and len(levels) > 1:
            levels.pop()
            levels[-1].add(level.close())
        elif token[0] == "|":
            level.branch()
        elif not token["repetition"]:
            level.add(_Part(1, 1))
        elif level.last:
            least, most = _times(token["repetition"])
            if level.last.repeats or (level.last.ambiguous and most == math.inf):
                return True
            last = level.last
            last.least, last.most = last.least * least, last.most * most if last.most and most else 0
            last.repeats = level.repeats = True
    return False


def _times(repetition: str) -> tuple[int, float]:
    if count := _COUNT.match(repetition):
        most = float(count[3]) if count[3] else math.inf if count[2] else float(count[1])
        return int(count[1]), most
    return {"*": (0, math.inf), "+": (1, math.inf), "?": (0, 1.0)}[repetition[0]]
