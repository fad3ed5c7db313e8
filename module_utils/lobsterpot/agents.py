# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which models there are and which agents, in the words of the gateway's configuration: `models`, `agents` and `bindings`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from .channels import reference
from .literal import texts, walk
from .problems import Problems
from .senders import DEFAULT_ACCOUNT
from .tools import restricted

APIS = ("openai-completions", "openai-responses", "anthropic-messages", "google-generative-ai", "ollama")

_MAIN = "main"
_AGENT = re.compile(r"[a-z][a-z0-9-]{0,62}")
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MODEL = re.compile(r"[^/\s]+/\S+")

# What openclaw brings along and needs no address: `BUILT_IN_MODEL_PROVIDER_OVERLAY_IDS` of 2026.9.5 and 2026.9.6.
_BUILT_IN = """
amazon-bedrock amazon-bedrock-mantle anthropic anthropic-vertex arcee azure-openai-responses byteplus byteplus-plan cerebras
chutes claude-cli clawrouter cloudflare-ai-gateway codex comfy copilot-proxy dashscope deepinfra deepseek fal fireworks
github-copilot gmi gmi-cloud gmicloud google google-antigravity google-gemini-cli google-vertex groq huggingface kilocode kimi
kimi-coding litellm lmstudio meta microsoft-foundry minimax minimax-portal mistral modelstudio moonshot moonshot-ai moonshotai
novita novita-ai novitaai nvidia ollama ollama-cloud openai opencode opencode-go openrouter qianfan qwen qwen-token-plan qwencloud
sglang stepfun stepfun-plan synthetic tencent-tokenhub tencent-tokenplan together venice vercel-ai-gateway vllm volcengine
volcengine-plan vydra x-ai xai xiaomi xiaomi-token-plan z-ai z.ai zai
"""
PROVIDERS = tuple(_BUILT_IN.split())
# Of those, what runs at home or has another way to log in.
_KEYLESS = """
amazon-bedrock amazon-bedrock-mantle anthropic-vertex claude-cli codex comfy copilot-proxy github-copilot google-gemini-cli
google-vertex litellm lmstudio ollama sglang vllm
"""

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
        if given["gateway_product"] == "openclaw" and name not in (*PROVIDERS, *given["gateway_model_providers"]):
            near = difflib.get_close_matches(str(name), PROVIDERS, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            problems.add(
                f"gateway_model_keys.{name}", f"openclaw knows no such provider.{meant} Say where it is in gateway_model_providers."
            )
        made[str(name)] = made.get(str(name), {}) | {"apiKey": reference(f"/models/{name}")}
    for name in made:
        if not _PROVIDER.fullmatch(name):
            problems.add(f"gateway_model_providers.{name}", "a provider's name needs small letters, digits, dots, _ and -.")
    return made


def _provider(where: str, settings: object, problems: Problems) -> dict[str, Any]:
    wishes = problems.mapping(where, settings, "settings such as {base_url: 'http://192.0.2.10:11434/v1', models: [qwen3]}")
    problems.known(where, wishes, _PROVIDER_KEYS)
    url = problems.address(f"{where}.base_url", wishes.get("base_url"), "the provider's address", "https://models.example.org/v1")
    api = problems.choice(f"{where}.api", wishes.get("api", APIS[0]), APIS)
    models = problems.texts(f"{where}.models", wishes.get("models", []), "a list of models by name")
    if not models:
        problems.add(f"{where}.models", "names no model.")
    return {"baseUrl": url, "api": api, "models": [{"id": name, "name": name} for name in models]}


def notes(given: Mapping[str, Any]) -> list[str]:
    """Say what is no mistake and yet may not be meant: a model without a key for its provider, a key that no model uses."""
    extra = given["gateway_config_extra"]
    own = {path[2] for path, _ in walk(extra) if path[:2] == ("models", "providers") and path[2:]}
    known = {*given["gateway_model_keys"], *given["gateway_model_providers"], *own, *_KEYLESS.split()}
    models = {"gateway_model": given["gateway_model"]}
    models |= {f"gateway_agents.{name}.model": settings.get("model", "") for name, settings in given["gateway_agents"].items()}
    used = {str(name).partition("/")[0] for name in (*models.values(), *texts(extra))}
    made = [
        f"{where}: {provider} has no key in gateway_model_keys, so it may not answer."
        for where, name in models.items()
        if name and (provider := str(name).partition("/")[0]) not in known
    ]
    unused = [str(name) for name in given["gateway_model_keys"] if name not in {*used, *given["gateway_model_providers"]}]
    return made + [f"gateway_model_keys.{name}: no model uses this key." for name in unused if given["gateway_model"]]


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
