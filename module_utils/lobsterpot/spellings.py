# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a sender is spelled on each channel: one function a channel, as the gateway's own matcher compares (openclaw 2026.9.6).

Each `form` returns what two spellings of one sender have in common, in the form that the store and the configuration take. It follows the
identity with which the channel's plugin compares a sender with a list. `tests/integration/spellings.json` holds what the real
plugins do with each spelling, and `tests/integration/test_spellings.py` asks them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

# What JavaScript's `trim` takes away.
WHITESPACE = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

# As in JavaScript: without Unicode's foldings, by which a long s is an s.
_BLIND = re.IGNORECASE | re.ASCII

_SCHEME = re.compile(r"[a-z][a-z0-9-]*:", _BLIND)
_NO_DIGIT = re.compile(r"[^0-9]")
_TELEGRAM = re.compile(r"(telegram|tg):", _BLIND)
_DISCORD = re.compile(r"(discord|user|pk):", _BLIND)
_DISCORD_MENTION = re.compile(r"(?:<@!?)?([0-9]+)>?")
_SLACK = re.compile(r"(?:slack:|user:)?([ubw][a-z0-9_]+)|<@([ubw][a-z0-9_]+)>")
_SLACK_TEAM = re.compile(r"team:(t[a-z0-9]+):user:([buw][a-z0-9]+)")
_SIGNAL = re.compile(r"signal:", _BLIND)
_UUID_PREFIX = re.compile(r"uuid:", _BLIND)
_COMPACT_UUID = re.compile(r"[0-9a-f]{32}")
_HEX = re.compile(r"[0-9a-f-]*[a-f][0-9a-f-]*", _BLIND)
_SERVICE = re.compile(r"(imessage|sms|auto):", _BLIND)
_CHAT = {
    "chat_id:": re.compile(r"(chat_id|chatid|chat):", _BLIND),
    "chat_guid:": re.compile(r"(chat_guid|chatguid|guid):", _BLIND),
    "chat_identifier:": re.compile(r"(chat_identifier|chatidentifier|chatident):", _BLIND),
}
_PHONE_LIKE = re.compile(r"(tel:)?[+0-9\s().-]+", re.IGNORECASE)
_MATRIX = re.compile(r"(matrix|user):", _BLIND)

_NUMBER = r"\+?[0-9][0-9\s()./-]*"
_NUMBER_FORM = r"\+[1-9][0-9]{4,19}"
_UUID_FORM = r"uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _without(prefix: re.Pattern[str], text: str) -> str:
    found = prefix.match(text)
    return text[found.end() :].strip(WHITESPACE) if found else text


def _e164(text: str) -> str:
    """Source: `normalizeE164` of the gateway. Whatever precedes a colon and whatever is no digit is left out."""
    digits = _NO_DIGIT.sub("", _without(_SCHEME, text))
    return f"+{digits}" if digits else ""


def _telegram(text: str) -> str:
    """Source: `telegramIngressIdentity`, `normalizeAllowFrom` of its bot-access."""
    return _without(_TELEGRAM, text)


def _whatsapp(text: str) -> str:
    """Source: `normalizeWhatsAppIngressPhone`. The store's form is without the plus: `normalizeWhatsAppAllowFromEntry`."""
    return _e164(text).removeprefix("+") or text


def _signal(text: str) -> str:
    """Source: `signalIngressIdentity`, `parseSignalAllowEntry` and `looksLikeUuid`. Signal's servers write a UUID in small letters."""
    text = _without(_SIGNAL, text)
    if found := _UUID_PREFIX.match(text):
        raw = text[found.end() :].strip(WHITESPACE)
        if raw.startswith("+") and raw == _e164(raw):
            return raw
    elif _COMPACT_UUID.fullmatch(text.lower()) or _HEX.fullmatch(text):
        raw = text
    else:
        return _e164(text) or text
    raw = raw.lower()
    if _COMPACT_UUID.fullmatch(raw):
        raw = "-".join((raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:]))
    return f"uuid:{raw}"


def _imessage(text: str) -> str:
    """Source: `imessageIngressIdentity`, `normalizeIMessageHandleEntry`, which brings a handle into form twice."""
    return _handle(_handle(text))


def _handle(text: str) -> str:
    """Source: `parseIMessageAllowTarget` and `normalizeIMessageHandle`."""
    while found := _SERVICE.match(text):
        text = text[found.end() :].strip(WHITESPACE)
    for name, prefix in _CHAT.items():
        if found := prefix.match(text):
            return name + text[found.end() :].strip(WHITESPACE)
    if "@" in text:
        return text.lower()
    if _COMPACT_UUID.fullmatch(text.lower()):
        return f"chat_identifier:{text.lower()}"
    return (_e164(text) if _PHONE_LIKE.fullmatch(text) else "") or "".join(text.split())


def _discord(text: str) -> str:
    """Source: `discordIngressIdentity`, `normalizeDiscordIdEntry`."""
    if found := _DISCORD_MENTION.fullmatch(text):
        return found[1]
    rest = _without(_DISCORD, text)
    return found[1] if (found := _DISCORD_MENTION.fullmatch(rest)) else rest


def _slack(text: str) -> str:
    """Source: `slackIngressIdentity`, `normalizeSlackUserId` and `normalizeSlackWorkspaceUserEntry`; Slack writes IDs in capitals."""
    if found := _SLACK_TEAM.fullmatch(text.lower()):
        return f"team:{found[1].upper()}:user:{found[2].upper()}"
    found = _SLACK.fullmatch(text.lower())
    return (found[1] or found[2]).upper() if found else text


def _matrix(text: str) -> str:
    """Source: `matrixIngressIdentity`, `normalizeMatrixAllowListEntry`. A user ID keeps its case."""
    text = _without(_MATRIX, text)
    return text if text.startswith("@") and ":" in text else text.lower()


@dataclass(frozen=True)
class Sender:
    """How the senders of a channel look: the function that brings one into form, the forms that somebody can have, and an example.

    spelled: what may be written for it; the gateway makes a number of any text with digits in it, and nobody means that.
    """

    form: Callable[[str], str]
    valid: re.Pattern[str]
    example: str
    spelled: re.Pattern[str] | None = None
    phone: bool = False

    def fits(self, text: str, form: str) -> bool:
        return bool(self.valid.fullmatch(form)) and (self.spelled is None or bool(self.spelled.fullmatch(text)))


SENDERS = {
    "telegram": Sender(_telegram, re.compile(r"[1-9][0-9]{0,19}"), "123456789"),
    "whatsapp": Sender(
        _whatsapp,
        re.compile(r"[1-9][0-9]{4,19}"),
        "+15551234567",
        re.compile(rf"(whatsapp:\s*)*({_NUMBER}|[0-9]+@(s\.whatsapp\.net|c\.us|lid))", _BLIND),
        phone=True,
    ),
    "signal": Sender(
        _signal,
        re.compile(rf"{_NUMBER_FORM}|{_UUID_FORM}"),
        "+15551234567 or uuid:01234567-89ab-cdef-0123-456789abcdef",
        re.compile(rf"(signal:\s*)?({_NUMBER}|(uuid:\s*)?[0-9a-f-]+)", _BLIND),
        phone=True,
    ),
    "imessage": Sender(
        _imessage,
        re.compile(rf"{_NUMBER_FORM}|(?!mailto:)[^@\s<>,;:]+@[^@\s<>,;:]+"),
        "+15551234567 or ada@example.org",
        phone=True,
    ),
    "discord": Sender(_discord, re.compile(r"[1-9][0-9]{4,24}"), "123456789012345678"),
    "slack": Sender(_slack, re.compile(r"(team:T[A-Z0-9]+:user:)?[UW][A-Z0-9]{5,20}"), "U0123ABCD"),
    "matrix": Sender(_matrix, re.compile(r"@[^@:\s]+:[^@\s]+"), "@ada:example.org"),
}


def slack_user(form: str) -> str:
    """Return the user of an entry that holds for one workspace of Slack; any other form is its own user."""
    return form.rpartition(":")[2] if ":user:" in form else form
