# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge approved senders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: access_settled
short_description: Tell whether a host's store already holds the senders that the inventory asks for
description:
  - Compares what M(gateway_pairing_info) found with the lists of M(gateway_policy), spelling by spelling. Where it says no, the module
    M(gateway_allowlist) decides, which knows when two spellings mean one sender.
positional: lists, authoritative
options:
  _input: {description: The result of M(gateway_pairing_info)., type: dict, required: true}
  lists: {description: The result C(lists) of M(gateway_policy)., type: list, elements: dict, required: true}
  authoritative: {description: Whether nobody else may be approved., type: bool, required: true}
"""


def settled(found: Mapping[str, Any], lists: Sequence[Mapping[str, Any]], authoritative: bool) -> bool:
    """Whether nothing is left to write, and nothing that was found has to be looked at."""
    if found["suspicious"]:
        return False
    approved = {
        (channel, account): set(state["approved"]) for channel, accounts in found["channels"].items() for account, state in accounts.items()
    }
    wanted = {(item["channel"], item["account"]): set(item["entries"]) for item in lists}
    if authoritative:
        return {place: senders for place, senders in approved.items() if senders} == {
            place: senders for place, senders in wanted.items() if senders
        }
    return all(senders <= approved.get(place, set()) for place, senders in wanted.items())


class FilterModule:
    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by name."""
        return {"access_settled": settled}
