# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gateway that somebody set up by hand left in a home. It only reads; of secrets it tells the place, never the value.

Sources: `dist/daemon`, `dist/config` and `dist/agents/workspace` of clawdbot 2026.1.24-3, the same and `docs/install` of openclaw 2026.9.6.
Moltbot, the name between the two, has the same layout under its own name.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .access import report
from .errors import LobsterpotError
from .folder import Folder
from .senders import DEFAULT_ACCOUNT, canonical, doubt
from .store import open_store

PRODUCTS = ("openclaw", "moltbot", "clawdbot")
# What is taken over of a state directory. The rest belongs to the inventory (configuration, secrets, plugins) or is made anew.
STATE_PARTS = ("agents", "credentials", "memory", "state", "workspace")
UNITS = Path(".config/systemd/user")
MAX_BYTES = 16 << 20

_UNIT = re.compile(rf"({'|'.join(PRODUCTS)})-(gateway|node)[\w.-]*\.service")
_SECRET = re.compile(r"(token|secret|password|passphrase|api_?key|private_?key)$", re.IGNORECASE)
_ELSEWHERE = re.compile(rf"({'|'.join(name.upper() for name in PRODUCTS)})_(STATE_DIR|CONFIG_PATH|HOME|PROFILE)=\"?([^\"\s]+)")
_PACKAGE = re.compile(rf"(/[^\s\"]*/node_modules/({'|'.join(PRODUCTS)}))/")
_PROCESS = re.compile(rf"(^|/)({'|'.join(PRODUCTS)})(-gateway|-node|\.mjs)?$|/node_modules/({'|'.join(PRODUCTS)})/")


def secret_places(value: object, path: str = "") -> Iterator[str]:
    """Give the paths of the literal secrets in a configuration; what refers to the environment or elsewhere is none."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            place = f"{path}.{key}" if path else str(key)
            if isinstance(inner, str) and inner.strip() and "${" not in inner and _SECRET.search(str(key)):
                yield place
            yield from secret_places(inner, place)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from secret_places(inner, f"{path}[{index}]")


def _mapping(value: object, key: str) -> Mapping[str, Any]:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return inner if isinstance(inner, Mapping) else {}


def channels(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the channels that are not switched off, with their settings."""
    found = {name: _mapping(_mapping(config, "channels"), name) for name in _mapping(config, "channels") if name != "defaults"}
    return {name: settings for name, settings in sorted(found.items()) if settings.get("enabled") is not False}


def configured_senders(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Give channel, account and sender of the direct-message lists that stand in the configuration itself."""
    for channel, settings in channels(config).items():
        accounts = {DEFAULT_ACCOUNT: settings, **_mapping(settings, "accounts")}
        for account, own in accounts.items():
            for place in (own, _mapping(own, "dm")):
                listed = place.get("allowFrom") if isinstance(place, Mapping) else None
                for entry in listed if isinstance(listed, list) else []:
                    yield channel, account.lower(), str(entry)


def allowlists(approved: Iterable[tuple[str, str, str]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return lists of `channel`, `account` and `entries` as the gateway writes them, and what is left out, with the reason."""
    lists: dict[tuple[str, str], dict[str, None]] = {}
    left_out = []
    for channel, account, entry in approved:
        if wrong := doubt(channel, entry):
            left_out.append(f"{channel}/{account}: {entry!r} {wrong}")
        else:
            lists.setdefault((channel, account), {})[canonical(channel, entry)] = None
    return [{"channel": key[0], "account": key[1], "entries": list(entries)} for key, entries in sorted(lists.items())], left_out


def workspaces(config: Mapping[str, Any], product: str, home: Path, state: Path) -> dict[str, str]:
    """Return where agents work outside the state directory, with the name that each has below it from now on."""
    agents = _mapping(config, "agents")
    default = _mapping(agents, "defaults").get("workspace") or (home / "clawd" if product == "clawdbot" else state / "workspace")
    listed = agents.get("list")
    roster = listed if isinstance(listed, list) else []
    own = {f"workspace-{agent['id']}": agent["workspace"] for agent in roster if isinstance(agent, Mapping) and agent.get("workspace")}
    found = {}
    for target, place in {"workspace": default, **own}.items():
        path = os.path.normpath(re.sub(r"^~(?=$|/)", str(home), str(place)))
        if not Path(path).is_relative_to(state) and Path(path).is_dir():
            found[path] = target
    return found


def _read(folder: Folder, name: str) -> str:
    return (folder.read(name, MAX_BYTES) or b"").decode(errors="replace")


def _config(folder: Folder, product: str) -> tuple[str, Mapping[str, Any]]:
    """Return the configuration's name and content; of a renamed product it may still have an older name."""
    for name in dict.fromkeys((f"{product}.json", *(f"{other}.json" for other in PRODUCTS))):
        if text := _read(folder, name):
            try:
                config = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise LobsterpotError(
                    f"{folder.path / name} is no plain JSON. Remove comments and commas before a closing bracket, "
                    "and put each name and text in double quotes. Nothing was changed."
                ) from error
            if not isinstance(config, Mapping) or '"$include"' in text:
                raise LobsterpotError(f"{folder.path / name} includes other files: put their content into it. Nothing was changed.")
            return name, config
    return "", {}


def _units(home: Folder, state: Path) -> dict[str, str]:
    """Return the gateway's units of the user, with their text. Raises LobsterpotError for one that keeps its state elsewhere."""
    folder: Folder | None = home
    for part in UNITS.parts:
        folder = folder.enter(part) if folder else None
    found = {name: _read(folder, name) for name in folder.names() if _UNIT.fullmatch(name)} if folder else {}
    for name, text in found.items():
        for _, what, value in _ELSEWHERE.findall(text):
            here = {"STATE_DIR": str(state), "HOME": str(home.path), "PROFILE": "default"}.get(what, f"{state}/{Path(value).name}")
            if value != here:
                raise LobsterpotError(
                    f"{home.path / UNITS / name} sets {what} to {value}: only what lies in {state} can be adopted. Nothing was changed."
                )
    return found


def _unit_files(unit: Path) -> list[Path]:
    """A unit's file and the directory of its drop-ins, where it has one."""
    return [path for path in (unit, unit.with_name(f"{unit.name}.d")) if os.path.lexists(path)]


def _size(path: Path) -> int:
    return sum((Path(place) / name).lstat().st_size for place, _, names in os.walk(path) for name in names)


def version_of(package: Path) -> str:
    """Return a package's version, empty when it cannot be read."""
    try:
        with (package / "package.json").open("rb") as stream:
            return str(json.loads(stream.read(MAX_BYTES)).get("version", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _packages(home: Path, units: Iterable[str]) -> dict[str, str]:
    """Return the installed packages, those that units name and those where npm puts global ones, with their versions."""
    named = {found[1] for text in units for found in _PACKAGE.finditer(text)}
    places = [home / ".npm-global/lib", Path("/usr/lib"), Path("/usr/local/lib"), *home.glob(".nvm/versions/node/*/lib")]
    usual = {str(place / "node_modules" / product) for place in places for product in PRODUCTS}
    return {path: version for path in sorted(named | usual) if (version := version_of(Path(path)))}


def install(home_path: Path, product: str) -> dict[str, Any]:
    """Describe what lies in a home. Run it as the home's owner.

    `parts` maps what is taken over to its name in the new state directory; `remove` is all that goes at the end. Both without links.
    """
    home, state = Folder.open(home_path), home_path / f".{product}"
    folder = home.enter(state.name)
    assert folder  # noqa: S101 - the caller saw it
    name, config = _config(folder, product)
    units = _units(home, state)
    outside = workspaces(config, product, home_path, state)
    inside = [part for part in folder.names() if part in STATE_PARTS or re.fullmatch(r"workspace-[\w-]+", part)]
    parts = {str(state / part): part for part in inside if folder.enter(part) and part not in outside.values()}
    stored = report(open_store(state))["channels"]
    accounts = [(channel, account, found) for channel, of in stored.items() for account, found in of.items()]
    approved = [(channel, account, entry) for channel, account, found in accounts for entry in found["approved"]]
    lists, left_out = allowlists([*approved, *configured_senders(config)])
    packages = _packages(home_path, units.values())
    secrets = [f"{state / name}: {place}" for place in secret_places(config)]
    secrets += [f"{home_path / UNITS / unit}: {key}" for unit, text in units.items() for key in _environment_secrets(text)]
    return {
        "product": product,
        "version": next((packages[path] for path in packages if path.endswith(f"/{product}")), ""),
        "home": str(home_path),
        "state_dir": str(state),
        "channels": list(channels(config)),
        "lists": lists,
        "left_out": left_out,
        "pending": [
            {"channel": channel, "account": account, "sender": request["sender"]}
            for channel, account, found in accounts
            for request in found["pending"]
        ],
        "secrets": sorted({*secrets, *([f"{state}/.env"] if folder.status(".env") else [])}),
        "units": sorted(units),
        "parts": {**parts, **outside},
        "remove": [str(state), *outside, *(str(place) for unit in sorted(units) for place in _unit_files(home_path / UNITS / unit))],
        "packages": packages,
        "megabytes": sum(_size(Path(place)) for place in [str(state), *outside]) >> 20,
    }


def _environment_secrets(unit: str) -> list[str]:
    keys = re.findall(r"^Environment=\"?(\w+)=.", unit, re.MULTILINE)
    return [key for key in keys if _SECRET.search(key)]


def is_install(state: Folder) -> bool:
    """Say whether a directory of a gateway's name holds something of a gateway."""
    telling = {"agents", "credentials", "state", *(f"{product}.json" for product in PRODUCTS)}
    return not telling.isdisjoint(state.names())


def stray(processes: Mapping[int, tuple[Sequence[str], str]]) -> list[int]:
    """Return the processes of a gateway that no unit runs. `processes`: words of the command line and control groups, by number."""
    return sorted(
        pid
        for pid, (words, cgroup) in processes.items()
        if any(_PROCESS.search(word) for word in words[:3]) and not any(_UNIT.search(part) for part in cgroup.split("/"))
    )
