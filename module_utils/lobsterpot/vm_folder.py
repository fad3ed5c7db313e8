# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of one machine on the controller, whatever runs the machine: its record, its keys, and what else is the machine's."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from .errors import LobsterpotError

RECORD = "machine.json"
KEYS = ("host_key", "host_key.pub", "id_ed25519", "id_ed25519.pub", "known_hosts")


class VmFolder:
    """A folder with anything in it that is not listed here is not ours."""

    files: tuple[str, ...] = KEYS

    def __init__(self, directory: str) -> None:
        self.path = Path(directory)

    def record(self) -> dict[str, Any]:
        """Read the record; empty when there is none."""
        try:
            return dict(json.loads((self.path / RECORD).read_text()))
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError) as error:
            raise LobsterpotError(
                f"{self.path / RECORD} is damaged ({error}). Remove {self.path}; the next run makes the machine anew, "
                "or says what is in the way."
            ) from error

    def write(self, record: dict[str, Any]) -> None:
        """Replace the record in one step: a run that is cut off leaves the old one or the new one."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self.path / f"{RECORD}.new"
        new.write_text(json.dumps(record, indent=2) + "\n")
        new.replace(self.path / RECORD)

    def foreign_files(self) -> list[str]:
        """What lies in the folder and is not ours."""
        known = {RECORD, f"{RECORD}.new", *self.files}
        return sorted(entry.name for entry in self.path.iterdir() if entry.name not in known) if self.path.is_dir() else []

    def check_removable(self) -> None:
        """Refuse a removal that could not be finished."""
        foreign = self.foreign_files()
        if foreign:
            raise LobsterpotError(f"{self.path} holds {', '.join(foreign[:3])}, which is not the machine's. Put it elsewhere first.")

    def parts(self, but: Collection[str] = ()) -> list[Path]:
        """All that is ours and there. Record and folder come last, so that a removal that is cut short can be finished."""
        names = [name for name in (*self.files, f"{RECORD}.new", RECORD, "") if name not in but]
        return [self.path / name for name in names if os.path.lexists(self.path / name)]

    def remove(self, but: Collection[str] = ()) -> None:
        """Remove all that is ours. `but`: names that stay; with any, the empty name must be among them, which is the folder."""
        for part in self.parts(but):
            if part == self.path:
                part.rmdir()
            else:
                part.unlink(missing_ok=True)
