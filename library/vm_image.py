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
  unpack:
    description:
      - Archives (tar, zstd) on the controller to unpack in a C(bootstrap) image, by the folder there, as an absolute path.
      - An archive's name must change with its content. What is in the image need not be copied into a machine and unpacked there, which
        takes minutes when it is emulated.
    type: dict
    default: {}
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

import os
import platform
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.lobsterpot.archive import build_folder, build_once, cached, finish, sha256
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.vm_image import (
    ASSEMBLE,
    CLEAR,
    build_command,
    check_qcow2,
    check_sha256,
    check_suite,
    compare,
    download,
    image_id,
    listed,
    overlay,
    ubuntu_image,
)

ARGUMENT_SPEC = {
    "image": {"type": "str", "required": True},
    "suite": {"type": "str", "default": ""},
    "packages": {"type": "list", "elements": "str", "default": []},
    "unpack": {"type": "dict", "default": {}},
    "arch": {"type": "str", "choices": ["x64", "arm64"], "required": True},
    "cache_dir": {"type": "path", "required": True},
    "mirror": {"type": "str", "default": ""},
    "refresh": {"type": "bool", "default": False},
    "sha256": {"type": "str", "default": ""},
    "keyring": {"type": "path", "default": "/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg"},
}

Check = Callable[[], None]
Make = Callable[[Path, Path], None]  # a folder to work in, the file to write

SUITES = {"bootstrap": "trixie", "ubuntu": "24.04"}
DEBIAN_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Program: Debian's package of it.
TOOLS = {"mmdebstrap": "mmdebstrap", "zstd": "zstd", "mke2fs": "e2fsprogs", "sfdisk": "fdisk", "qemu-img": "qemu-utils"}
UBUNTU_KEY = "D2EB 4462 6FDD C30B 513D  5BB7 1A5D 6C4C 7DB8 7C81"


def check_bootstrap(module: AnsibleModule) -> None:
    """Refuse, with the way out, what this machine cannot make."""
    tools = TOOLS | ({"newuidmap": "uidmap"} if os.geteuid() else {})
    missing = [package for tool, package in tools.items() if not module.get_bin_path(tool)]
    missing += [] if DEBIAN_KEYRING.exists() else ["debian-archive-keyring"]
    if module.params["arch"] != "x64":
        problem = "it makes images for x64 only."
    elif platform.system() != "Linux" or platform.machine() not in ("x86_64", "amd64"):
        problem = f"it needs Linux on x86_64, and this is {platform.system()} on {platform.machine()}."
    elif missing:
        problem = f"packages are missing. Install them: apt-get install {' '.join(missing)}"
    else:
        return
    raise LobsterpotError(f"vm_image: bootstrap cannot make the base image here: {problem}\nOr download one instead: vm_image: ubuntu")


def check_ubuntu(module: AnsibleModule) -> None:
    """Refuse to go on without the means to check the signature."""
    if not module.get_bin_path("gpgv"):
        raise LobsterpotError("vm_image: ubuntu needs gpgv to check the image's signature. Install it: package gpgv, or gnupg on a Mac.")
    if not Path(module.params["keyring"]).is_file():
        raise LobsterpotError(
            f"vm_image: ubuntu needs the keys that sign Ubuntu's cloud images, and {module.params['keyring']} does not exist. "
            f"On Ubuntu: apt-get install ubuntu-keyring. Elsewhere: get the key {UBUNTU_KEY}, "
            "write it to a file with gpg --export, and name that file as keyring."
        )


def run(module: AnsibleModule, command: list[str], folder: Path, failure: str) -> None:
    code, _out, err = module.run_command(command, cwd=str(folder), environ_update={"LC_ALL": "C.UTF-8"})
    if code:
        raise LobsterpotError(f"{failure}:\n{err.strip()[-1500:]}")


def bootstrap(module: AnsibleModule, suite: str, folder: Path, target: Path) -> None:
    params = module.params
    # Without root, the new system's root is another user than this one: it gets a folder that it can write to, behind one that
    # nobody else can enter.
    work = folder / "work"
    work.mkdir()
    work.chmod(0o777)
    (work / "overlay.tar").write_bytes(overlay())
    listing = ""
    for number, (place, archive) in enumerate(params["unpack"].items()):
        shutil.copyfile(archive, work / f"{number}.tar.zst")
        listing += f"{number}.tar.zst {place}\n"
    (work / "unpack").write_text(listing)
    command = build_command(suite, params["packages"], params["arch"], params["mirror"])
    run(module, command, work, "mmdebstrap could not make the base image (if Debian's archive cannot be reached from here, give a mirror)")
    run(module, ASSEMBLE, work, "The base image's file system could not be made")
    convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(work / "disk.raw"), str(target)]
    run(module, convert, folder, "qemu-img could not write the base image")


def ubuntu(module: AnsibleModule, suite: str, folder: Path, target: Path) -> None:
    where, name = ubuntu_image(suite, module.params["arch"], module.params["mirror"])
    sums, signature = folder / "SHA256SUMS", folder / "SHA256SUMS.gpg"
    for path in (sums, signature):
        download(f"{where}/{path.name}", path)
    verify = ["gpgv", "--homedir", str(folder), "--keyring", str(Path(module.params["keyring"]).absolute()), str(signature), str(sums)]
    run(
        module, verify, folder, f"{where}/SHA256SUMS bears no good signature of a key in {module.params['keyring']}. Nothing of it was kept"
    )
    expected = listed(sums.read_text(), name)
    compare(f"{where}/{name}", expected, download(f"{where}/{name}", target))


def own(image: str, expected: str, _folder: Path, target: Path) -> None:
    if image.startswith(("http://", "https://")):
        compare(image, expected, download(image, target))
        return
    source = Path(image).expanduser()
    if not source.is_absolute() or not source.is_file():
        raise LobsterpotError(f"image: {image!r} is not bootstrap, ubuntu, a URL, or the absolute path of a file here.")
    shutil.copyfile(source, target)
    compare(str(source), expected, sha256(target))


def choice(module: AnsibleModule) -> tuple[str, Check, Make]:
    """Return the name of the image that was asked for, what must hold before it is made, and what makes it."""
    params = module.params
    kind = params["image"]
    if kind not in SUITES:
        expected = check_sha256(kind, params["sha256"])
        return f"file-{expected[:12]}", lambda: None, partial(own, kind, expected)
    suite = params["suite"] or SUITES[kind]
    check_suite(suite)
    if params["sha256"]:
        raise LobsterpotError(f"sha256: only for a file or a URL, not for {kind}.")
    if kind == "ubuntu":
        return f"ubuntu-{suite}-{params['arch']}", partial(check_ubuntu, module), partial(ubuntu, module, suite)
    name = image_id(suite, params["packages"], params["arch"], params["unpack"])
    return name, partial(check_bootstrap, module), partial(bootstrap, module, suite)


def build(module: AnsibleModule, make: Make, image: Path) -> str:
    for leftover in image.parent.glob(f".build-{image.name}-*/work"):
        run(module, CLEAR, leftover, "What a killed build left cannot be removed")
    with build_folder(image.parent, image.name) as folder:
        made = Path(folder) / image.name
        make(Path(folder), made)
        with made.open("rb") as stream:
            check_qcow2(module.params["image"], stream.read(80))
        digest = sha256(made)
        finish(made, image, digest)
    return digest


def ensure(module: AnsibleModule) -> dict[str, object]:
    params = module.params
    cache = Path(params["cache_dir"])
    name, check, make = choice(module)
    image = cache / f"vm-{name}.qcow2"
    result: dict[str, object] = {"id": name, "image": str(image), "sha256": "", "size": 0, "changed": False}
    digest = None if params["refresh"] else cached(image)
    if not digest:
        check()
        if module.check_mode:
            return result | {"changed": True}
        digest, result["changed"] = build_once(image, lambda: build(module, make, image), refresh=params["refresh"])
    return result | {"sha256": digest, "size": image.stat().st_size}


def main() -> None:
    module = AnsibleModule(ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o022)
    try:
        module.exit_json(**ensure(module))
    except (LobsterpotError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
