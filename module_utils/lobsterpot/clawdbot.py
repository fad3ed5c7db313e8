# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of openclaw in the words of clawdbot 2026.1.24-3, which lacks some of them. Source: its `dist/config/zod-schema*.js`.

It knows no references to secrets but `${NAME}`, a variable of its environment. What a policy asks for and it cannot keep is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .literal import literal, walk
from .problems import Problems
from .senders import DEFAULT_ACCOUNT

# What it wants to know of a model and the inventory does not say; nothing is charged by it.
_MODEL: dict[str, Any] = {
    "reasoning": False,
    "input": ["text"],
    "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    "contextWindow": 128000,
    "maxTokens": 8192,
}
_LACKS = ("secrets", "telemetry", "discovery", "commands", "proxy", "cron")

# Where it looks for the key of a provider that it knows: `resolveEnvApiKey` in its `dist/agents/model-auth.js`.
_KEYS = {
    "anthropic": "ANTHROPIC_API_KEY",
    "cerebras": "CEREBRAS_API_KEY",
    "deepgram": "DEEPGRAM_API_KEY",
    "google": "GEMINI_API_KEY",
    "groq": "GROQ_API_KEY",
    "kimi-code": "KIMICODE_API_KEY",
    "minimax": "MINIMAX_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "moonshot": "MOONSHOT_API_KEY",
    "openai": "OPENAI_API_KEY",
    "opencode": "OPENCODE_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "synthetic": "SYNTHETIC_API_KEY",
    "venice": "VENICE_API_KEY",
    "vercel-ai-gateway": "AI_GATEWAY_API_KEY",
    "xai": "XAI_API_KEY",
    "zai": "ZAI_API_KEY",
}


def variable(pointer: str) -> str:
    """Return the name of the variable that holds a secret, by the secret's JSON pointer."""
    return "CLAWDBOT_SECRET" + re.sub(r"[^A-Za-z0-9]", "_", pointer).upper()


def names(config: Mapping[str, Any], given: Mapping[str, Any], pointers: Iterable[str]) -> dict[str, str]:
    """Return the variables that its environment must hold, by name, each with the JSON pointer of the secret that it holds.

    A secret that its configuration does not refer to is left out, but for the keys of providers that it knows.
    """
    texts = {value for _, value in walk(config) if isinstance(value, str)}
    referred = {variable(pointer): pointer for pointer in pointers if f"${{{variable(pointer)}}}" in texts}
    return referred | {_KEYS[name]: f"/models/{name}" for name in given["gateway_model_keys"] if name in _KEYS}


def clawdbot(config: Mapping[str, Any], given: Mapping[str, Any], pointers: Iterable[str], problems: Problems) -> dict[str, Any]:
    """Return `config`, made for openclaw from the variables `given`, for clawdbot. `pointers`: the secrets that there are."""
    _refuse(given, pointers, problems)
    channels = {name: _channel(name, settings, problems) for name, settings in config.get("channels", {}).items()}
    entries = {name: {"enabled": settings["enabled"]} for name, settings in config.get("channels", {}).items()}
    made = {key: value for key, value in config.items() if key not in (*_LACKS, "models", "agents", "channels")}
    # It would listen there for a browser and for a screen that no host of ours has.
    made |= {"browser": {"enabled": False}, "canvasHost": {"enabled": False}}
    made |= {"agents": _agents(config["agents"], given["account_home"]), **_models(config.get("models", {}).get("providers", {}))}
    if channels:
        made |= {"channels": channels, "plugins": {"entries": entries}}
    return made


def _refuse(given: Mapping[str, Any], pointers: Iterable[str], problems: Problems) -> None:
    """Name what a policy asks for and clawdbot has no word for."""
    or_openclaw = "or gateway_product: openclaw."
    lacks = f"clawdbot knows no such thing. Leave it out, {or_openclaw}"
    for name, asked, why in (
        ("gateway_command_owners", given["gateway_command_owners"], lacks),
        ("gateway_plugins", given["gateway_plugins"], lacks),
        ("gateway_session_scope", given["gateway_session_scope"] == "per-account-channel-peer", lacks),
        ("egress_mode", given["proxy_url"], f"allowlist goes by a proxy, and {lacks}"),
        ("gateway_runtime", given["gateway_runtime"] == "container", f"that was tried with openclaw alone. Choose host, {or_openclaw}"),
        ("gateway_reload_mode", given["gateway_reload_mode"] != "off", f"it does not tell what it runs with. Choose off, {or_openclaw}"),
    ):
        if asked:
            problems.add(name, why)
    for name in given["gateway_model_keys"]:
        if name not in _KEYS and name not in given["gateway_model_providers"]:
            problems.add(f"gateway_model_keys.{name}", "clawdbot does not know this provider. Say where it is in gateway_model_providers.")
    for channel, settings in given["access_channels"].items():
        for account in settings.get("accounts", {}):
            if account != DEFAULT_ACCOUNT:
                problems.add(
                    f"access_channels.{channel}.accounts.{account}", "clawdbot keeps no accounts apart. Name its senders under default."
                )
    taken: dict[str, str] = {}
    for pointer in pointers:
        other = taken.setdefault(variable(pointer), pointer)
        if other != pointer:
            problems.add("gateway_secrets", f"clawdbot tells {other} and {pointer} not apart. Rename one of them.")


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


def _agents(agents: Mapping[str, Any], home: str) -> dict[str, Any]:
    """The agents, each with its workspace in the state: clawdbot would put them beside it, into the home."""
    workspace = f"{home}/.clawdbot/workspace"
    defaults = {key: value for key, value in agents["defaults"].items() if key != "systemAgent"}
    sandbox = {key: value for key, value in defaults["sandbox"].items() if key != "backend"}
    docker = {key: value for key, value in sandbox.get("docker", {}).items() if key != "dangerouslyAllowExternalBindSources"}
    entries = [
        {"id": name, **({"default": True, "workspace": workspace} if name == "main" else {"workspace": f"{workspace}-{name}"}), **own}
        for name, own in agents.get("entries", {}).items()
    ]
    defaults |= {"sandbox": {**sandbox, "docker": docker}, "workspace": workspace}
    return {"defaults": defaults, **({"list": entries} if entries else {})}


def _models(providers: Mapping[str, Any]) -> dict[str, Any]:
    """Providers with an address. Those that it knows need no entry: it finds their keys in its environment, as `ANTHROPIC_API_KEY`."""
    own = {
        name: {**settings, "models": [{**model, **_MODEL} for model in settings["models"]]}
        for name, settings in providers.items()
        if "baseUrl" in settings
    }
    return {"models": {"providers": own}} if own else {}


def by_variable(value: Any) -> Any:
    """Replace each reference to a secret by the variable that holds it; other text stays text."""
    if isinstance(value, Mapping):
        if set(value) == {"source", "provider", "id"}:
            return f"${{{variable(value['id'])}}}"
        return {key: by_variable(item) for key, item in value.items()}
    return [by_variable(item) for item in value] if isinstance(value, list) else literal(value)
