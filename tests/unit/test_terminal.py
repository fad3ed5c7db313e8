# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.module_utils.lobsterpot.terminal import printable


def test_nothing_steers_the_terminal() -> None:
    """Escapes, C1 controls, line ends and marks of direction become spaces; letters of every script stay."""
    assert printable("né\x1b[2J\x9b1m\r\n\u202eend") == "né [2J 1m   end"


def test_what_is_kept() -> None:
    """A line end that is wanted stays one."""
    assert printable("one\ntwo\rthree", keep="\n") == "one\ntwo three"
