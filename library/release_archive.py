#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_archive
short_description: Build the archive of one gateway release from its lock file
description:
  - Runs on the controller. Installs exactly what the lock file pins, with C(npm ci) and install scripts off, checks that the result is
    complete for
    the target architecture, and packs it into one archive (tar, Zstandard) that hosts can unpack without npm, compiler or registry.
  - npm checks every package against the SHA-512 in the lock file. The archive's name holds a hash of the lock file, so the cache never
    goes stale.
  - An archive in the cache is checked against its recorded SHA-256 each time.
author: the Lobsterpot contributors
options:
  product:
    description: npm package of the gateway.
    type: str
    required: true
  version:
    description: Version of the gateway.
    type: str
    required: true
  arch:
    description: Architecture of the hosts, which need not be the controller's.
    type: str
    choices: [x64, arm64]
    required: true
  lock_dir:
    description: Directory with C(package.json) and C(package-lock.json).
    type: path
    required: true
  cache_dir:
    description: Directory for finished archives and npm's downloads.
    type: path
    required: true
  registry:
    description: URL of an npm mirror. Empty means what npm is configured to use.
    type: str
    default: ""
  ca_file:
    description: PEM file with extra certificate authorities to trust for the download. Empty for none.
    type: str
    default: ""
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
- name: Release | Build the archive
  release_archive:
    product: openclaw
    version: 2026.9.6
    arch: x64
    lock_dir: roles/release/files/locks/openclaw/2026.9.6
    cache_dir: ~/.cache/lobsterpot
  delegate_to: localhost
"""

RETURN = r"""
id:
  description: Name of the release, made of version, architecture and a hash of the lock file.
  returned: always
  type: str
  sample: 2026.9.6-x64-0123456789ab
archive:
  description: The archive on the controller.
  returned: always
  type: str
sha256:
  description: The archive's SHA-256. Empty when the host has the release, and in check mode while it is not built.
  returned: always
  type: str
"""

import json
import os
import shutil
import sys
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.archive import build_folder, build_once, cached, finish, pack, prepare_tree
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.lockfile import lock_problems, release_id

ARGUMENT_SPEC = {
    "product": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "arch": {"type": "str", "choices": ["x64", "arm64"], "required": True},
    "lock_dir": {"type": "path", "required": True},
    "cache_dir": {"type": "path", "required": True},
    "registry": {"type": "str", "default": ""},
    "ca_file": {"type": "str", "default": ""},
    "installed": {"type": "list", "elements": "str", "default": []},
}


def npm_command(arch: str, cache: Path, registry: str) -> list[str]:
    """The one npm call: what the lock file says, for a Linux host with glibc, nothing run."""
    command = [
        "npm",
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        "--fetch-retries=2",
        "--fetch-retry-mintimeout=2000",
        "--fetch-retry-maxtimeout=5000",
    ]
    command += ["--os=linux", f"--cpu={arch}", "--libc=glibc", f"--cache={cache / 'npm'}"]
    return [*command, f"--registry={registry}"] if registry else command


def install(module: AnsibleModule, tree: Path, cache: Path) -> None:
    """Let npm fill `tree`; its own words become the error."""
    ca_file = module.params["ca_file"]
    # npm and Node lie beside the Python that runs Ansible, whether or not that directory is on PATH.
    tools = str(Path(sys.executable).parent)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "npm_config_update_notifier": "false"}
    if ca_file:
        environment |= {"npm_config_cafile": ca_file, "NODE_EXTRA_CA_CERTS": ca_file}
    command = npm_command(module.params["arch"], cache, module.params["registry"])
    code, _out, err = module.run_command(command, cwd=str(tree), environ_update=environment)
    if code:
        words = "\n".join(line for line in err.splitlines() if "npm warn" not in line)[-1500:]
        raise LobsterpotError(
            f"npm could not download the release {module.params['version']}:\n{words}\n"
            "If the registry cannot be reached from here, set release_registry to a mirror, and release_ca_file to the "
            "certificate authority of a proxy that inspects TLS."
        )


def build(module: AnsibleModule, cache: Path, archive: Path, manifest: bytes, lock: bytes) -> str:
    params = module.params
    with build_folder(cache, archive.name) as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        (tree / "package.json").write_bytes(manifest)
        (tree / "package-lock.json").write_bytes(lock)
        install(module, tree, cache)
        prepare_tree(tree, params["product"], params["version"], params["arch"])
        partial = Path(folder) / archive.name
        digest = pack(tree, partial)
        finish(partial, archive, digest)
        shutil.rmtree(tree)
    return digest


def ensure(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    lock_dir, cache = Path(params["lock_dir"]), Path(params["cache_dir"])
    try:
        manifest = (lock_dir / "package.json").read_bytes()
        lock = (lock_dir / "package-lock.json").read_bytes()
        problems = lock_problems(json.loads(lock), params["product"], params["version"])
    except FileNotFoundError as error:
        locked = sorted(path.parent.name for path in lock_dir.parent.glob("*/package-lock.json"))
        raise LobsterpotError(
            f"gateway_version: there is no lock file for {params['product']} {params['version']} ({error.filename}). "
            f"Locked are: {', '.join(locked) or 'none'}. "
            f"To lock another: ansible-playbook playbooks/lock.yml -e gateway_version={params['version']}"
        ) from error
    except ValueError as error:
        raise LobsterpotError(f"{lock_dir / 'package-lock.json'} is not JSON: {error}") from error
    if problems:
        raise LobsterpotError(f"{lock_dir / 'package-lock.json'} cannot be trusted: " + "; ".join(problems))
    name = release_id(params["version"], params["arch"], manifest, lock)
    archive = cache / f"{params['product']}-{name}.tar.zst"
    result: dict[str, object] = {"id": name, "archive": str(archive), "sha256": "", "changed": False}
    if name in params["installed"]:
        return result
    result["sha256"] = cached(archive) or ""
    if result["sha256"] or module.check_mode:
        return result | {"changed": not result["sha256"]}
    digest, built = build_once(archive, lambda: build(module, cache, archive, manifest, lock))
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
