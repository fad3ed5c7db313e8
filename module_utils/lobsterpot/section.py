# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One section of a text that others write too, between two markers."""

from __future__ import annotations

import re
from collections.abc import Iterable

BEGIN = "<!-- BEGIN rules of this host, kept by Lobsterpot -->"
END = "<!-- END rules of this host, kept by Lobsterpot -->"

_SECTION = re.compile(rf"^{BEGIN}\r?\n((?:(?!{BEGIN}|{END}).*\n)*?){END}(?:\r?\n){{0,2}}", re.MULTILINE)
_MARKER = re.compile(rf"(?:{BEGIN}|{END})(?:\r?\n)?")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n\s*", re.DOTALL)


def unfit(rules: Iterable[str]) -> list[str]:
    """Return the rules that are no plain line: they could end the section, or steer the terminal of who reads it."""
    return [rule for rule in rules if not rule.strip() or not rule.isprintable() or "<!--" in rule]


def sections(text: str) -> list[str]:
    """What stands in each whole section."""
    return [found[1] for found in _SECTION.finditer(text)]


def _unmarked(text: str) -> str:
    """Return the text without sections and without markers, also those that only appear when others go."""
    while (less := _MARKER.sub("", _SECTION.sub("", text))) != text:
        text = less
    return text


def with_section(text: str, body: str) -> str:
    """Return the text with one section that holds `body`, where the first one was, at the top otherwise; with none when `body` is empty.

    Markers too many or without their partner go; what others wrote beside them stays.
    """
    first = _SECTION.search(text)
    before, after = (text[: first.start()], text[first.end() :]) if first else ("", text)
    before, after = _unmarked(before), _unmarked(after)
    if before and not before.endswith("\n"):  # the end of its last line went with a marker
        before += "\n"
    return f"{before}{BEGIN}\n{body}{END}\n\n{after}" if body else before + after


def without_front_matter(text: str) -> str:
    """Drop the block between lines of `---` that a template begins with: it is for its documentation, not for who reads the copy."""
    return _FRONT_MATTER.sub("", text, count=1)
