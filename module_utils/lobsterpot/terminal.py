# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of words that somebody else wrote may be shown on the operator's terminal."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """Return the text with a space for each character that a terminal would act on, but those in `keep`."""
    return "".join(char if char.isprintable() or char in keep else " " for char in text)
