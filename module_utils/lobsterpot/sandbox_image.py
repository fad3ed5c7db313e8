# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image that tools run in, as one mmdebstrap call."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

# The number that the gateway's configuration names as the tools' user.
SANDBOX_UID = 1000

# Documentation and translations are half of a small image and no tool reads them.
WITHOUT_DOCUMENTATION = (
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("man", "doc", "locale", "info")),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
)

_HOOKS = (
    f'chroot "$1" useradd --uid {SANDBOX_UID} --create-home --shell /bin/bash sandbox',
    # Tools run without privileges that a program could give them; so no program offers any.
    'find "$1" -xdev -type f -perm /6000 -exec chmod a-s {} +',
    'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/*.log',
)

DEBIAN_ARCHES = {"x64": "amd64", "arm64": "arm64"}


def build_command(suite: str, packages: Sequence[str], arch: str, mirror: str, target: str) -> list[str]:
    """Return the mmdebstrap call that writes the image to `target`; apt checks every signature on the way.

    Source: mmdebstrap(1).
    """
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--architectures={DEBIAN_ARCHES[arch]}"]
    command += [f"--include={','.join(packages)}"]
    command += WITHOUT_DOCUMENTATION
    command += [f"--customize-hook={hook}" for hook in _HOOKS]
    command += [suite, target]
    return [*command, mirror] if mirror else command


def image_id(suite: str, packages: Sequence[str], arch: str) -> str:
    """Name an image after its definition: suite, architecture, and 12 hexadecimal digits. The mirror does not count."""
    definition = json.dumps(build_command(suite, sorted(packages), arch, "", ""))
    return f"{suite}-{arch}-{hashlib.sha256(definition.encode()).hexdigest()[:12]}"
