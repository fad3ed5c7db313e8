#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sandbox_archive
short_description: Build the sandbox image from signed Debian packages
description:
  - Runs on the controller where it can, else on the host. C(mmdebstrap) fetches the packages, apt checks their signatures, and the
    result is one archive
    that C(podman import) takes. No setuid program, no documentation, a user C(sandbox) with number 1000.
  - The archive's name holds a hash of its definition. An archive in the cache is checked against its recorded SHA-256 each time.
author: the Lobsterpot contributors
options:
  suite:
    description: Debian release, by name.
    type: str
    required: true
  packages:
    description: Packages in the image, beside Debian's required ones.
    type: list
    elements: str
    required: true
  arch:
    description: Architecture of the host.
    type: str
    choices: [x64, arm64]
    required: true
  cache_dir:
    description: Directory for finished archives.
    type: path
    required: true
  mirror:
    description: URL of a Debian mirror. Empty means mmdebstrap's default.
    type: str
    default: ""
  refresh:
    description: Build it again, with today's packages, although one is in the cache.
    type: bool
    default: false
  installed:
    description: Ids the host has already. When this one is among them, nothing is built.
    type: list
    elements: str
    default: []
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Sandbox | Build the image
  sandbox_archive:
    suite: trixie
    packages: [bash, ca-certificates, curl, git, jq, python3, ripgrep]
    arch: x64
    cache_dir: ~/.cache/lobsterpot
  delegate_to: localhost
"""

RETURN = r"""
id:
  description: Name of the image, made of suite, architecture and a hash of its definition.
  returned: always
  type: str
  sample: trixie-x64-0123456789ab
archive:
  description: The archive. Empty when this machine cannot build it.
  returned: always
  type: str
sha256:
  description: The archive's SHA-256. Empty when the host has the image, in check mode while it is not built, and when this machine
    cannot build it.
  returned: always
  type: str
obstacle:
  description: Why this machine cannot build it. Empty when it can.
  returned: always
  type: str
"""

import os
import platform
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.archive import build_folder, build_once, cached, finish, sha256
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.sandbox_image import build_command, image_id

ARGUMENT_SPEC = {
    "suite": {"type": "str", "required": True},
    "packages": {"type": "list", "elements": "str", "required": True},
    "arch": {"type": "str", "choices": ["x64", "arm64"], "required": True},
    "cache_dir": {"type": "path", "required": True},
    "mirror": {"type": "str", "default": ""},
    "refresh": {"type": "bool", "default": False},
    "installed": {"type": "list", "elements": "str", "default": []},
}

MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def obstacle(module: AnsibleModule) -> str:
    """Say what keeps this machine from building the image; nothing if it can."""
    if platform.system() != "Linux":
        return "it does not run Linux"
    if MACHINES.get(platform.machine()) != module.params["arch"]:
        return f"its architecture is {platform.machine()}"
    if not module.get_bin_path("mmdebstrap"):
        return "mmdebstrap is not installed"
    if not KEYRING.exists():
        return "debian-archive-keyring is not installed"
    if os.geteuid() and not module.get_bin_path("newuidmap"):
        return "without root it needs newuidmap (package uidmap)"
    return ""


def build(module: AnsibleModule, cache: Path, archive: Path) -> str:
    params = module.params
    with build_folder(cache, archive.name) as folder:
        partial = Path(folder) / archive.name
        command = build_command(params["suite"], params["packages"], params["arch"], params["mirror"], str(partial))
        code, _out, err = module.run_command(command, cwd=folder, environ_update={"LC_ALL": "C.UTF-8"})
        if code:
            raise LobsterpotError(
                f"mmdebstrap could not build the sandbox image:\n{err.strip()[-1500:]}\n"
                "If Debian's archive cannot be reached from here, set sandbox_mirror."
            )
        digest = sha256(partial)
        finish(partial, archive, digest)
    return digest


def ensure(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    cache = Path(params["cache_dir"])
    name = image_id(params["suite"], params["packages"], params["arch"])
    archive = cache / f"sandbox-{name}.tar.zst"
    result: dict[str, object] = {"id": name, "archive": str(archive), "sha256": "", "obstacle": ""}
    if not params["refresh"]:
        if name in params["installed"]:
            return result | {"changed": False}
        result["sha256"] = cached(archive) or ""
        if result["sha256"]:
            return result | {"changed": False}
    result["obstacle"] = obstacle(module)
    if result["obstacle"]:
        return result | {"changed": False, "archive": ""}
    if module.check_mode:
        return result | {"changed": True}
    digest, built = build_once(archive, lambda: build(module, cache, archive), refresh=params["refresh"])
    return result | {"sha256": digest, "changed": built}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o022)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
