# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may send a message: names of channels, accounts and senders, and what an allowlist becomes. Nothing here reads or writes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .errors import LobsterpotError
from .spellings import SENDERS, WHITESPACE, slack_user

WILDCARD = "*"
DEFAULT_ACCOUNT = "default"
MAX_SENDER_LENGTH = 255

# What the gateway takes for a channel: `parseChannel` of its pairing command (2026.1.24 to 2026.9.6).
_CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,63}")
# What it makes of an account's name in the configuration: `normalizeAccountId`.
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
# Names that are more than names to JavaScript: the gateway keys plain objects by account.
_OBJECT_KEYS = ("constructor", "prototype")

# Control and format characters, surrogates, line and paragraph separators (Unicode general categories).
_UNPRINTABLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
_TEMPLATE_MARKS = ("{{", "{%", "{#")

# What each channel's `normalizeAllowEntry` strips: read in clawdbot 2026.1.24-3, openclaw 2026.7.35 and 2026.9.6, and their plugins.
_PREFIXES = {
    "discord": "(discord|user):",
    "feishu": "(feishu|user|open_id):",
    "googlechat": "((googlechat|google-chat|gchat):)?(user:)?(users/)?",
    "line": "line:(user:)?",
    "matrix": "matrix:",
    "mattermost": "((mattermost|user):)?@?",
    "msteams": "(msteams|user):",
    "nextcloud-talk": "(nextcloud-talk|nc-talk|nc):",
    "signal": "signal:",
    "slack": "(slack|user):",
    "telegram": "(telegram|tg):",
    "twitch": "(twitch:)?user:?",
    "whatsapp": "(whatsapp:\\s*)+",
    "zalo": "(zalo|zl):",
    "zalouser": "(zalouser|zlu):",
}
_STRIP = {channel: re.compile(pattern, re.IGNORECASE) for channel, pattern in _PREFIXES.items()}
_CASE_BLIND = ("googlechat", "mattermost", "nextcloud-talk", "synology-chat")
_WHATSAPP_USER = re.compile(r"(\d+)(?::\d+)?@(?:s\.whatsapp\.net|c\.us|lid)", re.IGNORECASE)
_WHATSAPP_NUMBER = re.compile(r"\+?[\d\s().-]*\d[\d\s().-]*")

# Channels known by name. One with a dash in it must not be taken for a channel and an account.
KNOWN_CHANNELS = frozenset((*_PREFIXES, "bluebubbles", "imessage", "nostr", "reef", "synology-chat", "tlon"))


def channel_name(text: str) -> str:
    """Return a channel's name as the gateway has it. Raises LobsterpotError for what is none, such as a path."""
    name = text.strip().lower()
    if not _CHANNEL.fullmatch(name):
        raise LobsterpotError(f"channel: {text!r} is no channel. It needs small letters, digits, _ and -, such as telegram.")
    return name


def account_name(text: str) -> str:
    """Return an account's name as the gateway has it. Raises LobsterpotError for what is none, such as a path."""
    name = text.strip().lower()
    if not _ACCOUNT.fullmatch(name) or name in _OBJECT_KEYS:
        raise LobsterpotError(f"account: {text!r} is no account. It needs small letters, digits, _ and -, such as {DEFAULT_ACCOUNT}.")
    return name


def stored_form(channel: str, entry: str) -> str:
    """Return an entry as the gateway's store makes it of what it reads or writes: the channel's `normalizeAllowEntry`.

    Its matchers are looser. To tell whether two texts are one sender, take `canonical`.
    """
    text = entry.strip()
    prefix = _STRIP.get(channel)
    if prefix and (found := prefix.match(text)):
        text = text[found.end() :].strip()
    if channel == "whatsapp":
        if user := _WHATSAPP_USER.fullmatch(text):
            return user[1]
        return re.sub(r"\D", "", text) if _WHATSAPP_NUMBER.fullmatch(text) else text
    return text.lower() if channel in _CASE_BLIND else text


def canonical(channel: str, entry: str) -> str:
    """Return *the* form of an entry: two that let the same sender in have one, however they are spelled."""
    known = SENDERS.get(channel)
    return known.form(entry.strip(WHITESPACE)) if known else stored_form(channel, entry)


def doubt(channel: str, entry: str) -> str:
    """Say what is wrong with an entry, whether somebody asks for it or it lies in a store; empty when nothing is."""
    form = canonical(channel, entry)
    wrong = {
        "is blank": not form,
        "lets everybody in": WILDCARD in (entry.strip(), form),
        "names its channel twice": canonical(channel, form) != form,
        "holds a character that cannot be seen": not (entry.isascii() and entry.isprintable())
        and any(unicodedata.category(character) in _UNPRINTABLE for character in entry),
        "holds a template": any(mark in entry for mark in _TEMPLATE_MARKS),
        f"is longer than {MAX_SENDER_LENGTH} characters": len(entry) > MAX_SENDER_LENGTH,
    }
    found = next((words for words, holds in wrong.items() if holds), "")
    known = SENDERS.get(channel)
    if found or not known or known.fits(entry.strip(WHITESPACE), form):
        return found
    return f"is no sender of {channel}: the gateway never matches it. A sender looks like {known.example}"


def wanted_senders(channel: str, entries: Iterable[str], where: str = "entries") -> list[str]:
    """Return what somebody asks for as the gateway would store it, each once, in order.

    where: the variable that holds them, for the message. Raises LobsterpotError for an entry that no sender can have.
    """
    wanted: dict[str, None] = {}
    for entry in entries:
        if wrong := doubt(channel, entry):
            raise LobsterpotError(f"{where}: {entry[:MAX_SENDER_LENGTH]!r} {wrong}. Name senders of {channel} one by one.")
        wanted[canonical(channel, entry)] = None
    return list(wanted)


@dataclass(frozen=True)
class Plan:
    """An allowlist as it is and as it shall be, in the gateway's order."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return self.before != self.after

    @property
    def added(self) -> list[str]:
        have = set(self.before)
        return [entry for entry in self.after if entry not in have]

    @property
    def removed(self) -> list[str]:
        stay = set(self.after)
        return list(dict.fromkeys(entry for entry in self.before if entry not in stay))


def present(channel: str, before: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Add who is missing at the end. A wanted sender in another spelling is put into the gateway's own: it compares text."""
    asked = set(wanted)
    after = [form if (form := canonical(channel, entry)) in asked else entry for entry in before]
    return list(dict.fromkeys((*after, *wanted)))


def absent(channel: str, before: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Take out whatever lets the senders in. On Slack that is an entry for one workspace, and one for all of them."""
    asked = set(wanted)
    if channel != "slack":
        return [entry for entry in before if canonical(channel, entry) not in asked]
    gone = asked | {slack_user(form) for form in wanted}
    return [entry for entry in before if (form := canonical(channel, entry)) not in gone and slack_user(form) not in asked]


def exact(channel: str, before: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Leave nobody but the wanted: who stays keeps the place, who is new comes last, a wildcard goes."""
    asked = set(wanted)
    stay = (form for entry in before if (form := canonical(channel, entry)) in asked)
    return list(dict.fromkeys((*stay, *wanted)))


STATES: dict[str, Callable[[str, Sequence[str], Sequence[str]], list[str]]] = {"present": present, "absent": absent, "exact": exact}


def plan(state: str, channel: str, before: Sequence[str], wanted: Sequence[str]) -> Plan:
    """Decide what an allowlist becomes. `wanted` comes from `wanted_senders`."""
    return Plan(tuple(before), tuple(STATES[state](channel, before, wanted)))
