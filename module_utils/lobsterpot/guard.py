# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard of the whole configuration: what `gateway_config_extra` opens that the variables keep closed. Each door is refused here, or
confirmed by the variable that is named.

Where a door is stands in the schema of openclaw 2026.9.6 (`openclaw config schema`) and of clawdbot 2026.1.24-3. Values are judged as the
gateway takes them: words and switches as they stand, senders without blanks around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .literal import walk
from .mention import refusal
from .problems import Problems

EXTRA = "gateway_config_extra"
Keys = tuple[str, ...]
Door = tuple[Keys, str, str]

_POLICY_KEYS = ("dmPolicy", "groupPolicy", "policy")
_TOOL_KEYS = ("allow", "alsoAllow", "profile")
_SENDERS = re.compile(r"(?i).*allow_?from|.*(users|members|approvers)")
# Alone, or after the name of its channel.
_EVERYBODY = re.compile(r"\s*([\w-]+:\s*)*\*\s*")
# Where the gateway's own list of secrets (`src/config/sensitive-paths.ts`) finds one, and headers.
_SECRET_KEY = re.compile(
    r"(?i).*(token|password|passphrase|secret|(api|encrypt|private|access).?key|serviceaccount(ref)?)|(proxy-)?authorization|cookie"
)
_LOGIN_IN_URL = re.compile(r"(?i)[a-z][a-z0-9+.-]*://[^/\s@]+@")
_DANGEROUS = re.compile(r"dangerously[A-Z].*|allow(Unsafe|Insecure)[A-Z].*")

_ANYBODY = "lets anybody give orders to a program that runs commands. Name senders one by one."
_OUTSIDE = "would run the agent's tools on the host. Choose with sandbox_mode."
_WALLS = "would open the sandbox. It has no network, no privileges and no files but those of sandbox_mounts; leave it out."
_LISTENS = "would have the gateway listen for others than this host. Reach it by SSH, and leave it out."
_ON_HOST = "would run commands outside the sandbox. Name who may in gateway_elevated_senders, and leave it out."
_PLAIN = (
    "holds a secret as plain text: it would lie in the configuration and in Ansible's output. "
    "Put it into gateway_secrets and refer to it: {source: file, provider: hostfile, id: /NAME}."
)

# Settings by the end of their path: the values that open nothing, and what any other does.
_CLOSED: Mapping[Keys, tuple[tuple[object, ...], str]] = {
    ("gateway", "mode"): (("local",), "decides where the gateway is. It is on this host: leave it out."),
    ("gateway", "bind"): (("loopback",), _LISTENS),
    ("gateway", "customBindHost"): ((), _LISTENS),
    ("gateway", "auth", "mode"): (("token",), "would let in whoever has no token. Leave it out."),
    ("gateway", "auth", "allowTailscale"): ((False,), "would let in whoever has no token. Leave it out."),
    ("gateway", "allowRealIpFallback"): ((False,), "would believe a header. Leave it out."),
    ("gateway", "trustedProxies"): (([],), "would believe the headers of a proxy. There is none: leave it out."),
    ("gateway", "terminal", "enabled"): ((False,), _ON_HOST),
    ("gateway", "controlUi", "allowedOrigins"): ((), "would let other web pages give orders. Leave it out."),
    ("gateway", "nodes", "pairing", "autoApproveCidrs"): (([],), "would let in machines unasked. Leave it out."),
    ("tailscale", "mode"): (("off",), _LISTENS),
    ("mdns", "mode"): (("off",), _LISTENS),
    ("wideArea", "domain"): ((), _LISTENS),
    ("exec", "host"): (("sandbox", "auto"), _ON_HOST),
    ("applyPatch", "workspaceOnly"): ((True,), _ON_HOST),
    ("commands", "bash"): ((False,), _ON_HOST),
    ("acp", "enabled"): ((False,), _ON_HOST),
    ("canvasHost", "enabled"): ((False,), _LISTENS),
    ("commands", "ownerAllowFrom"): ((), "decides who owns the gateway. Name owners in gateway_command_owners."),
    ("shellEnv", "enabled"): ((False,), "would read a shell's environment, which the agent can write. Leave it out."),
    ("configWrites",): ((False,), "would let a chat change the configuration. Leave it out."),
}
# Settings with a variable of their own, by the beginning of their path.
_VARIABLES: Mapping[Keys, str] = {
    ("gateway", "port"): "gateway_port",
    ("gateway", "reload", "mode"): "gateway_reload_mode",
    ("secrets", "providers", "hostfile"): "gateway_secrets",
}
# Of a sandbox, what narrows it or stays inside. Of limits, any that is one.
_SANDBOX = ("workspaceAccess", "scope", "prune", "sessionToolsVisibility")
_DOCKER = ("containerPrefix", "dns", "env", "extraHosts", "image", "setupCommand", "tmpfs", "ulimits", "workdir")
_LIMITS = ("cpus", "memory", "memorySwap", "pidsLimit")
_WALL: Mapping[str, tuple[object, ...]] = {"network": ("none",), "readOnlyRoot": (True,), "capDrop": ("ALL",)}
# Channels whose rooms let in whoever is in them, where no user is named, and where the rooms stand.
_ROOMS = {"discord": "guilds", "slack": "channels"}


def check(config: Mapping[str, Any], base: Mapping[str, Any], given: Mapping[str, Any], problems: Problems) -> None:
    """Note each door that is open in `config` and was not in `base`, the same without the extra."""
    _check_shape(base, given[EXTRA], (), problems)
    before = set(_doors(base, given))
    for path, value, words in _doors(config, given):
        if (path, value, words) not in before:
            problems.add(".".join((EXTRA, *path)), words)
    kept = list(walk(config))
    for path, item in walk(base):
        if path[-1:] in (("deny",), ("profile",)) and (path, item) not in kept:
            problems.add(".".join((EXTRA, *path)), f"drops {item!r}, which gateway_tool_{path[-1]} or gateway_agents asks for. Keep it.")


def _check_shape(base: Mapping[str, Any], extra: Mapping[str, Any], path: Keys, problems: Problems) -> None:
    """Demand that no mapping is replaced by something else, and nothing else by a mapping: what is in it would be lost."""
    for key, value in extra.items():
        old = base.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            _check_shape(old, value, (*path, str(key)), problems)
        elif old is not None and isinstance(old, Mapping) is not isinstance(value, Mapping):
            words = (
                "must hold settings by name: what the role says here would be lost."
                if isinstance(old, Mapping)
                else "must be a single value."
            )
            problems.add(".".join((EXTRA, *path, str(key))), words)


def _doors(config: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Door]:
    """Give each door that is open: where, by what value, and what is to be said."""
    for path, value in walk(config):
        for words in _words(path, value, given) if path else ():
            if words:
                yield path, repr(value), words
    for channel, key in _ROOMS.items():
        if channel not in given["access_open_confirmed"]:
            yield from _rooms(("channels", channel), _mapping(config.get("channels")).get(channel), key)


def _words(path: Keys, value: object, given: Mapping[str, Any]) -> tuple[str, ...]:
    """What each rule says of one value; empty where it opens nothing."""
    return (
        _lets_in(path, value, given["access_open_confirmed"]),
        _closed(path, value),
        _granted(path, given),
        _sandboxed(path, value, given) if path[0] == "agents" and "sandbox" in path else "",
        _in_plain_text(path, value),
        _unread(path, value),
    )


def _lets_in(path: Keys, value: object, open_confirmed: Sequence[str]) -> str:
    """An open policy, or everybody in a list of senders. A channel is confirmed for talking, and for nothing more."""
    channel = path[1] if path[0] == "channels" and len(path) > 1 else ""
    everybody = isinstance(value, str) and _EVERYBODY.fullmatch(value) and any(_SENDERS.fullmatch(key) for key in path)
    opened = value == "open" and channel and path[-1] in _POLICY_KEYS
    confirmed = channel in open_confirmed and path[-1] != "approvers"
    return _ANYBODY if (everybody or opened) and not confirmed else ""


def _closed(path: Keys, value: object) -> str:
    """A switch that is not where it opens nothing, or a setting that is a variable's."""
    for start, variable in _VARIABLES.items():
        if path[: len(start)] == start:
            return f"has a variable of its own. Set {variable}."
    for end, (values, words) in _CLOSED.items():
        if path[-len(end) :] == end and value not in values:
            return words
    if _DANGEROUS.fullmatch(path[-1]) and value is not False:
        return "is dangerous in the gateway's own words. Leave it out."
    return _ON_HOST if "elevated" in path and value is not False else ""


def _granted(path: Keys, given: Mapping[str, Any]) -> str:
    """Which tools somebody has, where the variables say which there are."""
    grants = path[0] in ("agents", "tools") or (path[0] == "channels" and ("tools" in path or "toolsBySender" in path))
    grants = grants and path[-1] in _TOOL_KEYS
    if given["gateway_runtime"] == "container" and ("sandbox" in path or grants):
        return "in a container there is no sandbox. Name tools in gateway_container_tools, one by one."
    return (
        "would give tools that do more than read. With gateway_read_only it cannot be set." if given["gateway_read_only"] and grants else ""
    )


def _sandboxed(path: Keys, value: object, given: Mapping[str, Any]) -> str:
    """What the sandbox of an agent, or of all, is."""
    key, inside = (*path[path.index("sandbox") + 1 :], "", "")[:2]
    if key == "mode":
        return "" if value in ("all", given["sandbox_mode"]) else _OUTSIDE
    if key == "docker":
        return _walled(inside, value)
    if key == "workspaceAccess" and value == "rw" and given["gateway_read_only"]:
        return "would let it write. With gateway_read_only it cannot be set."
    return "" if key in _SANDBOX or (key == "backend" and value == "podman") or value is False else _WALLS


def _walled(key: str, value: object) -> str:
    """A setting of the sandbox's container."""
    if key in _DOCKER or (value in _WALL[key] if key in _WALL else value is False):
        return ""
    if key in _LIMITS:
        return "" if re.match(r"0*\.?0*[1-9]", str(value)) else "would take a limit away. Choose one above zero."
    return "" if key == "user" and re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", str(value)) else _WALLS


def _in_plain_text(path: Keys, value: object) -> str:
    secret = isinstance(value, str) and (_SECRET_KEY.fullmatch(path[-1]) or _LOGIN_IN_URL.match(value))
    return _PLAIN if secret else ""


def _unread(path: Keys, value: object) -> str:
    wrong = refusal(value) if path[-1] == "mentionPatterns" and isinstance(value, str) else ""
    return f"{value!r} {wrong}. The gateway reads it as JavaScript does, and would not see the mention." if wrong else ""


def _rooms(path: Keys, settings: Any, key: str) -> Iterator[Door]:
    """Rooms of a channel and of its accounts in which nobody is named, so that everybody in them counts."""
    if not isinstance(settings, Mapping):
        return
    for name in _mapping(settings.get("accounts")):
        own = {"groupPolicy": settings.get("groupPolicy"), key: settings.get(key), **_mapping(settings["accounts"][name])}
        yield from _rooms((*path, "accounts", name), own, key)
    for name, room in _mapping(settings.get(key)).items():
        inner = [_mapping(each) for each in _mapping(_mapping(room).get("channels")).values()]
        named = _named(_mapping(room)) or (inner and all(_named(each) for each in inner))
        if settings.get("groupPolicy") != "disabled" and not named and _mapping(room).get("enabled") is not False:
            yield (*path, key, name), repr(room), f"{_ANYBODY} Everybody in it counts, where users is empty."


def _named(room: Mapping[str, Any]) -> bool:
    return any(str(name).strip() for key in ("users", "roles") for name in room.get(key) or ())


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
