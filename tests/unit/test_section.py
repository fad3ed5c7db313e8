# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One section of a text that others write too."""

from __future__ import annotations

import pytest
from ansible.module_utils.lobsterpot.section import sections, with_section, without_front_matter
from hypothesis import example, given
from hypothesis import strategies as st

B = "<!-- BEGIN rules of this host, kept by Lobsterpot -->"
E = "<!-- END rules of this host, kept by Lobsterpot -->"


@pytest.mark.parametrize(
    ("text", "body", "after"),
    [
        ("", "- a\n", f"{B}\n- a\n{E}\n\n"),
        ("# Mine\n", "- a\n", f"{B}\n- a\n{E}\n\n# Mine\n"),
        (f"{B}\n- old\n{E}\n\n# Mine\n", "- new\n", f"{B}\n- new\n{E}\n\n# Mine\n"),
        (f"# Above\n{B}\n- old\n{E}\nbelow", "- new\n", f"# Above\n{B}\n- new\n{E}\n\nbelow"),
        (f"# Above\n{B}\n- old\n{E}\n\nbelow", "", "# Above\nbelow"),
        ("# Mine\n", "", "# Mine\n"),
        (f"{B}\r\n- old\r\n{E}\r\n\r\nbelow", "- new\n", f"{B}\n- new\n{E}\n\nbelow"),
    ],
    ids=["empty", "none yet", "replaced", "kept in its place", "removed", "nothing to remove", "foreign line ends"],
)
def test_one_section(text: str, body: str, after: str) -> None:
    """The section is as wanted, and the rest is what it was."""
    assert with_section(text, body) == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (f"{B}\n- a\n{E}\n\nx\n{B}\n- b\n{E}\n\ny\n", f"{B}\n- new\n{E}\n\nx\ny\n"),
        (f"{B}\nmine\n", f"{B}\n- new\n{E}\n\nmine\n"),
        (f"mine\n{E}\nmine too\n", f"{B}\n- new\n{E}\n\nmine\nmine too\n"),
        (f"{B}\nmine\n{B}\n- a\n{E}\n", f"mine\n{B}\n- new\n{E}\n\n"),
        (f"{E}\n{B}\n", f"{B}\n- new\n{E}\n\n"),
        (f"{B[:9]}{B}{B[9:]}\nmine\n", f"{B}\n- new\n{E}\n\nmine\n"),
    ],
    ids=["doubled", "no end", "no beginning", "nested", "the wrong way round", "one inside another"],
)
def test_markers_that_somebody_meddled_with(text: str, after: str) -> None:
    """One section is left, and no text of others is lost with a marker."""
    assert with_section(text, "- new\n") == after


PIECES = st.lists(st.sampled_from([B, E, "\n", "\r\n", "text", "- rule", B[:9], B[9:], "\udc80"]), max_size=12)


@given(PIECES)
@example(["text", B, "\n", B, "\n", E])
def test_it_settles(pieces: list[str]) -> None:
    """Whatever the text was: one section with what is wanted in it, a second time changes nothing, and it can be removed for good."""
    once = with_section("".join(pieces), "- new\n")
    assert sections(once) == ["- new\n"]
    assert (once.count(B), once.count(E)) == (1, 1)
    assert with_section(once, "- new\n") == once
    gone = with_section(once, "")
    assert with_section(gone, "") == gone
    assert B not in gone


def test_a_template_without_its_front_matter() -> None:
    """As the gateway makes the file of it; lines of dashes further down stay."""
    assert without_front_matter("---\nsummary: x\n---\n\n# AGENTS.md\n\n---\nend\n") == "# AGENTS.md\n\n---\nend\n"
    assert without_front_matter("# AGENTS.md\n---\n") == "# AGENTS.md\n---\n"
