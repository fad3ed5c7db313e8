# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may talk to the agent, in the words of the gateway's configuration: `gateway_channels` made into `channels`.

The form is that of openclaw 2026.9.6 (`openclaw config schema`, its documentation under `channels/`). Nothing is left to what an account
inherits: each is written out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import LobsterpotError
from .people import allowed, resolve, senders_of
from .problems import Problems
from .senders import DEFAULT_ACCOUNT, account_name

CHANNELS_VARIABLE = "gateway_channels"
DM_POLICIES = ("pairing", "allowlist", "open", "disabled")
GROUP_POLICIES = ("disabled", "allowlist", "open")
EVERYBODY = "*"

# Settings with a form of their own, and what they look like.
_ADDRESSES = {"api_root": "https://telegram.example.org", "server": "http://192.0.2.9:8080"}
_FORMS = {
    "number": (re.compile(r"\+[0-9]{5,20}"), "a number with its country, such as '+15551234567'"),
    "remote_host": (re.compile(r"(\w[\w.-]*@)?\w[\w.:-]*"), "HOST or USER@HOST"),
}

_COMMON = ("enabled", "dm_policy", "group_policy", "groups", "group_senders", "require_mention")
_GROUP = ("require_mention",)


@dataclass(frozen=True)
class Channel:
    """One channel: which secrets it needs, where groups stand and how one is named, and its settings by our name and the gateway's."""

    secrets: tuple[str, ...] = ()
    groups: str = "groups"
    group: re.Pattern[str] = re.compile(r"\S.*")
    group_example: str = "123456789"
    settings: Mapping[str, str] = field(default_factory=dict)
    needed: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return (*_COMMON, *self.settings)


CHANNELS = {
    "telegram": Channel(("botToken",), group=re.compile(r"-[1-9][0-9]*"), group_example="-1001234567890", settings={"api_root": "apiRoot"}),
    "whatsapp": Channel(group=re.compile(r"[0-9-]+@g\.us"), group_example="120363012345678901@g.us"),
    "signal": Channel(settings={"number": "account", "server": "transport"}, needed=("number", "server")),
    "imessage": Channel(settings={"program": "cliPath", "remote_host": "remoteHost"}),
    "discord": Channel(("token",), groups="guilds"),
    "slack": Channel(("botToken", "appToken"), groups="channels", group=re.compile(r"[CG][A-Z0-9]{5,20}"), group_example="C0123ABCD"),
}

_SNOWFLAKE = re.compile(r"[1-9][0-9]{4,24}")

# On iMessage a conversation can stand among the senders of groups: `matchIMessageIngressEntry` of its plugin.
_CONVERSATION = re.compile(r"chat_(id:[0-9]+|(guid|identifier):\S+)")


@dataclass(frozen=True)
class Inventory:
    """What the variables around the channels say: the approved, the people, what may be open, and the JSON pointers of the secrets."""

    access_channels: Mapping[str, Any]
    people: Mapping[str, Any]
    open_confirmed: Sequence[str]
    secrets: Sequence[str]


def reference(pointer: str) -> dict[str, str]:
    """Name a secret in the file of secrets instead of holding it."""
    return {"source": "file", "provider": "hostfile", "id": pointer}


def senders(channel: str, wanted: object, people: Mapping[str, Any], where: str, problems: Problems) -> list[str]:
    """Return people and senders in the form of the channel's configuration; note those that no sender can be."""
    found: list[str] = []
    with problems.noted():
        found = senders_of(people, wanted, channel, where)
    return [f"+{sender}" if channel == "whatsapp" else sender for sender in found]


@dataclass(frozen=True)
class _Account:
    """One account of a channel: its wishes, checked, and their form in the configuration."""

    channel: str
    name: str
    where: str
    wishes: Mapping[str, Any]
    inventory: Inventory
    problems: Problems

    @property
    def form(self) -> Channel:
        return CHANNELS[self.channel]

    def config(self) -> dict[str, Any]:
        enabled = self.problems.flag(f"{self.where}.enabled", self.wishes.get("enabled", True))
        return {"enabled": enabled, "configWrites": False, **self._settings(enabled), **self._direct(), **self._groups()}

    def _settings(self, enabled: bool) -> dict[str, Any]:
        """What it takes to connect: secrets by reference, and settings."""
        made: dict[str, Any] = {}
        place = f"/{self.channel}" if self.name == DEFAULT_ACCOUNT else f"/{self.channel}/{self.name}"
        for secret in self.form.secrets:
            pointer = f"{place}/{secret}"
            if pointer in self.inventory.secrets:
                made[secret] = reference(pointer)
            elif enabled:
                self.problems.add(
                    self.where, f"needs a secret: set gateway_secrets{pointer.replace('/', '.')}, from vault or the environment."
                )
        for name, key in self.form.settings.items():
            if name in self.wishes:
                value = self._setting(name)
                made[key] = {"kind": "external-native", "url": value} if key == "transport" else value
            elif enabled and name in self.form.needed:
                self.problems.add(self.where, f"needs {name}.")
        return made

    def _setting(self, name: str) -> str:
        where, wish = f"{self.where}.{name}", self.wishes[name]
        if name in _ADDRESSES:
            return self.problems.address(where, wish, "the address of a server", _ADDRESSES[name])
        value = self.problems.text(where, wish, "text")
        form, words = _FORMS.get(name, (re.compile(".*"), ""))
        if value and not form.fullmatch(value):
            self.problems.add(where, f"must be {words}.")
        return value

    def _direct(self) -> dict[str, Any]:
        policy = self.problems.choice(f"{self.where}.dm_policy", self.wishes.get("dm_policy", "pairing"), DM_POLICIES)
        if policy == "open":
            self._confirmed("dm_policy")
            return {"dmPolicy": policy, "allowFrom": [EVERYBODY]}
        if policy == "allowlist":
            return {"dmPolicy": policy, "allowFrom": self._approved()}
        return {"dmPolicy": policy}

    def _confirmed(self, key: str) -> None:
        if self.channel not in self.inventory.open_confirmed:
            self.problems.add(
                f"{self.where}.{key}",
                "open lets anybody give orders to a program that runs commands. Choose another policy; if you mean it, "
                f"add {self.channel} to access_open_confirmed.",
            )

    def _approved(self) -> list[str]:
        """The same list that the store gets under `pairing`."""
        where = f"access_channels.{self.channel}.accounts.{self.name}.allow"
        allow = allowed(self.inventory.access_channels, self.channel, self.name)
        if not allow:
            self.problems.add(f"{self.where}.dm_policy", f"allowlist with nobody on it. Name somebody in {where}, or choose disabled.")
            return []
        return senders(self.channel, allow, self.inventory.people, where, self.problems)

    def _groups(self) -> dict[str, Any]:
        policy = self.problems.choice(f"{self.where}.group_policy", self.wishes.get("group_policy", "disabled"), GROUP_POLICIES)
        wanted = self.wishes.get("group_senders", [])
        where = f"{self.where}.group_senders"
        named = self._group_senders(wanted, where)
        mention = self.problems.flag(f"{self.where}.require_mention", self.wishes.get("require_mention", True))
        groups = self._named_groups(mention)
        if policy == "disabled":
            if named or groups:
                self.problems.add(f"{self.where}.group_policy", "is disabled, and groups or group_senders are named. Set it to allowlist.")
            return {"groupPolicy": policy}
        if policy == "open":
            self._confirmed("group_policy")
            named = []
        elif not named:
            self.problems.add(
                f"{self.where}.group_policy", "allowlist with nobody on it. Name somebody in group_senders, or choose disabled."
            )
        if policy == "allowlist" and not groups and self.form.groups != "groups":
            self.problems.add(f"{self.where}.groups", f"name the {self.form.groups} of {self.channel} in which the agent answers.")
        return {"groupPolicy": policy, **self._rooms(groups or {EVERYBODY: mention}, named)}

    def _group_senders(self, wanted: object, where: str) -> list[str]:
        """Senders, and on iMessage conversations: who writes there counts."""
        conversations: list[str] = []
        if isinstance(wanted, list) and self.channel == "imessage":
            conversations = [item for item in wanted if isinstance(item, str) and _CONVERSATION.fullmatch(item)]
            wanted = [item for item in wanted if item not in conversations]
        return [*senders(self.channel, wanted, self.inventory.people, where, self.problems), *conversations]

    def _named_groups(self, mention: bool) -> dict[str, bool]:
        """Each group and whether it takes a mention to be answered."""
        form = "groups by their id, such as {'-1001234567890': {}}"
        named: dict[str, bool] = {}
        for group, settings in self.problems.mapping(f"{self.where}.groups", self.wishes.get("groups", {}), form).items():
            where = f"{self.where}.groups.{group}"
            wishes = self.problems.mapping(where, settings, "settings such as {require_mention: false}")
            self.problems.known(where, wishes, (*_GROUP, "channels") if self.form.groups == "guilds" else _GROUP)
            if group != EVERYBODY and not self.form.group.fullmatch(group):
                self.problems.add(
                    f"{self.where}.groups",
                    f"{group!r} is no group of {self.channel}. Name it by its ID, such as {self.form.group_example}.",
                )
            named[group] = self.problems.flag(f"{where}.require_mention", wishes.get("require_mention", mention))
        return named

    def _rooms(self, groups: Mapping[str, bool], named: Sequence[str]) -> dict[str, Any]:
        """Groups and who counts in them, where the channel has them."""
        if self.form.groups == "groups":
            rooms = {group: {"requireMention": mention} for group, mention in groups.items()}
            return {"groups": rooms, **({"groupAllowFrom": list(named)} if named else {})}
        users = {"users": list(named)} if named else {}
        enabled = {"enabled": True} if self.form.groups == "channels" else {}
        return {
            self.form.groups: {
                group: {"requireMention": mention, **enabled, **users, **self._guild_channels(group, mention)}
                for group, mention in groups.items()
            }
        }

    def _guild_channels(self, guild: str, mention: bool) -> dict[str, Any]:
        """The channels of a guild in which the agent answers, and in no other; none named means all of them."""
        wished = self.wishes.get("groups", {})
        settings = {str(name): item for name, item in wished.items()}.get(guild) if isinstance(wished, Mapping) else None
        if self.form.groups != "guilds" or not isinstance(settings, Mapping) or "channels" not in settings:
            return {}
        where = f"{self.where}.groups.{guild}.channels"
        named = self.problems.texts(where, settings["channels"], "a list of channels by their ID, such as ['123456789012345678']")
        for name in named:
            if not _SNOWFLAKE.fullmatch(name):
                self.problems.add(where, f"{name!r} is no channel of a guild. Name it by its ID, such as '123456789012345678'.")
        if not named:
            self.problems.add(where, "names no channel. Name one, or leave it out for all of them.")
        return {"channels": {name: {"enabled": True, "requireMention": mention} for name in named}}


def _wishes(channel: str, where: str, value: object, problems: Problems, *more: str) -> dict[str, Any]:
    """Settings of a channel or account, unknown keys noted."""
    form = CHANNELS[channel]
    wishes = problems.mapping(where, value, "settings such as {dm_policy: pairing}")
    for name in [name for name in wishes if name in form.secrets]:
        problems.add(f"{where}.{name}", f"would lie here as plain text. Put it into gateway_secrets.{channel}.{name}.")
        del wishes[name]
    problems.known(where, wishes, (*form.keys, *more))
    return wishes


def _account_name(where: str, name: str, problems: Problems) -> str:
    try:
        return account_name(name)
    except LobsterpotError as error:
        problems.add(where, str(error))
        return name


def channels(wanted: object, inventory: Inventory, problems: Problems) -> dict[str, Any]:
    """Return `channels` of the gateway's configuration; what is wrong goes to `problems`."""
    made: dict[str, Any] = {}
    form = "channels by name, such as {telegram: {dm_policy: pairing}}"
    named = problems.mapping(CHANNELS_VARIABLE, wanted, form)
    problems.known(CHANNELS_VARIABLE, named, tuple(CHANNELS))
    problems.known("access_open_confirmed", inventory.open_confirmed, tuple(CHANNELS))
    for channel in [name for name in named if name in CHANNELS]:
        where = f"{CHANNELS_VARIABLE}.{channel}"
        wishes = _wishes(channel, where, named[channel], problems, "accounts")
        accounts = problems.mapping(f"{where}.accounts", wishes.pop("accounts", {}), "accounts by name, such as {work: {}}")
        config = _Account(channel, DEFAULT_ACCOUNT, where, wishes, inventory, problems).config()
        if accounts:
            # Without lists at the top, which would widen or narrow those of the accounts.
            config = {
                "enabled": config["enabled"],
                "configWrites": False,
                "dmPolicy": "disabled",
                "groupPolicy": "disabled",
                "defaultAccount": DEFAULT_ACCOUNT,
                "accounts": {DEFAULT_ACCOUNT: config},
            }
        for account, settings in accounts.items():
            place = f"{where}.accounts.{account}"
            name = _account_name(place, account, problems)
            own = wishes | _wishes(channel, place, settings, problems)
            if [other.strip().lower() for other in accounts].count(name) > 1:
                problems.add(f"{where}.accounts", f"{name} is named twice, in two spellings. Put both into one.")
            config["accounts"][name] = _Account(channel, name, place, own, inventory, problems).config()
        made[channel] = config
    if inventory.access_channels:
        with problems.noted():
            resolve(inventory.access_channels, inventory.people)
    return made
