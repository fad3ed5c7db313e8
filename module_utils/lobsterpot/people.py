# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory's words for who is approved, and the gateway's: people named once against senders of each channel, both ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import LobsterpotError
from .senders import account_name, channel_name, doubt, wanted_senders
from .spellings import SENDERS

_CHANNELS = "access_channels"
PEOPLE = "access_people"

# A word of letters alone is a person. Otherwise a name with a typing error would quietly become a sender.
_NAME = re.compile(r"[^\W\d_]+")


def _expect(value: object, kind: type | tuple[type, ...], where: str, form: str) -> Any:
    if not isinstance(value, kind):
        raise LobsterpotError(f"{where} must be {form}, not {value!r}.")
    return value


def _handles(people: Mapping[str, Any], name: str, channel: str, where: str) -> list[str]:
    """Return a person's handles on a channel, one or a list of them in the inventory."""
    if name not in people:
        raise LobsterpotError(f"{where}: there is nobody called {name!r} in {PEOPLE}. Add the person there, with a handle for {channel}.")
    person = _expect(people[name], Mapping, f"{PEOPLE}.{name}", "channels with a handle each, such as {telegram: '123456789'}")
    handles = person.get(channel)
    if not handles:
        raise LobsterpotError(f"{where}: {PEOPLE}.{name} has no handle for {channel}. Add it there or take {name} off this list.")
    return _texts(handles if isinstance(handles, list) else [handles], channel, f"{PEOPLE}.{name}.{channel}", "a handle or a list of them")


def _texts(items: object, channel: str, where: str, form: str) -> list[str]:
    """Return a list of texts. YAML makes numbers of some senders; a phone number loses its + by that."""
    if not isinstance(items, list) or any(isinstance(item, bool) for item in items):
        raise LobsterpotError(f"{where} must be {form}, not {items!r}.")
    known = SENDERS.get(channel)
    for item in items:
        if isinstance(item, float) or (isinstance(item, int) and known and known.phone):
            example = f"'+{item}'" if isinstance(item, int) and item > 0 else "'+15551234567'"
            raise LobsterpotError(
                f"{where}: {item!r} is a number to YAML, which drops a + and zeros in front. Put it in quotes: {example}."
            )
    return [str(_expect(item, (str, int), where, form)) for item in items]


def senders_of(people: Mapping[str, Any], allow: object, channel: str, where: str) -> list[str]:
    """Return people and senders in the gateway's form, each once. Raises LobsterpotError for a name that is nobody's and for no sender."""
    named = _texts(allow, channel, where, "a list of people and senders")
    found: list[str] = []
    for item in named:
        person = item in people or _NAME.fullmatch(item)
        handles = _handles(people, item, channel, where) if person else [item]
        found += wanted_senders(channel, handles, f"{PEOPLE}.{item}.{channel}" if person else where)
    return list(dict.fromkeys(found))


def _accounts(channels: object) -> Iterator[tuple[str, str, object]]:
    """Give each channel and account with its settings."""
    form = "channels with accounts, such as {telegram: {accounts: {default: {allow: [ada]}}}}"
    for channel, settings in _expect(channels, Mapping, _CHANNELS, form).items():
        where = f"{_CHANNELS}.{channel}"
        accounts = _expect(settings, Mapping, where, "{accounts: ...}").get("accounts")
        if set(settings) != {"accounts"}:
            raise LobsterpotError(f"{where} must hold accounts and nothing else, such as {{accounts: {{default: {{allow: [ada]}}}}}}.")
        for account, inside in _expect(
            accounts, Mapping, f"{where}.accounts", "accounts by name, such as {default: {allow: [ada]}}"
        ).items():
            yield str(channel), str(account), inside


def _check_handles(people: Mapping[str, Any]) -> None:
    """Raise LobsterpotError for a handle that no sender can have, whether or not a list names the person today."""
    for name, person in people.items():
        for channel in person if isinstance(person, Mapping) else ():
            if person[channel]:
                where = f"{PEOPLE}.{name}.{channel}"
                wanted_senders(str(channel), _handles(people, name, channel, where), where)


def allowed(channels: object, channel: str, account: str) -> object:
    """Return the list `allow` of an account, in whatever case channel and account are written; None when there is none."""
    for name, accounts in channels.items() if isinstance(channels, Mapping) else ():
        inside = accounts.get("accounts") if isinstance(accounts, Mapping) and str(name).strip().lower() == channel else None
        for own, settings in inside.items() if isinstance(inside, Mapping) else ():
            if str(own).strip().lower() == account and isinstance(settings, Mapping):
                return settings.get("allow")
    return None


def resolve(channels: object, people: object) -> list[dict[str, Any]]:
    """Return the allowlists that the inventory asks for, as channel, account and senders in the gateway's form.

    Raises LobsterpotError with the path of the variable that is wrong, and how to put it right.
    """
    known: Mapping[str, Any] = _expect(people, Mapping, PEOPLE, "people by name, such as {ada: {telegram: '123456789'}}")
    _check_handles(known)
    lists = []
    for channel, account, settings in _accounts(channels):
        where = f"{_CHANNELS}.{channel}.accounts.{account}"
        try:
            names = channel_name(channel), account_name(account)
        except LobsterpotError as error:
            raise LobsterpotError(f"{where}: {error}") from error
        if not isinstance(settings, Mapping) or set(settings) != {"allow"} or not isinstance(settings["allow"], list):
            raise LobsterpotError(f"{where} must hold a list allow and nothing else, such as {{allow: [ada]}}.")
        lists.append(
            {"channel": names[0], "account": names[1], "entries": senders_of(known, settings["allow"], names[0], f"{where}.allow")}
        )
    places = [(item["channel"], item["account"]) for item in lists]
    if twice := next((place for place in places if places.count(place) > 1), None):
        raise LobsterpotError(f"{_CHANNELS}: {twice[0]}/{twice[1]} is named twice, in two spellings. Put both lists into one.")
    return lists


def adopt(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return what a store holds as the two variables, and what was left out because nobody should adopt it.

    `found` is `channels` of gateway_pairing_info. What comes back resolves to the same senders.
    """
    channels: dict[str, Any] = {}
    people: dict[str, dict[str, str]] = {}
    left_out = []
    for channel, accounts in found.items():
        for account, state in accounts.items():
            allow = []
            for entry in state["approved"]:
                if wrong := doubt(channel, entry):
                    left_out.append(f"{channel}/{account}: {entry!r} {wrong}")
                    continue
                sender = wanted_senders(channel, [entry])[0]
                if _NAME.fullmatch(sender):
                    people.setdefault(sender, {})[channel] = sender
                allow.append(sender)
            channels.setdefault(channel, {"accounts": {}})["accounts"][account] = {"allow": list(dict.fromkeys(allow))}
    return {"access_people": people, "access_channels": channels, "left_out": left_out}
