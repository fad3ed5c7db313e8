#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sandbox_store
short_description: Load the sandbox image into the store that only root writes
description:
  - podman, as root, unpacks the archive beside the store. The files are given to the gateway's user and its subordinate ids, as a container
    with C(--userns keep-id) needs them. Then the image takes its place in the store.
  - The store is F(/var/lib/lobsterpot/store/images). The user sees it at F(/var/lib/lobsterpot/images), read-only.
  - The image that was loaded before stays, for a gateway that goes back to it. Older ones are removed.
author: the Lobsterpot contributors
options:
  archive:
    description: The archive that M(sandbox_archive) built.
    type: path
    required: true
  image:
    description: Name and tag of the image.
    type: str
    required: true
  user:
    description: The gateway's user.
    type: str
    required: true
attributes:
  check_mode: {support: none}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Sandbox | Load the image
  sandbox_store:
    archive: /var/cache/lobsterpot/sandbox-trixie-x64-0123456789ab.tar.zst
    image: localhost/openclaw-sandbox:trixie-x64-0123456789ab
    user: openclaw
"""

RETURN = r"""
id:
  description: The image's id, as podman shows it.
  returned: always
  type: str
"""

import json
import os
import pwd
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot import image_store
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.root_file import RootFile
from ansible.module_utils.lobsterpot.root_writer import ensure
from ansible.module_utils.lobsterpot.sandbox_image import SANDBOX_UID

ARGUMENT_SPEC = {
    "archive": {"type": "path", "required": True},
    "image": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
}
IDS = (Path("/etc/subuid"), Path("/etc/subgid"))
# Podman 5 takes a compressed archive but records the wrong hash for it, and then refuses its own image.
IMPORT = 'set -o pipefail; archive=$1; shift; zstd --decompress --stdout "$archive" | podman "$@"'


def unpack(module: AnsibleModule, staging: Path) -> tuple[image_store.Record, image_store.Record]:
    """Have podman make a store with nothing but the image; return its layer and the image.

    It mounts nothing. With a mount program named, it does not ask the kernel whether it could, which depends on the file system.
    """
    places = ["--root", str(staging), "--runroot", str(staging / "run"), "--tmpdir", str(staging / "tmp")]
    driver = ["--storage-driver", "overlay", "--storage-opt", "overlay.mount_program=/bin/true"]
    command = ["bash", "-c", IMPORT, "import", module.params["archive"], *places, *driver, "import", "--quiet", "-", module.params["image"]]
    code, _out, err = module.run_command(command, environ_update={"TMPDIR": str(staging), "LC_ALL": "C.UTF-8"})
    if code:
        raise LobsterpotError(f"podman could not load {module.params['archive']}:\n{err.strip()[-1500:]}")
    (layer,), (image,) = (image_store.records(staging / name) for name in (image_store.LAYERS, image_store.IMAGES))
    return layer, image


def load(module: AnsibleModule, staging: Path) -> str:
    store, account = image_store.STORE, pwd.getpwnam(module.params["user"])
    users, groups = (image_store.subordinate(path.read_text(), account.pw_name) for path in IDS)
    layer, image = unpack(module, staging)
    layer |= {"uidmap": image_store.keep_id(SANDBOX_UID, users), "gidmap": image_store.keep_id(SANDBOX_UID, groups)}
    image_store.give_away(
        staging / "overlay" / layer["id"] / "diff",
        image_store.on_the_host(SANDBOX_UID, account.pw_uid, users),
        image_store.on_the_host(SANDBOX_UID, account.pw_gid, groups),
    )
    image_store.merge(staging, store, layer, image)
    images = image_store.kept(image_store.records(store / image_store.IMAGES), image)
    used = {record["layer"] for record in images}
    layers = [record for record in image_store.records(store / image_store.LAYERS) if record["id"] in used - {layer["id"]}] + [layer]
    # Before the lists name it: after a power cut there is either the whole image or none.
    os.sync()
    lists = {image_store.LAYERS: layers, image_store.IMAGES: images}
    ensure(module, [RootFile(str(store / name), json.dumps(records), "0644", "root", (), False) for name, records in lists.items()])
    image_store.prune(store, layers, images)
    return str(image["id"])


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC)
    os.umask(0o022)
    staging = image_store.STORE.with_name("new")
    try:
        shutil.rmtree(staging, ignore_errors=True)  # of a run that was killed
        staging.mkdir(mode=0o700)
        loaded = load(module, staging)
        shutil.rmtree(staging)
        module.exit_json(changed=True, id=loaded)
    except (LobsterpotError, OSError, KeyError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
