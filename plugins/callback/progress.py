# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's default output, with signs of life in long steps and a table at the end of where the time went."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: The default output, signs of life in long steps, and the time of each part at the end
description:
  - A step that takes long says every 15 seconds how long it has run, and what a module on the controller reports of itself in the file that
    C(LOBSTERPOT_PROGRESS) names.
  - Repeated attempts of one step are not listed one by one.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
"""

import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback.default import CallbackModule as Default

HEARTBEAT = 15.0  # seconds
SLOWEST = 5
WORTH_TELLING = 1.0  # seconds


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class CallbackModule(Default):  # type: ignore[misc]  # ansible-core has no types
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "progress"

    def __init__(self) -> None:
        super().__init__()
        self.began = time.monotonic()
        self.task: tuple[str, str, float] | None = None
        self.spent: list[tuple[str, str, float]] = []
        handle, name = tempfile.mkstemp(prefix="lobsterpot-progress-")
        os.close(handle)
        self.report = Path(name)
        os.environ["LOBSTERPOT_PROGRESS"] = name
        threading.Thread(target=self._beat, daemon=True).start()

    def _beat(self) -> None:
        last, told = self.task, 0
        while True:
            time.sleep(1)
            task = self.task
            if task is not last:
                last, told = task, 0
            seconds = time.monotonic() - task[2] if task else 0
            if task and seconds >= HEARTBEAT * (told + 1):
                told = int(seconds // HEARTBEAT)
                try:
                    said = self.report.read_text().strip()
                except OSError:
                    return
                # The step's name again: Ansible shows its heading with the first result.
                self._display.display(f"  ... {clock(seconds)} {task[1].rpartition(' : ')[2]}" + (f": {said}" if said else ""))

    def _switch(self, task: Any) -> None:
        """One task ends where the next begins."""
        now = time.monotonic()
        if self.task:
            self.spent.append((self.task[0], self.task[1], now - self.task[2]))
        self.report.write_text("")
        role = getattr(task, "_role", None)
        self.task = (role.get_name() if role else "", task.get_name(), now) if task else None

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._switch(task)
        super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._switch(task)
        super().v2_playbook_on_handler_task_start(task)

    def v2_runner_retry(self, result: Any) -> None:
        """Say nothing: the heartbeat tells that it waits."""

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._switch(None)
        super().v2_playbook_on_stats(stats)
        self.report.unlink(missing_ok=True)
        parts: dict[str, float] = {}
        for role, _name, seconds in self.spent:
            parts[role or "preparation"] = parts.get(role or "preparation", 0) + seconds
        told = [f"{part} {clock(seconds)}" for part, seconds in parts.items() if seconds >= WORTH_TELLING]
        slowest = sorted(self.spent, key=lambda item: -item[2])[:SLOWEST]
        self._display.display(f"Time {clock(time.monotonic() - self.began)}" + (": " + ", ".join(told) if told else ""))
        for _role, name, seconds in slowest:
            if seconds >= HEARTBEAT:
                self._display.display(f"  {clock(seconds):>6}  {name}")
