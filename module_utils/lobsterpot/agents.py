# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models there are and which agents, in the words of the gateway's configuration: `models`, `agents` and `bindings`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .channels import reference
from .problems import Problems
from .senders import DEFAULT_ACCOUNT
from .tools import restricted

APIS = ("openai-completions", "openai-responses", "anthropic-messages", "google-generative-ai", "ollama")

_MAIN = "main"
_AGENT = re.compile(r"[a-z][a-z0-9-]{0,62}")
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MODEL = re.compile(r"[^/\s]+/\S+")
_URL = re.compile(r"https?://[^\s/@]+(/\S*)?")

_AGENT_KEYS = ("model", "routes", "tool_deny", "tool_profile")
_PROVIDER_KEYS = ("api", "base_url", "models")


def model(where: str, name: object, problems: Problems) -> str:
    if isinstance(name, str) and _MODEL.fullmatch(name):
        return name
    problems.add(where, "must be PROVIDER/MODEL, such as anthropic/claude-opus-4-6.")
    return ""


def providers(given: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """Return `models.providers`: keys by reference, and where the providers are that the gateway does not know."""
    made: dict[str, Any] = {}
    for name, settings in given["gateway_model_providers"].items():
        made[str(name)] = _provider(f"gateway_model_providers.{name}", settings, problems)
    for name in given["gateway_model_keys"]:
        made[str(name)] = made.get(str(name), {}) | {"apiKey": reference(f"/models/{name}")}
    for name in made:
        if not _PROVIDER.fullmatch(name):
            problems.add(f"gateway_model_providers.{name}", "a provider's name needs small letters, digits, dots, _ and -.")
    return made


def _provider(where: str, settings: object, problems: Problems) -> dict[str, Any]:
    wishes = problems.mapping(where, settings, "settings such as {base_url: 'http://192.0.2.10:11434/v1', models: [qwen3]}")
    problems.known(where, wishes, _PROVIDER_KEYS)
    url = problems.text(f"{where}.base_url", wishes.get("base_url"), "the provider's address")
    if url and not _URL.fullmatch(url):
        problems.add(f"{where}.base_url", "is no address such as https://models.example.org/v1; a key in it would be no secret.")
    api = problems.choice(f"{where}.api", wishes.get("api", APIS[0]), APIS)
    models = problems.texts(f"{where}.models", wishes.get("models", []), "a list of models by name")
    if not models:
        problems.add(f"{where}.models", "names no model.")
    return {"baseUrl": url, "api": api, "models": [{"id": name, "name": name} for name in models]}


def agents(given: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """Return `agents.entries` and `bindings`: agents beside the main one, and which channels and accounts they answer."""
    entries: dict[str, dict[str, Any]] = {}
    bindings = []
    for name, settings in given["gateway_agents"].items():
        where = f"gateway_agents.{name}"
        if not _AGENT.fullmatch(str(name)):
            problems.add(where, "an agent's name needs small letters, digits and -.")
        wishes = problems.mapping(where, settings, "settings such as {routes: [telegram/work]}")
        problems.known(where, wishes, _AGENT_KEYS)
        own = restricted(f"{where}.", wishes.get("tool_profile"), wishes.get("tool_deny", []), problems)
        entries[str(name)] = {
            **({"model": model(f"{where}.model", wishes["model"], problems)} if "model" in wishes else {}),
            **({"tools": own} if own else {}),
        }
        for route in problems.texts(f"{where}.routes", wishes.get("routes", []), "a list of channels, such as [telegram/work]"):
            bindings.append({"agentId": str(name), "match": _match(f"{where}.routes", route, given["gateway_channels"], problems)})
    if not entries:
        return {}
    # With several agents the gateway wants an owner named for everything; what no route names is the main one's.
    bindings += [{"agentId": _MAIN, "match": {"channel": str(channel), "accountId": "*"}} for channel in given["gateway_channels"]]
    owned = {"ownership": "explicit", "defaults": {"systemAgent": {"agentId": _MAIN}}, "entries": {_MAIN: {}, **entries}}
    return {"agents": owned, **({"bindings": bindings} if bindings else {})}


def _match(where: str, route: str, channels: Mapping[str, Any], problems: Problems) -> dict[str, str]:
    channel, _, account = route.partition("/")
    problems.known(where, [channel], tuple(channels))
    settings = channels.get(channel)
    accounts = settings.get("accounts") if isinstance(settings, Mapping) else None
    if account and channel in channels:
        problems.known(f"{where}.{channel}", [account], (DEFAULT_ACCOUNT, *(accounts if isinstance(accounts, Mapping) else ())))
    return {"channel": channel, "accountId": account or DEFAULT_ACCOUNT}
