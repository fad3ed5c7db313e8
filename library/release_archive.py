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
    description: Directory with C(package.json), C(package-lock.json) and, where channels have plugins of their own, C(plugins.json).
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
  channels:
    description: Channels whose plugins go into the release, each held to its SHA-512 in C(plugins.json). One without a pin is bundled.
    type: list
    elements: str
    default: []
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
plugins:
  description: Channels whose plugin is in the release, in C(npm).
  returned: always
  type: list
  elements: str
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
from ansible.module_utils.lobsterpot import limits
from ansible.module_utils.lobsterpot.archive import (
    PLUGINS,
    build_folder,
    build_once,
    cached,
    finish,
    pack,
    plugin_project,
    prepare_tree,
    unpack_plugin,
)
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.lockfile import integrity, lock_problems, pinned_plugins, release_id

ARGUMENT_SPEC = {
    "product": {"type": "str", "required": True},
    "version": {"type": "str", "required": True},
    "arch": {"type": "str", "choices": ["x64", "arm64"], "required": True},
    "lock_dir": {"type": "path", "required": True},
    "cache_dir": {"type": "path", "required": True},
    "registry": {"type": "str", "default": ""},
    "ca_file": {"type": "str", "default": ""},
    "channels": {"type": "list", "elements": "str", "default": []},
    "installed": {"type": "list", "elements": "str", "default": []},
}


def npm_command(call: list[str], cache: Path, registry: str) -> list[str]:
    """One call of npm, nothing of what it fetches run."""
    command = [
        "npm",
        *call,
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
        f"--fetch-timeout={limits.NPM_FETCH * 1000:.0f}",
        "--fetch-retries=2",
        "--fetch-retry-mintimeout=2000",
        "--fetch-retry-maxtimeout=5000",
    ]
    command += [f"--cache={cache / 'npm'}"]
    return [*command, f"--registry={registry}"] if registry else command


def npm(module: AnsibleModule, call: list[str], folder: Path, cache: Path) -> None:
    """Run npm in `folder`; its own words become the error."""
    ca_file = module.params["ca_file"]
    # npm and Node lie beside the Python that runs Ansible, whether or not that directory is on PATH.
    tools = str(Path(sys.executable).parent)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "npm_config_update_notifier": "false"}
    if ca_file:
        environment |= {"npm_config_cafile": ca_file, "NODE_EXTRA_CA_CERTS": ca_file}
    command = npm_command(call, cache, module.params["registry"])
    code, _out, err = module.run_command(command, cwd=str(folder), environ_update=environment)
    if code:
        words = "\n".join(line for line in err.splitlines() if "npm warn" not in line)[-1500:]
        raise LobsterpotError(
            f"npm could not download the release {module.params['version']}:\n{words}\n"
            "If the registry cannot be reached from here, set release_registry to a mirror, and release_ca_file to the "
            "certificate authority of a proxy that inspects TLS."
        )


def install_plugin(module: AnsibleModule, name: str, pin: str, tree: Path, cache: Path) -> None:
    """Fetch the plugin of a channel, check it against its pin and put it into the release."""
    package = f"@openclaw/{name}@{module.params['version']}"
    npm(module, ["pack", package], tree, cache)
    (fetched,) = tree.glob("*.tgz")
    if (found := integrity(fetched.read_bytes())) != pin:
        raise LobsterpotError(f"{package} is not what is locked: it has {found}, locked is {pin}. Find out why before you use it.")
    unpack_plugin(fetched, tree, name)
    fetched.unlink()


def build(module: AnsibleModule, cache: Path, archive: Path, inputs: dict[str, bytes], plugins: dict[str, str]) -> str:
    params = module.params
    with build_folder(cache, archive.name) as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        for name, content in inputs.items():
            (tree / name).write_bytes(content)
        npm(module, ["ci", "--os=linux", f"--cpu={params['arch']}", "--libc=glibc"], tree, cache)
        if plugins:
            plugin_project(tree, plugins, params["version"])
        for name, pin in plugins.items():
            install_plugin(module, name, pin, tree, cache)
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
        inputs = {name: (lock_dir / name).read_bytes() for name in ("package.json", "package-lock.json")}
        problems = lock_problems(json.loads(inputs["package-lock.json"]), params["product"], params["version"])
        pins = lock_dir / "plugins.json"
        plugins = pinned_plugins(json.loads(pins.read_text()) if pins.exists() else {}, params["channels"])
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
    extra = [json.dumps({PLUGINS: plugins}, sort_keys=True).encode()] if plugins else []
    name = release_id(params["version"], params["arch"], *inputs.values(), *extra)
    archive = cache / f"{params['product']}-{name}.tar.zst"
    result: dict[str, object] = {"id": name, "archive": str(archive), "sha256": "", "plugins": list(plugins), "changed": False}
    if name in params["installed"]:
        return result
    result["sha256"] = cached(archive) or ""
    if result["sha256"] or module.check_mode:
        return result | {"changed": not result["sha256"]}
    digest, built = build_once(archive, lambda: build(module, cache, archive, inputs, plugins))
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
