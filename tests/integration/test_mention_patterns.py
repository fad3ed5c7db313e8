"""Mention patterns: what the code takes and refuses, against the real gateway and the Node that its release brings along."""

from __future__ import annotations

import random
from pathlib import Path

import ansible.module_utils
import pytest

from tests.integration.real_gateway import RealGateway
from tests.lab import ROOT
from tests.policy_cases import PATTERNS_IGNORED, PATTERNS_READ, PATTERNS_READ_OTHERWISE

ansible.module_utils.__path__.append(str(ROOT / "module_utils"))

from ansible.module_utils.lobsterpot.mention import refusal  # noqa: E402 - it lies on the path since the line above

# Pieces of patterns, right and wrong; strung together they reach every rule of the grammar.
CHARACTERS = list("ab()()||*+?{}[]^$-.,:=!<>12i é🦞")
WORDS = ["(?:", "(?=", "(?!", "(?<!", "(?<=", "(?<n>", "(?<m>", "(?P<n>", "(?i)", "(?i:", "(?-i:", "(?i-i:", "(a|bc)", "(a+)", "(?>", "(?#"]
ESCAPES = ["\\", "\\b", "\\B", "\\d", "\\w", "\\A", "\\Z", "\\1", "\\2", "\\k<n>", "\\x41", "\\u0041", "\\cA", "\\0", "\\8", "\\-", "\\."]
REPEATS = ["{2}", "{0}", "{1,}", "{2,3}", "{3,1}", "{,2}", "*?", "[a-b]", "[b-a]", "[\\w-a]", "[^]", "[]"]
COUNT = 40_000
# The code is stricter than the gateway with these alone: a letter that stays a letter, a group that is not there, a name given twice.
STRICTER = ("means the letter", "refers to a group", "gives two groups one name")


def compiled(gateway: RealGateway, patterns: list[str]) -> list[str]:
    """Why the gateway ignores each pattern; empty when it reads it."""
    found = gateway.function("compileConfigRegexes", [[[pattern], "i"] for pattern in patterns])
    return ["" if made["regexes"] else made["rejected"][0]["reason"] if made["rejected"] else "empty" for made in found]


@pytest.fixture(params=["sqlite", "previous"])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> RealGateway:
    return RealGateway(request.param, tmp_path / "state")


def test_the_table(gateway: RealGateway) -> None:
    """The gateway reads what the table says that it reads, and ignores the rest."""
    assert compiled(gateway, [*PATTERNS_READ, *PATTERNS_READ_OTHERWISE]) == [""] * (len(PATTERNS_READ) + len(PATTERNS_READ_OTHERWISE))
    assert [pattern for pattern, why in zip(PATTERNS_IGNORED, compiled(gateway, list(PATTERNS_IGNORED)), strict=True) if not why] == []


def test_the_grammar(gateway: RealGateway) -> None:
    """What the code takes, the gateway takes; what it ignores, the code refuses. Patterns at random, the same in each run."""
    choice = random.Random(19)  # noqa: S311 - nothing secret
    pieces = [*CHARACTERS, *WORDS, *ESCAPES, *REPEATS]
    patterns = ["".join(choice.choices(pieces, k=choice.randint(1, 9))) for _ in range(COUNT)]
    found = [(pattern, ignored, refusal(pattern)) for pattern, ignored in zip(patterns, compiled(gateway, patterns), strict=True)]
    assert [each for each in found if each[1] and not each[2]] == []
    assert [each for each in found if each[2] and not each[1] and not any(words in each[2] for words in STRICTER)] == []
    assert min(sum(1 for each in found if bool(each[1]) is ignored) for ignored in (False, True)) > COUNT / 10
