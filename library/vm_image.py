#!/usr/bin/python
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_image
short_description: Make or fetch the base disk image of virtual machines
description:
  - Runs on the controller. The result is a qcow2 file in a cache, which no machine ever writes to.
  - C(bootstrap) makes it here from signed Debian packages, with C(mmdebstrap), as root or as an ordinary user with subordinate user
    numbers. No mount, no loop device, no network but the archive's. While it builds it needs about 3 GB below C(/tmp) and in the cache.
  - C(ubuntu) downloads the release's server cloud image. The list of its checksums must bear a signature of a key in O(keyring).
  - Anything else is the path or the URL of a qcow2 file, whose O(sha256) you give.
  - An image in the cache is checked against its recorded SHA-256 each time.
  - Where C(ubuntu) was tested, there was no network to Ubuntu. It was tested with a server and a signing key of the test's own.
author: the Lobsterpot contributors
options:
  image:
    description: C(bootstrap), C(ubuntu), the path of a qcow2 file on the controller, or its http or https URL.
    type: str
    required: true
  suite:
    description: Debian release by name (empty means trixie), or Ubuntu release by number (empty means 24.04).
    type: str
    default: ""
  packages:
    description: Packages in a C(bootstrap) image, beside what every machine needs. Other images come as they are.
    type: list
    elements: str
    default: []
  arch:
    description: Architecture of the machines. C(bootstrap) knows x64 only.
    type: str
    choices: [x64, arm64]
    required: true
  cache_dir:
    description: Directory for finished images.
    type: path
    required: true
  mirror:
    description:
      - For C(bootstrap) the URL of a Debian mirror, or entries of a C(sources.list), one a line. The machine keeps them as its package
        sources; a URL alone means no security updates, so entries are better. Empty means deb.debian.org, security updates included.
      - For C(ubuntu) what stands for C(https://cloud-images.ubuntu.com/releases).
    type: str
    default: ""
  refresh:
    description: Make or download it again, with today's packages, although one is in the cache.
    type: bool
    default: false
  sha256:
    description: SHA-256 of the file, in hexadecimal. Required for a path or a URL, refused for others.
    type: str
    default: ""
  keyring:
    description: Keys that may sign Ubuntu's list of checksums, in gpgv's binary form.
    type: path
    default: /usr/share/keyrings/ubuntu-cloudimage-keyring.gpg
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: VM | Make the base image
  vm_image:
    image: bootstrap
    packages: [podman, ufw]
    arch: x64
    cache_dir: ~/.cache/lobsterpot
  delegate_to: localhost
"""

RETURN = r"""
image:
  description: The qcow2 file in the cache.
  returned: always
  type: str
id:
  description: Name of the image, made of suite and architecture and, where it applies, a hash of its definition or its content.
  returned: always
  type: str
  sample: trixie-x64-0123456789ab
sha256:
  description: The file's SHA-256. Empty in check mode while there is none.
  returned: always
  type: str
size:
  description: The file's size in bytes. 0 in check mode while there is none.
  returned: always
  type: int
"""

import fcntl
import os
import platform
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.archive import build_folder, cached, finish, sha256
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.vm_image import (
    ASSEMBLE,
    build_command,
    image_id,
    overlay,
)

ARGUMENT_SPEC = {
    "image": {"type": "str", "required": True},
    "suite": {"type": "str", "default": ""},
    "packages": {"type": "list", "elements": "str", "default": []},
    "arch": {"type": "str", "choices": ["x64", "arm64"], "required": True},
    "cache_dir": {"type": "path", "required": True},
    "mirror": {"type": "str", "default": ""},
    "refresh": {"type": "bool", "default": False},
    "sha256": {"type": "str", "default": ""},
    "keyring": {"type": "path", "default": "/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg"},
}

DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Program: Debian's package of it.
TOOLS = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "sfdisk": "fdisk", "qemu-img": "qemu-utils"}


def obstacle(module: AnsibleModule) -> str:
    """Say what keeps this machine from making an image; nothing if it can."""
    if module.params["arch"] != "x64":
        return "bootstrap makes images for x64 only"
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "amd64"):
        return f"this is {platform.system()} on {platform.machine()}; bootstrap needs Linux on x86_64"
    tools = TOOLS | ({"newuidmap": "uidmap"} if os.geteuid() else {})
    missing = [package for tool, package in tools.items() if not module.get_bin_path(tool)]
    missing += [] if DEBIAN_KEYRING.exists() else ["debian-archive-keyring"]
    return f"install first: {' '.join(missing)}" if missing else ""


def run(module: AnsibleModule, command: list[str], folder: Path, failure: str) -> None:
    code, _out, err = module.run_command(command, cwd=str(folder), environ_update={"LC_ALL": "C.UTF-8"})
    if code:
        raise LobsterpotError(f"{failure}:\n{err.strip()[-1500:]}")


def bootstrap(module: AnsibleModule, folder: Path, target: Path) -> None:
    params = module.params
    # Inside, root is another user: it gets a directory to write to, behind one that only this user can enter.
    work = folder / "work"
    work.mkdir()
    work.chmod(0o777)
    (work / "overlay.tar").write_bytes(overlay())
    run(module, build_command(params["suite"] or "trixie", params["packages"], params["arch"], params["mirror"]), work, "mmdebstrap")
    run(module, ASSEMBLE, work, "assemble")
    run(module, ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(work / "disk.raw"), str(target)], folder, "qemu-img")


def ensure(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    cache = Path(params["cache_dir"])
    name = image_id(params["suite"] or "trixie", params["packages"], params["arch"])
    image = cache / f"vm-{name}.qcow2"
    make: Callable[[Path, Path], None] = partial(bootstrap, module)
    result: dict[str, object] = {"id": name, "image": str(image), "sha256": ""}
    found = None if params["refresh"] else cached(image)
    if found:
        return result | {"changed": False, "sha256": found}
    problem = obstacle(module)
    if problem:
        raise LobsterpotError(problem)
    if module.check_mode:
        return result | {"changed": True}
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (cache / f".lock-{name}").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        found = None if params["refresh"] else cached(image)  # another run may have made it while this one waited
        if not found:
            with build_folder(cache, image.name) as folder:
                made = Path(folder) / image.name
                make(Path(folder), made)
                result["sha256"] = sha256(made)
                finish(made, image, str(result["sha256"]))
        return result | {"changed": not found, "sha256": found or result["sha256"]}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o022)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
