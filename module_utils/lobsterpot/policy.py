# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy of the inventory made into the gateway's configuration, and all that is wrong with it.

Variables go by the names that they have in the inventory. The form of the configuration is that of openclaw 2026.9.6:
`openclaw config schema`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .agents import agents, model, providers
from .channels import CHANNELS, Inventory, channels, reference, senders
from .clawdbot import by_variable, clawdbot, names
from .guard import check
from .literal import check_keys, literal, texts
from .mention import refusal
from .problems import Problems
from .secrets import MIN_TOKEN_LENGTH, flatten
from .section import unfit
from .tools import sandbox, tools

# Nobody has this name: with an empty list the gateway would make the first sender that is approved its owner.
_NOBODY = "nobody:nobody"

# Channels that come with the gateway; the others are plugins of their own.
_BUNDLED = ("telegram",)

_FIRST_PORT, _LAST_PORT = 1024, 65535
_FEWEST_RELEASES = 2
_MEMORY = re.compile(r"[1-9][0-9]*[MG]")

_TOKEN = "/gateway/token"  # noqa: S105 - its name, not the token
_DISTINCT_IN_TOKEN = 8
_SHORTEST_SECRET = 8
_PLACEHOLDER = re.compile(r"(change|replace|fill)[-_ ]?(me|this|in)\b|place ?holder|^your[-_ ]|^<.*>$|^(.)\3*$", re.IGNORECASE)


def policy(given: Mapping[str, Any], beside: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], list[str]]:
    """Return the configuration, without the sandbox's image, and what is wrong with the variables, a line for each.

    beside: what else is made of the variables; no secret may stand in it, as none may in the configuration.
    """
    problems = Problems()
    secrets = _secrets(given, problems)
    named = providers(given, problems)
    inventory = Inventory(given["access_channels"], given["access_people"], given["access_open_confirmed"], tuple(secrets))
    reachable = channels(given["gateway_channels"], inventory, problems)
    main_model = {"model": {"primary": model("gateway_model", given["gateway_model"], problems)}} if given["gateway_model"] else {}
    config = _gateway(given, problems)
    for part in (
        {"agents": {"defaults": {"sandbox": sandbox(given, problems), **main_model}}},
        {"tools": tools(given, problems), "commands": {"ownerAllowFrom": _owners(given, problems)}},
        {"models": {"providers": named}} if named else {},
        {"channels": reachable} if reachable else {},
        _plugins(given, reachable),
        agents(given, problems),
    ):
        config = merge(config, part)
    if given["gateway_product"] == "clawdbot":
        config = clawdbot(config, given, secrets, problems)
    merged = merge(config, given["gateway_config_extra"])
    for name in ("gateway_channels", "gateway_config_extra"):
        check_keys(name, given[name], problems)
    check(merged, config, given, problems)
    _check_secrets(secrets, list(texts([merged, beside])), problems)
    # The one way out: whatever it was made of, text of the inventory is text to the gateway.
    return by_variable(merged) if given["gateway_product"] == "clawdbot" else literal(merged), problems.lines


def environment(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """Return the secrets that the gateway takes from its environment, as name to JSON pointer: none, where it reads a file."""
    if given["gateway_product"] != "clawdbot":
        return {}
    return names(config, given, (*_secrets(given, Problems()), _TOKEN))


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid on it, mapping by mapping; a list replaces a list."""
    made = dict(base)
    for key, value in over.items():
        old = made.get(key)
        made[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return made


def _gateway(given: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    if not _FIRST_PORT <= given["gateway_port"] <= _LAST_PORT:
        problems.add("gateway_port", f"must be a number from {_FIRST_PORT} to {_LAST_PORT}.")
    if given["gateway_keep_releases"] < _FEWEST_RELEASES:
        problems.add("gateway_keep_releases", f"must be {_FEWEST_RELEASES} or more: one to go back to.")
    if not _MEMORY.fullmatch(given["gateway_memory_max"]):
        problems.add("gateway_memory_max", "must be a number with M or G, such as 2G.")
    for rule in unfit(given["gateway_agent_rules"]):
        problems.add("gateway_agent_rules", f"each rule is one line of plain text, without <!--. This is none: {rule!r}.")
    patterns = _mention_patterns(given["gateway_mention_patterns"], problems)
    return {
        "gateway": {
            "mode": "local",
            "bind": "loopback",
            "port": given["gateway_port"],
            "auth": {"mode": "token", "token": reference(_TOKEN)},
            "reload": {"mode": given["gateway_reload_mode"]},
        },
        "secrets": {"providers": {"hostfile": {"source": "file", "path": given["secrets_file"], "mode": "json"}}},
        "session": {"dmScope": given["gateway_session_scope"]},
        "discovery": {"mdns": {"mode": "off"}},
        "update": {"checkOnStart": False},
        "telemetry": {"enabled": False},
        # Hooks of no release, and jobs that run scripts on the host.
        "hooks": {"internal": {"enabled": False}},
        "cron": {"triggers": {"enabled": False}},
        "logging": {"file": given["log_file"]},
        **({"proxy": {"proxyUrl": given["proxy_url"]}} if given["proxy_url"] else {}),
        **({"messages": {"groupChat": {"mentionPatterns": patterns}}} if patterns else {}),
    }


def _mention_patterns(patterns: list[str], problems: Problems) -> list[str]:
    for pattern in patterns:
        if wrong := refusal(pattern):
            problems.add(
                "gateway_mention_patterns", f"{pattern!r} {wrong}. The gateway reads it as JavaScript does, and would not see the mention."
            )
    return patterns


def _owners(given: Mapping[str, Any], problems: Problems) -> list[str]:
    where = "gateway_command_owners"
    owners = []
    for owner in given[where]:
        channel, _, sender = owner.partition(":")
        if channel in CHANNELS and sender:
            owners += [f"{channel}:{found}" for found in senders(channel, [sender], given["access_people"], where, problems)]
        else:
            problems.add(where, f"{owner!r} must be CHANNEL:SENDER, such as telegram:123456789, with one of {', '.join(CHANNELS)}.")
    return owners or [_NOBODY]


def _plugins(given: Mapping[str, Any], reachable: Mapping[str, Any]) -> dict[str, Any]:
    """Switch on the plugins of channels; with a list of plugins load those, what channels and models need, and no others."""
    entries = {name: {"enabled": settings["enabled"]} for name, settings in reachable.items() if name not in _BUNDLED}
    models = {*given["gateway_model_keys"], *given["gateway_model_providers"], given["gateway_model"].partition("/")[0]} - {""}
    allowed = sorted({*given["gateway_plugins"], *reachable, *models}) if given["gateway_plugins"] else []
    made = {**({"entries": entries} if entries else {}), **({"allow": allowed} if allowed else {})}
    return {"plugins": made} if made else {}


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Give each value that is no mapping, with the keys that lead to it."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value


def _secrets(given: Mapping[str, Any], problems: Problems) -> dict[str, str]:
    """Return the secrets by JSON pointer, as the host will hold them."""
    tree = {**given["gateway_secrets"], "models": given["gateway_model_keys"]}
    if given["gateway_token"]:
        tree["gateway"] = {"token": given["gateway_token"]}
    found: dict[str, str] = {}
    for path, value in _leaves(tree):
        alone: Any = value
        for key in reversed(path):
            alone = {key: alone}
        with problems.noted():
            found |= flatten(alone)
    return found


def _check_secrets(secrets: Mapping[str, str], written: Iterable[str], problems: Problems) -> None:
    for pointer, value in secrets.items():
        if pointer == _TOKEN:
            if len(value) < MIN_TOKEN_LENGTH or len(set(value)) < _DISTINCT_IN_TOKEN:
                problems.add(
                    "gateway_token",
                    f"is too weak: it needs {MIN_TOKEN_LENGTH} characters or more, and not the same few over again. "
                    "Leave it empty and the host makes a strong one; or make one with: openssl rand -hex 24",
                )
        elif len(value) < _SHORTEST_SECRET or _PLACEHOLDER.search(value):
            problems.add(
                pointer, f"is a placeholder or shorter than {_SHORTEST_SECRET} characters. Set the secret, from vault or the environment."
            )
        if any(value.strip() in text for text in written):
            problems.add(
                pointer, "stands in the configuration as plain text too. Refer to it there: {source: file, provider: hostfile, id: ...}."
            )
