#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_install
short_description: Unpack a release archive into its own root-owned directory
description:
  - Checks the archive's SHA-256, unpacks it beside the installed releases, lets it reach the disk, and only then gives it its name. A
    directory with a
    release's name is therefore always whole, after a power cut too.
  - Removes the oldest releases above a limit, never the one in use.
author: the Lobsterpot contributors
options:
  archive:
    description: The archive on the host.
    type: path
    required: true
  sha256:
    description: What its SHA-256 must be.
    type: str
    required: true
  id:
    description: Name of the release.
    type: str
    required: true
  root:
    description: Directory with C(releases) and C(current).
    type: path
    required: true
  keep:
    description: How many releases to keep, this one included.
    type: int
    default: 3
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Gateway | Unpack the release
  release_install:
    archive: /var/cache/lobsterpot/openclaw-2026.9.6-x64-0123456789ab.tar.zst
    sha256: "{{ release_gateway.sha256 }}"
    id: "{{ release_gateway.id }}"
    root: /opt/openclaw
"""

RETURN = r"""
removed:
  description: Releases that were removed to keep to the limit.
  returned: always
  type: list
  elements: str
"""

import os
import re
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.archive import sha256
from ansible.module_utils.lobsterpot.errors import LobsterpotError

ARGUMENT_SPEC = {
    "archive": {"type": "path", "required": True},
    "sha256": {"type": "str", "required": True},
    "id": {"type": "str", "required": True},
    "root": {"type": "path", "required": True},
    "keep": {"type": "int", "default": 3},
}


def unpack(module: AnsibleModule, releases: Path) -> None:
    params = module.params
    archive = Path(params["archive"])
    have = sha256(archive)
    if have != params["sha256"]:
        raise LobsterpotError(
            f"{archive} is not the archive that was built: its SHA-256 is {have}, expected was {params['sha256']}. "
            "Nothing was unpacked; the release in use goes on."
        )
    partial = releases / f".partial-{params['id']}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o755)
    command = ["tar", "--extract", "--zstd", "--no-same-owner", "--file", str(archive), "--directory", str(partial)]
    code, _out, err = module.run_command(command)
    if code:
        shutil.rmtree(partial, ignore_errors=True)
        raise LobsterpotError(f"{archive} could not be unpacked: {err.strip()[-500:]}. The release in use goes on.")
    module.run_command(["sync", "--file-system", str(partial)], check_rc=True)
    partial.rename(releases / params["id"])


def prune(root: Path, releases: Path, new: str, keep: int) -> list[str]:
    """Remove the releases above the limit, oldest first; never the one in use or the new one."""
    current = root / "current"
    safe = {new, current.readlink().name if current.is_symlink() else ""}
    installed = sorted((p for p in releases.iterdir() if p.is_dir() and not p.name.startswith(".")), key=lambda p: p.stat().st_ctime)
    removable = [path for path in installed if path.name not in safe]
    surplus = removable[: max(0, len(installed) - keep)]
    for path in surplus:
        # Renamed first: an interrupted removal must not leave half a release under a release's name.
        doomed = path.with_name(f".removed-{path.name}")
        path.rename(doomed)
        shutil.rmtree(doomed)
    return [path.name for path in surplus]


def ensure(module: AnsibleModule) -> dict[str, object]:
    root = Path(module.params["root"])
    releases = root / "releases"
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+-]*", module.params["id"]):
        raise LobsterpotError(f"id: {module.params['id']!r} is no name of a release")
    if (releases / module.params["id"]).is_dir():
        return {"changed": False, "removed": []}
    if module.check_mode:
        return {"changed": True, "removed": []}
    releases.mkdir(parents=True, exist_ok=True, mode=0o755)
    for leftover in (*releases.glob(".partial-*"), *releases.glob(".removed-*")):
        shutil.rmtree(leftover)
    unpack(module, releases)
    return {"changed": True, "removed": prune(root, releases, module.params["id"], module.params["keep"])}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o022)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
