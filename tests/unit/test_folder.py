# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hostile directory: what is no plain file is refused at once, whoever asks."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.folder import Folder


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Neither in place of the directory, nor of one in it, nor of a file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").symlink_to(tmp_path / "real" / "file")
    with pytest.raises(LobsterpotError, match="a link is not followed"):
        Folder.open(tmp_path / "link")
    with pytest.raises(LobsterpotError, match="a link is not followed"):
        Folder.open(tmp_path).enter("link")
    with pytest.raises(LobsterpotError, match="A plain file belongs there"):
        Folder.open(tmp_path).read("file", 100)


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    """A pipe does not make the reader wait, a directory is none, and a file above the limit is not loaded."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(bytes(101))
    folder = Folder.open(tmp_path)
    for name in ("pipe", "folder"):
        with pytest.raises(LobsterpotError, match="is no plain file"):
            folder.read(name, 100)
    with pytest.raises(LobsterpotError, match="has 101 bytes, more than the 100"):
        folder.read("large", 100)
    assert folder.read("missing", 100) is None


def test_the_directory_held_is_the_one_that_was_opened(tmp_path: Path) -> None:
    """Who puts another in its place meanwhile changes nothing for who holds it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "other").mkdir()
    folder = Folder.open(tmp_path / "real")
    (tmp_path / "real").rename(tmp_path / "away")
    (tmp_path / "real").symlink_to(tmp_path / "other")
    folder.replace("file", b"1\n")
    assert [path.name for path in (tmp_path / "away").iterdir()] == ["file"]
    assert list((tmp_path / "other").iterdir()) == []


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    """The file it leads to stays; the new one is private."""
    victim = tmp_path / "victim"
    victim.write_text("before")
    (tmp_path / "file").symlink_to(victim)
    Folder.open(tmp_path).replace("file", b"after")
    assert (victim.read_text(), (tmp_path / "file").read_text()) == ("before", "after")
    assert stat.S_IMODE((tmp_path / "file").lstat().st_mode) == 0o600


def test_what_killed_calls_left_is_cleared(tmp_path: Path) -> None:
    """Of this file and its lock, and of no other."""
    for name in (".lobsterpot-a-1", ".lobsterpot-a.lock-2", ".lobsterpot-b-3", "a", "a.lock"):
        (tmp_path / name).touch()
    Folder.open(tmp_path).clear("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lobsterpot-b-3", "a", "a.lock"]
