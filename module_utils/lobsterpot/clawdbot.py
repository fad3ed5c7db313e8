# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of openclaw in the words of clawdbot 2026.1.24-3, which lacks some of them. Source: its `dist/config/zod-schema*.js`.

It knows no references to secrets but `${NAME}`, a variable of its environment. What a policy asks for and it cannot keep is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .problems import Problems

# What it wants to know of a model and the inventory does not say; nothing is charged by it.
_MODEL: dict[str, Any] = {
    "reasoning": False,
    "input": ["text"],
    "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    "contextWindow": 128000,
    "maxTokens": 8192,
}
_LACKS = ("secrets", "telemetry", "discovery", "commands", "proxy")


def variable(pointer: str) -> str:
    """Return the name of the variable that holds a secret, by the secret's JSON pointer."""
    return "CLAWDBOT_SECRET" + re.sub(r"[^A-Za-z0-9]", "_", pointer).upper()


def clawdbot(config: Mapping[str, Any], given: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """Return `config`, made for openclaw from the variables `given`, for clawdbot."""
    _refuse(given, problems)
    channels = {name: _channel(name, settings, problems) for name, settings in config.get("channels", {}).items()}
    entries = {name: {"enabled": settings["enabled"]} for name, settings in config.get("channels", {}).items()}
    made = {key: value for key, value in config.items() if key not in (*_LACKS, "models", "agents", "channels")}
    made |= {"agents": _agents(config["agents"]), **_models(config.get("models", {}).get("providers", {}))}
    if channels:
        made |= {"channels": channels, "plugins": {"entries": entries}}
    return _by_variable(made)


def _refuse(given: Mapping[str, Any], problems: Problems) -> None:
    """Name what a policy asks for and clawdbot has no word for."""
    lacks = "clawdbot knows no such thing. Leave it out, or choose gateway_product: openclaw."
    if given["gateway_command_owners"]:
        problems.add("gateway_command_owners", lacks)
    if given["gateway_plugins"]:
        problems.add("gateway_plugins", lacks)
    if given["gateway_session_scope"] == "per-account-channel-peer":
        problems.add("gateway_session_scope", lacks)
    if given["proxy_url"]:
        problems.add("egress_mode", f"allowlist goes by a proxy, and {lacks}")


def _channel(name: str, settings: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    """A channel: whether it is on stands with its plugin, and some settings elsewhere."""
    made = dict(settings)
    where = f"gateway_channels.{name}"
    made.pop("defaultAccount", None)
    if "accounts" in made:
        made["accounts"] = {account: _channel(name, own, problems) for account, own in made["accounts"].items()}
    if "apiRoot" in made:
        problems.add(f"{where}.api_root", "clawdbot knows only Telegram's own address. Leave it out.")
    if name == "whatsapp":
        del made["enabled"]
    if name in ("discord", "slack"):
        made["dm"] = {"policy": made.pop("dmPolicy"), **({"allowFrom": made.pop("allowFrom")} if "allowFrom" in made else {})}
    if name == "signal":
        if "transport" in made:
            made["httpUrl"] = made.pop("transport")["url"]
        if made.pop("groups", None) and made["groupPolicy"] != "disabled":
            problems.add(f"{where}.group_policy", "clawdbot cannot wait for a mention on Signal. Choose disabled.")
    return made


def _agents(agents: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {key: value for key, value in agents["defaults"].items() if key != "systemAgent"}
    sandbox = {key: value for key, value in defaults["sandbox"].items() if key != "backend"}
    docker = {key: value for key, value in sandbox["docker"].items() if key != "dangerouslyAllowExternalBindSources"}
    entries = [{"id": name, **({"default": True} if name == "main" else {}), **own} for name, own in agents.get("entries", {}).items()]
    return {"defaults": {**defaults, "sandbox": {**sandbox, "docker": docker}}, **({"list": entries} if entries else {})}


def _models(providers: Mapping[str, Any]) -> dict[str, Any]:
    """Providers with an address. Those that it knows need no entry: it finds their keys in its environment, as `ANTHROPIC_API_KEY`."""
    own = {
        name: {**settings, "models": [{**model, **_MODEL} for model in settings["models"]]}
        for name, settings in providers.items()
        if "baseUrl" in settings
    }
    return {"models": {"providers": own}} if own else {}


def _by_variable(value: Any) -> Any:
    """Replace each reference to a secret by the variable that holds it."""
    if isinstance(value, Mapping):
        if set(value) == {"source", "provider", "id"}:
            return f"${{{variable(value['id'])}}}"
        return {key: _by_variable(item) for key, item in value.items()}
    return [_by_variable(item) for item in value] if isinstance(value, list) else value
