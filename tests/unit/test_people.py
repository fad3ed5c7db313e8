# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory's people and the gateway's senders, both ways."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.people import adopt, resolve
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule

PEOPLE = {"ada": {"telegram": "tg:1", "matrix": ["@ada:example.org", "@ada:example.com"]}, "bo": {"telegram": 2}}


def allow(*items: object, channel: str = "telegram", account: str = "default") -> dict[str, Any]:
    return {channel: {"accounts": {account: {"allow": list(items)}}}}


def test_people_are_resolved_per_channel() -> None:
    """Named once, used on several channels, in the gateway's spelling, in order, each sender once."""
    channels = allow("ada", "bo", "telegram:1", 3) | allow("ada", channel="matrix", account="Work")
    assert resolve(channels, PEOPLE) == [
        {"channel": "telegram", "account": "default", "entries": ["1", "2", "3"]},
        {"channel": "matrix", "account": "work", "entries": ["@ada:example.org", "@ada:example.com"]},
    ]


@pytest.mark.parametrize(
    ("channels", "people", "words"),
    [
        (allow("eve"), PEOPLE, "access_channels.telegram.accounts.default.allow: there is nobody called 'eve' in access_people."),
        (
            allow("bo", channel="matrix"),
            PEOPLE,
            "access_channels.matrix.accounts.default.allow: access_people.bo has no handle for matrix.",
        ),
        (allow("*"), {}, "access_channels.telegram.accounts.default.allow: '*' lets everybody in."),
        (allow("ada"), {"ada": {"telegram": "*"}}, "access_people.ada.telegram: '*' lets everybody in."),
        ({}, {"ada": {"telegram": "@ada"}}, "access_people.ada.telegram: '@ada' is no sender of telegram: the gateway never matches it."),
        (allow("ada", channel="signal"), {"ada": {"signal": 15551234567}}, "access_people.ada.signal: 15551234567 is a number to YAML"),
        (allow("+15551234567", 1.5, channel="signal"), {}, "access_channels.signal.accounts.default.allow: 1.5 is a number to YAML"),
        (allow("1\u200b2"), {}, "holds a character that cannot be seen"),
        (allow(["1"]), {}, "access_channels.telegram.accounts.default.allow must be a list of people and senders, not ['1']."),
        (allow("1", channel="../x"), {}, "access_channels.../x.accounts.default: channel: '../x' is no channel."),
        (allow("1", account="a/b"), {}, "access_channels.telegram.accounts.a/b: account: 'a/b' is no account."),
        ({"telegram": ["1"]}, {}, "access_channels.telegram must be {accounts: ...}, not ['1']."),
        ({"telegram": {"allow": ["1"]}}, {}, "access_channels.telegram must hold accounts and nothing else"),
        ({"telegram": {"accounts": {"default": ["1"]}}}, {}, "access_channels.telegram.accounts.default must hold a list allow"),
        ({"telegram": {"accounts": {"default": {"allow": "1"}}}}, {}, "access_channels.telegram.accounts.default must hold a list allow"),
        (["telegram"], {}, "access_channels must be channels with accounts"),
        ({}, ["ada"], "access_people must be people by name"),
        (allow("ada"), {"ada": "1"}, "access_people.ada must be channels with a handle each"),
        ({**allow("1"), **allow("2", channel="Telegram")}, {}, "access_channels: telegram/default is named twice, in two spellings."),
    ],
)
def test_refuses(channels: object, people: object, words: str) -> None:
    """S14: one clear error with the path of the variable that is wrong."""
    with pytest.raises(LobsterpotError, match=re.escape(words)):
        resolve(channels, people)


def test_the_policy_resolves_them(run_module: RunModule) -> None:
    """The lists are part of the policy; a mistake in them is told with all else that is wrong."""
    paths = {"account_home": "/home/openclaw", "log_file": "/x", "secrets_file": "/y"}
    made = run_module("gateway_policy", {**paths, "access_channels": allow("bo"), "access_people": PEOPLE})
    assert made["lists"] == [{"channel": "telegram", "account": "default", "entries": ["2"]}]
    wrong = run_module("gateway_policy", {**paths, "access_channels": allow("eve"), "gateway_port": 80}, fails=True)["msg"]
    assert sorted(line.partition(" ")[0] for line in wrong.splitlines()) == [
        "Nothing",
        "access_channels.telegram.accounts.default.allow:",
        "gateway_port:",
    ]


def test_what_is_found_can_be_adopted(run_module: RunModule) -> None:
    """Words become people, numbers stay; what nobody should adopt is left out and named."""
    found = {"telegram": {"default": {"approved": ["7", "tg:8", "*", "{{ x }}"]}}, "mattermost": {"work": {"approved": ["ada"]}}}
    made = run_module("access_inventory", {"found": found})
    assert made["access_people"] == {"ada": {"mattermost": "ada"}}
    assert made["access_channels"] == {
        "telegram": {"accounts": {"default": {"allow": ["7", "8"]}}},
        "mattermost": {"accounts": {"work": {"allow": ["ada"]}}},
    }
    assert made["left_out"] == ["telegram/default: '*' lets everybody in", "telegram/default: '{{ x }}' holds a template"]


senders = st.lists(st.sampled_from(["1", "22", "ada", "Bo", "@x:y.z", "*", "", "u.v", "é", "a1"]) | st.text(max_size=5), max_size=6)
stores = st.dictionaries(
    st.sampled_from(["telegram", "mattermost", "unheard-of"]),
    st.dictionaries(st.sampled_from(["default", "work"]), st.fixed_dictionaries({"approved": senders}), max_size=2),
    max_size=3,
)


@given(stores)
def test_what_was_adopted_resolves_to_itself(found: dict[str, Any]) -> None:
    """Pasting the export into the inventory changes nothing, then or later."""
    made = adopt(found)
    lists = resolve(made["access_channels"], made["access_people"])
    again = adopt({})
    for item in lists:
        again.setdefault("store", {}).setdefault(item["channel"], {})[item["account"]] = {"approved": item["entries"]}
    once_more = adopt(again.get("store", {}))
    assert once_more["left_out"] == []
    assert once_more["access_channels"] == {c: v for c, v in made["access_channels"].items() if v["accounts"]}
