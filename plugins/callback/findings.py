# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a play read what its own tasks have changed, would change, or could not do so far."""

from __future__ import annotations

DOCUMENTATION = r"""
name: findings
type: aggregate
short_description: Give a play, as a variable, what its tasks changed and where they failed
description:
  - Keeps for each host the variable C(findings), new in each play, with two lists. C(changes) holds what tasks changed, or in check
    mode would change, each with C(topic) (the role), C(step) (the task) and C(what) (paths or items, where the task has any).
    C(failures) holds the same with C(words) instead of C(what).
  - No value, content or diff is kept. Of a task with C(no_log), nothing but its name.
  - playbooks/verify.yml makes its report of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.plugins.callback import CallbackBase

PATHS = ("path", "dest", "name")


def named(result: Mapping[str, Any]) -> Iterator[str]:
    """What a result is about: files it names, items of its loop; nothing when it names none."""
    if result.get("censored"):
        return
    items = [item for item in result.get("results") or [] if isinstance(item, Mapping)]
    for item in items:
        if item.get("changed") and not item.get("censored"):
            yield str(item.get("_ansible_item_label", item.get("item", "")))
    if not items:
        paths = result.get("paths") or [result[key] for key in PATHS if isinstance(result.get(key), str)][:1]
        yield from map(str, paths)


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core has no types
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "findings"

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self.variables = play.get_variable_manager()
        self.found: dict[str, dict[str, list[dict[str, Any]]]] = {}

    def _host(self, result: Any) -> dict[str, list[dict[str, Any]]]:
        """What was found on the host so far; from its first task on the variable is there, also with nothing in it."""
        host = result.host.get_name()
        found = self.found.setdefault(host, {"changes": [], "failures": []})
        self.variables.set_nonpersistent_facts(host, {"findings": found})
        return found

    def _step(self, result: Any) -> dict[str, Any]:
        role = getattr(result.task, "_role", None)
        return {"topic": role.get_name() if role else "playbook", "step": result.task.get_name().rpartition(" : ")[2].rpartition(" | ")[2]}

    def v2_runner_on_ok(self, result: Any) -> None:
        found = self._host(result)
        # A task that wrote none of its files counts as changed for what its handler does, which is found with the handler.
        if result.is_changed() and result.result.get("paths") != []:
            found["changes"].append({**self._step(result), "what": list(named(result.result))})

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002 - Ansible's signature
        words = "" if result.result.get("censored") else str(result.result.get("msg", ""))
        self._host(result)["failures"].append({**self._step(result), "words": words})
