# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one root-owned file shall be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.root_file import RootFile, parse_files


def options(**changes: Any) -> dict[str, Any]:
    base = {"path": "/etc/x", "content": "a\n", "mode": "0644", "group": "root", "validate": [], "absent": False}
    return base | changes


def test_parse_files() -> None:
    """Options become files in their order."""
    assert parse_files([options(), options(path="/etc/y", content=None, absent=True)]) == [
        RootFile("/etc/x", "a\n", "0644", "root", [], False),
        RootFile("/etc/y", "", "0644", "root", [], True),
    ]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, ("a\n", "0644", "root")),
        ({"content": "", "mode": "0600", "group": "openclaw"}, ("", "0600", "openclaw")),
        ({"absent": True}, None),
    ],
)
def test_state(changes: dict[str, Any], state: tuple[str, str, str] | None) -> None:
    """An empty file is a file; an absent one is none."""
    assert parse_files([options(**changes)])[0].state == state


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "etc/x"}, "etc/x: not a plain absolute path"),
        ({"path": ""}, ": not a plain absolute path"),
        ({"path": "/etc/../root/x"}, "/etc/../root/x: not a plain absolute path"),
        ({"path": "/etc/{{ name }}"}, "/etc/{{ name }}: not a plain absolute path"),
        ({"content": None}, "/etc/x: content is missing"),
        ({"mode": "644"}, "/etc/x: mode must be four octal digits in quotes, such as '0644', not '644'"),
        ({"mode": "420"}, "/etc/x: mode must be four octal digits in quotes, such as '0644', not '420'"),
        ({"mode": "4755"}, "/etc/x: mode must be four octal digits in quotes, such as '0644', not '4755'"),
        ({"mode": "0648"}, "/etc/x: mode must be four octal digits in quotes, such as '0644', not '0648'"),
        ({"mode": "0644\n"}, "/etc/x: mode must be four octal digits in quotes, such as '0644', not '0644\\n'"),
        ({"mode": "u=rw"}, "/etc/x: mode must be four octal digits in quotes, such as '0644', not 'u=rw'"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], message: str) -> None:
    """A mode that YAML read as a number, or a path that a variable bent, would open a file to others."""
    with pytest.raises(LobsterpotError) as error:
        parse_files([options(**changes)])
    assert str(error.value) == message


def test_a_path_named_twice_is_refused() -> None:
    """Two contents for one file would change it on every run."""
    with pytest.raises(LobsterpotError) as error:
        parse_files([options(), options(content="b\n")])
    assert str(error.value) == "/etc/x: named twice"


@pytest.mark.parametrize("path", ["/etc//x", "/etc/./x", "//etc/x", "/etc/x/"])
def test_a_path_spelt_in_two_ways_is_refused(path: str) -> None:
    """Two spellings name one file, too."""
    with pytest.raises(LobsterpotError):
        parse_files([options(), options(path=path, content="b\n")])


@pytest.mark.parametrize(
    ("before", "shown_before", "shown_after"),
    [
        (None, "", "a\n"),
        (("old\n", "0644", "root"), "old\n", "a\n"),
        (("old\n", "0666", "root"), "# mode 0666, group root\nold\n", "# mode 0644, group root\na\n"),
        (("a\n", "0644", "games"), "# mode 0644, group games\na\n", "# mode 0644, group root\na\n"),
    ],
)
def test_diff(before: tuple[str, str, str] | None, shown_before: str, shown_after: str) -> None:
    """A change of mode or group alone is seen as well."""
    assert parse_files([options()])[0].diff(before) == {
        "before_header": "/etc/x",
        "after_header": "/etc/x",
        "before": shown_before,
        "after": shown_after,
    }


def test_diff_of_a_removal() -> None:
    """What goes is shown."""
    removed = parse_files([options(absent=True, content=None)])[0].diff(("old\n", "0644", "root"))
    assert (removed["before"], removed["after"]) == ("old\n", "")
