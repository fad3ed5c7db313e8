# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one root-owned file shall be."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import LobsterpotError

# Content, mode in four octal digits, group; of a link its target, the word LINK, and root.
State = tuple[str, str, str]
LINK = "link"


@dataclass(frozen=True)
class RootFile:
    """One file or, where `link` names a target, one symbolic link; `state` is None when it shall not exist."""

    path: str
    content: str
    mode: str
    group: str
    validate: Sequence[str]
    absent: bool
    link: str = ""

    @property
    def state(self) -> State | None:
        if self.absent:
            return None
        return (self.link, LINK, "root") if self.link else (self.content, self.mode, self.group)

    def diff(self, before: State | None) -> dict[str, str]:
        """Return Ansible's diff: content, and a first line that tells mode and group when these differ."""

        def shown(state: State | None, other: State | None) -> str:
            if state is None:
                return ""
            if state[1] == LINK:
                return f"link to {state[0]}\n"
            attributes = "" if other is None or state[1:] == other[1:] else f"# mode {state[1]}, group {state[2]}\n"
            return attributes + state[0]

        after = self.state
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": shown(before, after),
            "after": shown(after, before),
        }


def parse_files(files: Sequence[Mapping[str, Any]]) -> list[RootFile]:
    """Read the module's `files`. Raises LobsterpotError for what cannot be meant."""
    parsed = [RootFile(**{**options, "content": options["content"] or "", "link": options.get("link") or ""}) for options in files]
    paths = [file.path for file in parsed]
    for file, options in zip(parsed, files, strict=True):
        plain = file.path.startswith("/") and not file.path.startswith("//") and posixpath.normpath(file.path) == file.path
        if not plain or "{{" in file.path:
            raise LobsterpotError(f"{file.path}: not a plain absolute path")
        if paths.count(file.path) > 1:
            raise LobsterpotError(f"{file.path}: named twice")
        if not file.absent and not file.link and options["content"] is None:
            raise LobsterpotError(f"{file.path}: content is missing")
        if file.link and options["content"] is not None:
            raise LobsterpotError(f"{file.path}: is either a link or a file with content")
        if not re.fullmatch(r"0[0-7]{3}", file.mode):
            raise LobsterpotError(f"{file.path}: mode must be four octal digits in quotes, such as '0644', not {file.mode!r}")
    return parsed
