# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mention patterns, judged as JavaScript reads them. tests/integration/test_mention_patterns.py asks the real gateway the same."""

from __future__ import annotations

import pytest
from ansible.module_utils.lobsterpot.mention import refusal

from tests.policy_cases import PATTERNS_IGNORED, PATTERNS_READ, PATTERNS_READ_OTHERWISE


@pytest.mark.parametrize("pattern", PATTERNS_READ)
def test_what_the_gateway_reads_is_taken(pattern: str) -> None:
    assert refusal(pattern) == ""


@pytest.mark.parametrize(("pattern", "words"), PATTERNS_IGNORED.items())
def test_what_the_gateway_ignores_is_refused(pattern: str, words: str) -> None:
    """S14: with what is wrong, and how to write it where Python or Perl have a word for it."""
    assert words in refusal(pattern)


@pytest.mark.parametrize(("pattern", "words"), PATTERNS_READ_OTHERWISE.items())
def test_what_means_something_else_there_is_refused(pattern: str, words: str) -> None:
    """The gateway takes these, and a mention is never seen: an anchor of Python is a letter of JavaScript."""
    assert words in refusal(pattern)


def test_a_long_pattern_takes_no_time() -> None:
    """Each character is looked at a few times, however many parentheses stand open."""
    assert refusal("(" * 3000 + "a" + ")" * 3000) == ""
    assert "lacks a )" in refusal("(a|" * 3000)
    assert "lacks a ]" in refusal("[" * 3000)
