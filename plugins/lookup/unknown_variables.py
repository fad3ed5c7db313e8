# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find misspelled variables: without this a run ignores them, and the operator believes that they took effect."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path

from ansible.plugins.lookup import LookupBase

DOCUMENTATION = r"""
name: unknown_variables
short_description: Tell which of a host's variables look like the project's and are none of them
description:
  - Returns a line for each. It looks at names alone, whether a variable comes from the inventory, a group, a host or the command line.
  - A variable looks like the project's when it begins with the name of a role and an underscore, such as C(gateway_modle). One that
    misspells this beginning, such as C(acces_people), does so when the whole name resembles a variable of the project.
"""

ROLES = Path(__file__).resolve().parents[2] / "roles"
# What playbooks take with -e beside the variables of the roles.
OF_PLAYBOOKS = frozenset({"adopt_user", "adopt_without", "rebuild_from", "rebuild_keep"})
# What tasks register under a name without underscores in front, because several roles read it.
REGISTERED = frozenset({"gateway_policy", "release_gateway", "release_sandbox"})
# How much a name and its beginning must resemble those of the project, from 0 to 1. `vg_name` and `vm_name` are different things, and
# `vault_gateway_token` holds what `gateway_token` takes.
LIKE_A_NAME = 0.85
LIKE_A_BEGINNING = 0.8


def top_level(files: Iterable[Path]) -> frozenset[str]:
    """Return the keys of YAML files, without the time that YAML takes."""
    return frozenset(name for file in files for name in re.findall(r"^(\w+):", file.read_text(encoding="utf-8"), re.MULTILINE))


def beginning(name: str) -> str:
    return name[: name.find("_") + 1]


def misspelled(name: str, beginnings: Set[str]) -> bool:
    """Whether the name begins nearly as the project's variables do."""
    return any(difflib.SequenceMatcher(None, name[: len(known)], known).ratio() >= LIKE_A_BEGINNING for known in beginnings)


def unknown(names: Iterable[str], options: Set[str], internal: Set[str]) -> Iterator[str]:
    """Yield what to tell of each name that is neither an option nor internal and looks like an option."""
    beginnings = {beginning(name) for name in options}
    for name in sorted(set(names) - options - internal):
        if beginning(name) in beginnings:
            near = difflib.get_close_matches(name, sorted(options), n=1, cutoff=0)
        elif not name.startswith("_") and misspelled(name, beginnings):
            near = difflib.get_close_matches(name, sorted(options), n=1, cutoff=LIKE_A_NAME)
        else:
            continue
        if near:
            yield f"{name}: unknown variable, did you mean {near[0]}? Correct the name. If the variable is your own, rename it."


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible-core has no types
    def run(self, terms: object, variables: Mapping[str, object] | None = None, **_options: object) -> list[str]:  # noqa: ARG002  # Ansible's
        """Called by Ansible with all variables of the host."""
        options = OF_PLAYBOOKS | top_level(ROLES.glob("*/defaults/main.yml"))
        return list(unknown(variables or {}, options, REGISTERED | top_level(ROLES.glob("*/vars/main.yml"))))
