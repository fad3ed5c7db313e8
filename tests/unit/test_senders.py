# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an allowlist becomes: spellings, refusals, and properties that hold for every list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.senders import account_name, canonical, channel_name, doubt, plan, stored_form, wanted_senders
from hypothesis import given
from hypothesis import strategies as st

CHANNELS = ["telegram", "discord", "whatsapp", "signal", "imessage", "slack", "googlechat", "matrix", "unheard-of"]
SPELLINGS = json.loads((Path(__file__).parent.parent / "integration" / "spellings.json").read_text())


@pytest.mark.parametrize(
    ("channel", "entry", "stored"),
    [
        ("telegram", " TG:123 ", "123"),
        ("telegram", "telegram: 123", "123"),
        ("telegram", "tg:tg:123", "tg:123"),
        ("telegram", "slack:123", "slack:123"),
        ("discord", "user:42", "42"),
        ("discord", "Discord:42", "42"),
        ("slack", "slack:U1", "U1"),
        ("slack", "team:T1:user:U1", "team:T1:user:U1"),
        ("signal", "signal:+4912", "+4912"),
        ("signal", "uuid:AB-1", "uuid:AB-1"),
        ("matrix", "matrix:@Ada:example.org", "@Ada:example.org"),
        ("msteams", "msteams:ID", "ID"),
        ("googlechat", "gchat:user:users/Ada", "ada"),
        ("googlechat", "Ada@Example.org", "ada@example.org"),
        ("mattermost", "user:@Ada", "ada"),
        ("nextcloud-talk", "NC:Ada", "ada"),
        ("synology-chat", "Ada", "ada"),
        ("line", "line:user:U1", "U1"),
        ("line", "line:U1", "U1"),
        ("twitch", "twitch:user:7", "7"),
        ("zalo", "zl:7", "7"),
        ("feishu", "open_id:7", "7"),
        ("whatsapp", "+49 (151) 234-56", "4915123456"),
        ("whatsapp", "whatsapp:4915123456@s.whatsapp.net", "4915123456"),
        ("whatsapp", "4915123456:7@s.whatsapp.net", "4915123456"),
        ("whatsapp", "123-456@g.us", "123-456@g.us"),
        ("imessage", "Ada@example.org", "Ada@example.org"),
    ],
)
def test_spellings_are_the_gateways(channel: str, entry: str, stored: str) -> None:
    """Each channel's prefixes, case and number format, as its adapter has them."""
    assert stored_form(channel, entry) == stored


@pytest.mark.parametrize("row", SPELLINGS, ids=lambda row: f"{row['channel']}-{row['entry']!a}")
def test_whoever_the_gateway_lets_in_is_revoked(row: dict[str, str]) -> None:
    """S8: `absent` takes each spelling by which the real gateway lets the sender in; what is none stays, or becomes one when stored."""
    channel, sender = row["channel"], canonical(row["channel"], row["sender"])
    if row["lets_in"]:
        assert plan("absent", channel, [row["entry"]], [sender]).after == ()
    if row["lets_in"] and ":user:" not in canonical(channel, row["entry"]):
        assert plan("exact", channel, [row["entry"], row["sender"]], [sender]).after == (sender,)


@pytest.mark.parametrize(
    ("channel", "entry", "form"),
    [
        ("signal", "+1 555 123-4567", "+15551234567"),
        ("signal", "15551234567", "+15551234567"),
        ("signal", "01234567-89AB-cdef-0123-456789abcdef", "uuid:01234567-89ab-cdef-0123-456789abcdef"),
        ("signal", "0123456789abcdef0123456789abcdef", "uuid:01234567-89ab-cdef-0123-456789abcdef"),
        ("imessage", "+1 (555) 123-4567", "+15551234567"),
        ("imessage", "imessage:+15551234567", "+15551234567"),
        ("imessage", "Ada@Example.org", "ada@example.org"),
        ("slack", "u0123abcd", "U0123ABCD"),
        ("slack", "<@U0123ABCD>", "U0123ABCD"),
        ("slack", "team:t1:user:u0123abcd", "team:T1:user:U0123ABCD"),
        ("discord", "<@!123456789012345678>", "123456789012345678"),
        ("discord", "pk:123456789012345678", "123456789012345678"),
        ("matrix", "user:@Ada:example.org", "@Ada:example.org"),
        ("whatsapp", "+1/555/123/4567", "15551234567"),
        ("telegram", "TG:123", "123"),
    ],
)
def test_one_sender_has_one_form(channel: str, entry: str, form: str) -> None:
    """What is stored for a spelling, and what all spellings of a sender have in common."""
    assert wanted_senders(channel, [entry]) == [form]


@pytest.mark.parametrize(
    ("channel", "entries"),
    [
        ("telegram", ["@ada", "ada", "+123", "0123", "-1001234567890", "\u0661\u0662\u0663", "1 2", "user:1", "https://t.me/ada"]),
        ("discord", ["ada#1234", "@ada", "#general", "+123456", "<@&123456>", "<#123456>", "\u0661\u0662\u0663\u0664\u0665"]),
        ("slack", ["@ada", "#general", "C0123ABCD", "<@U0123ABCD|ada>", "channel:U0123ABCD", "ada@example.org"]),
        ("whatsapp", ["Ada B", "status@broadcast", "120363012345678901@g.us", "05551234567", "ada15551234567", "123456@newsletter"]),
        ("imessage", ["mailto:ada@example.org", "ada", "chat_id:1", "05551234567", "Ada <ada@example.org>", "e:+15551234567"]),
        ("signal", ["ada", "@ada.01", "05551234567", "uuid:ada", "abc", "+1555ada", "group:15551234567", "username:ada.01"]),
        ("matrix", ["ada", "@ada", "!room:example.org", "#room:example.org", "ada@example.org"]),
    ],
)
def test_who_can_never_match_is_refused(channel: str, entries: list[str]) -> None:
    """S14: a text that is no sender of the channel; the message shows one that is."""
    for entry in entries:
        with pytest.raises(LobsterpotError, match=rf"is no sender of {channel}: the gateway never matches it\. A sender looks like "):
            wanted_senders(channel, [entry])


def test_a_workspace_of_slack() -> None:
    """A user is revoked with the entries for single workspaces, and an entry for one with that for all, but not with another's."""
    stored = ["team:T1:user:U0123ABCD", "U0123ABCD", "team:T2:user:U0123ABCD", "U9999ABCD"]
    assert plan("absent", "slack", stored, ["U0123ABCD"]).after == ("U9999ABCD",)
    assert plan("absent", "slack", stored, ["team:T1:user:U0123ABCD"]).after == ("team:T2:user:U0123ABCD", "U9999ABCD")


@pytest.mark.parametrize(
    "entry",
    ["*", " * ", "tg:*", "tg:tg:1", "", "  ", "tg:", "1\n2", "1\x002", "1\u200b2", "\u202e12", "\ud800", "{{ 1 }}", "{% if %}", "9" * 256],
)
def test_an_entry_no_sender_can_have_is_refused(entry: str) -> None:
    """S8, S14: never everybody, never what cannot be seen, never a template for the next inventory."""
    with pytest.raises(LobsterpotError, match=r"^entries: "):
        wanted_senders("telegram", ["123", entry])


@pytest.mark.parametrize("name", ["", " ", "../x", "a/b", "a\\b", "a b", "tele.gram", "1a", "-a", "a" * 65, "é", "__proto__"])
def test_a_channel_that_is_a_path_is_refused(name: str) -> None:
    """S15: the name becomes part of a file's name."""
    with pytest.raises(LobsterpotError, match=r"^channel: "):
        channel_name(name)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a.b", "a:b", "_a", "constructor", "prototype", "a" * 65])
def test_an_account_that_is_a_path_is_refused(name: str) -> None:
    """S15, and names that are more than names to the gateway's language."""
    with pytest.raises(LobsterpotError, match=r"^account: "):
        account_name(name)


def test_names_are_trimmed_and_lowered() -> None:
    """As the gateway does with both."""
    assert (channel_name(" Telegram "), account_name(" Work ")) == ("telegram", "work")


def test_present_adds_at_the_end_and_keeps_the_rest() -> None:
    """A hand-made approval stays where it is, a wildcard is not touched."""
    made = plan("present", "telegram", ["7", "*", "5"], ["9", "5", "8"])
    assert (made.after, made.added, made.removed) == (("7", "*", "5", "9", "8"), ["9", "8"], [])


def test_present_puts_another_spelling_right() -> None:
    """The gateway compares the database's text as it is: only its own spelling is sure to let the sender in."""
    made = plan("present", "telegram", ["7", "tg:5", "5"], ["5"])
    assert (made.after, made.added, made.removed) == (("7", "5"), [], ["tg:5"])


def test_absent_takes_every_spelling() -> None:
    """Whoever is revoked is out, however somebody wrote it."""
    made = plan("absent", "telegram", ["tg:5", "7", "5", "telegram:5"], ["5"])
    assert (made.after, made.removed) == (("7",), ["tg:5", "5", "telegram:5"])


def test_exact_leaves_these_and_removes_a_wildcard() -> None:
    """Who stays keeps the place; a wildcard, a blank and everybody else go."""
    made = plan("exact", "telegram", ["*", "7", "", "tg:5", "3"], ["1", "5", "3"])
    assert (made.after, made.added, made.removed) == (("5", "3", "1"), ["5", "1"], ["*", "7", "", "tg:5"])


def test_exact_with_nobody_empties_the_list() -> None:
    """An empty list is a wish too."""
    assert plan("exact", "telegram", ["7"], []).after == ()


channels = st.sampled_from(CHANNELS)
states = st.sampled_from(["present", "absent", "exact"])
raw = st.one_of(
    st.sampled_from(["*", "", " ", "1", "tg:1", "tg:tg:1", "2", "TG:2", "user:3", "3", "+4912", "4912", "Ada", "ada", "@Ada"]),
    st.text(max_size=8),
)
lists = st.lists(raw, max_size=8)


def wishes(channel: str, entries: list[str]) -> list[str]:
    return wanted_senders(channel, [entry for entry in entries if not doubt(channel, entry)])


@given(channels, raw)
def test_the_form_of_a_form_is_itself(channel: str, entry: str) -> None:
    """What was written is read back as the same sender, for what anybody may ask for."""
    for form in wishes(channel, [entry]):
        assert canonical(channel, form) == form


@given(states, channels, lists, lists)
def test_a_second_run_changes_nothing(state: str, channel: str, before: list[str], asked: list[str]) -> None:
    """S12: a plan's result is its own fixed point."""
    wanted = wishes(channel, asked)
    after = plan(state, channel, before, wanted).after
    assert not plan(state, channel, after, wanted).changed


@given(states, channels, lists, lists)
def test_nothing_is_invented(state: str, channel: str, before: list[str], asked: list[str]) -> None:
    """Whoever is on the list was there or is wanted, and nobody is there twice by our doing; nobody unwanted becomes everybody."""
    wanted = wishes(channel, asked)
    after = plan(state, channel, before, wanted).after
    assert set(after) <= set(before) | set(wanted)
    assert not [entry for entry in after if doubt(channel, entry) and entry not in before]


@given(states, channels, lists, lists)
def test_order_is_kept(state: str, channel: str, before: list[str], asked: list[str]) -> None:
    """Those who stay come in the order in which they were, before all who are new."""
    after = plan(state, channel, before, wishes(channel, asked)).after
    forms = [canonical(channel, entry) for entry in before]
    stayed = [form for entry in after if (form := canonical(channel, entry)) in forms]
    rest = iter(forms)
    assert all(form in rest for form in stayed)


@given(channels, lists, lists)
def test_each_state_does_what_it_says(channel: str, before: list[str], asked: list[str]) -> None:
    """Present: all wanted are there. Absent: none is. Exact: they and nobody else."""
    wanted = wishes(channel, asked)
    assert set(wanted) <= set(plan("present", channel, before, wanted).after)
    assert not set(wanted) & {canonical(channel, entry) for entry in plan("absent", channel, before, wanted).after}
    assert sorted(plan("exact", channel, before, wanted).after) == sorted(wanted)
