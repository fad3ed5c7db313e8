# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the base image of virtual machines is defined and named, and which images of others are taken."""

from __future__ import annotations

import io
import re
import tarfile

import pytest
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.vm_image import (
    ASSEMBLE,
    build_command,
    check_qcow2,
    check_sha256,
    check_suite,
    image_id,
    listed,
    overlay,
    ubuntu_image,
)
from hypothesis import given
from hypothesis import strategies as st

NEEDED = (
    "apparmor,ca-certificates,cloud-guest-utils,cloud-init,dbus,e2fsprogs,fdisk,grub-pc-bin,grub2-common,initramfs-tools,iproute2,"
    "libnss-myhostname,libpam-systemd,linux-image-cloud-amd64,netbase,openssh-server,python3,sudo,systemd-resolved,systemd-sysv,"
    "systemd-timesyncd,udev"
)


def test_the_command() -> None:
    """Nothing weakens apt's signature check; the system goes to a file in the working directory, which needs no path of the user's."""
    command = build_command("trixie", [], "x64", "")
    assert [word for word in command if "hook" not in word and "dpkgopt" not in word] == [
        "mmdebstrap",
        "--quiet",
        "--mode=unshare",
        "--variant=minbase",
        "--architectures=amd64",
        f"--include={NEEDED}",
        '--aptopt=Acquire::Languages "none"',
        "trixie",
        "tree.tar",
    ]
    hooks = [word for word in command if "hook" in word]
    assert hooks[0] == "--essential-hook=tar-in overlay.tar /"
    assert hooks[1].startswith('--customize-hook=chroot "$1" sh -euc \'')
    assert len(hooks) == 2


def test_packages_are_added() -> None:
    """What roles need goes in at native speed; a package named twice is named once."""
    (include,) = (word for word in build_command("trixie", ["podman", "sudo", "zstd"], "x64", "") if word.startswith("--include="))
    assert include == f"--include={NEEDED.replace('openssh-server,', 'openssh-server,podman,')},zstd"


@pytest.mark.parametrize(
    ("mirror", "last"),
    [
        ("https://mirror.example/debian", ["https://mirror.example/debian"]),
        (
            "deb http://m.example/debian trixie main\ndeb http://m.example/security trixie-security main\n",
            ["deb http://m.example/debian trixie main", "deb http://m.example/security trixie-security main"],
        ),
    ],
)
def test_a_mirror_comes_last(mirror: str, last: list[str]) -> None:
    """A URL, or entries of a sources.list, so that a machine behind a mirror can have security updates."""
    assert build_command("trixie", [], "x64", mirror)[-len(last) - 2 :] == ["trixie", "tree.tar", *last]


def test_the_overlay_is_roots_and_has_no_surprises() -> None:
    """The whole set of files that the image has beside its packages' own."""
    with tarfile.open(fileobj=io.BytesIO(overlay())) as tar:
        members = {member.name: (member.uid, member.gid, oct(member.mode), member.linkname) for member in tar}
    file, off = (0, 0, "0o644", ""), (0, 0, "0o644", "/dev/null")
    assert members == {
        "etc/cloud/cloud.cfg.d/90-lobsterpot.cfg": file,
        "etc/default/grub": file,
        "etc/fstab": file,
        "etc/hosts": file,
        "etc/initramfs-tools/conf.d/lobsterpot": file,
        "etc/ssh/sshd_config.d/60-lobsterpot-image.conf": file,
        "usr/share/initramfs-tools/modules.d/lobsterpot": file,
        "etc/systemd/system/cloud-init-hotplugd.socket": off,
        "etc/systemd/system/e2scrub_reap.service": off,
        "etc/systemd/system/grub-common.service": off,
        "etc/systemd/system/proc-sys-fs-binfmt_misc.automount": off,
        "etc/systemd/system/systemd-binfmt.service": off,
        "etc/systemd/system-generators/systemd-ssh-generator": off,
    }


def test_no_shell_error_is_passed_over() -> None:
    """A step that fails must not end in an image: every script stops at its first error."""
    assert ASSEMBLE[:4] == ["mmdebstrap", "--unshare-helper", "sh", "-c"]
    assert ASSEMBLE[4].startswith("set -eu\n")


def test_the_name_tells_suite_and_architecture() -> None:
    """A file name that a person can read."""
    assert re.fullmatch(r"trixie-x64-[0-9a-f]{12}", image_id("trixie", ["podman"], "x64", {}))


@given(st.permutations(["podman", "ufw", "zstd", "crun"]))
def test_the_order_of_packages_does_not_count(packages: list[str]) -> None:
    """The same image is not made again because a list was sorted."""
    assert image_id("trixie", packages, "x64", {}) == image_id("trixie", ["crun", "podman", "ufw", "zstd"], "x64", {})


@pytest.mark.parametrize(("suite", "packages"), [("bookworm", ["podman"]), ("trixie", ["podman", "ufw"])])
def test_another_definition_has_another_name(suite: str, packages: list[str]) -> None:
    """The cache never answers with an image of other packages."""
    assert image_id(suite, packages, "x64", {}).rpartition("-")[2] != image_id("trixie", ["podman"], "x64", {}).rpartition("-")[2]


def test_what_is_unpacked_counts() -> None:
    """An image with another release in it is another image; where in the cache the archive lies does not count."""
    with_it = image_id("trixie", ["podman"], "x64", {"/opt/x": "/cache/release-1.tar.zst"})
    assert with_it == image_id("trixie", ["podman"], "x64", {"/opt/x": "/elsewhere/release-1.tar.zst"})
    others = [{}, {"/opt/x": "/cache/release-2.tar.zst"}, {"/opt/y": "/cache/release-1.tar.zst"}]
    assert with_it not in [image_id("trixie", ["podman"], "x64", unpack) for unpack in others]


@pytest.mark.parametrize(
    ("arch", "mirror", "where", "name"),
    [
        ("x64", "", "https://cloud-images.ubuntu.com/releases/24.04/release", "ubuntu-24.04-server-cloudimg-amd64.img"),
        ("arm64", "http://m.example/releases/", "http://m.example/releases/24.04/release", "ubuntu-24.04-server-cloudimg-arm64.img"),
    ],
)
def test_where_ubuntu_has_its_images(arch: str, mirror: str, where: str, name: str) -> None:
    """The release's own folder, not the daily builds; a mirror stands for everything before the release."""
    assert ubuntu_image("24.04", arch, mirror) == (where, name)


LIST = f"""\
{"a" * 64} *ubuntu-24.04-server-cloudimg-amd64.img.manifest
{"b" * 64} *ubuntu-24.04-server-cloudimg-amd64.img
{"c" * 64}  ubuntu-24.04-server-cloudimg-arm64.img
"""


def test_the_checksum_of_exactly_this_file() -> None:
    """A list names many files whose names begin alike."""
    assert listed(LIST, "ubuntu-24.04-server-cloudimg-amd64.img") == "b" * 64
    assert listed(LIST, "ubuntu-24.04-server-cloudimg-arm64.img") == "c" * 64


@pytest.mark.parametrize(
    "name", ["server-cloudimg-amd64.img", "ubuntu-24.04-server-cloudimg-amd64Ximg", "ubuntu-22.04-server-cloudimg-amd64.img"]
)
def test_a_file_that_is_not_listed_is_refused(name: str) -> None:
    """No checksum is no reason to go without one."""
    with pytest.raises(LobsterpotError, match=f"^The signed list of checksums, SHA256SUMS, does not name {re.escape(name)}.$"):
        listed(LIST, name)


def test_a_checksum_may_be_in_capitals() -> None:
    """As some sites print it."""
    assert check_sha256("/x.qcow2", "AB" * 32) == "ab" * 32


@pytest.mark.parametrize(("digest", "said"), [("", "it is missing"), ("abc", "'abc' is none"), ("z" * 64, f"'{'z' * 64}' is none")])
def test_an_image_without_a_checksum_is_refused(digest: str, said: str) -> None:
    """Of a file from anywhere only its bytes can be trusted."""
    with pytest.raises(LobsterpotError) as refused:
        check_sha256("/x.qcow2", digest)
    assert str(refused.value) == f"sha256: an image of your own (/x.qcow2) needs its SHA-256, 64 hexadecimal digits; {said}."


@pytest.mark.parametrize("suite", ["..", "trixie/../..", "Trixie", "-x", "", "24.04\n"])
def test_what_is_no_release_is_refused(suite: str) -> None:
    """It becomes part of a path in the cache."""
    with pytest.raises(LobsterpotError, match=r"^suite: "):
        check_suite(suite)


@pytest.mark.parametrize("suite", ["trixie", "bookworm", "24.04", "26.04"])
def test_releases_are_taken(suite: str) -> None:
    """Names and numbers."""
    check_suite(suite)


# Headers that `qemu-img create` 7.2 writes, as far as they count: plain, with a backing file (name at offset 0x180), with an
# external data file (incompatible feature, bit 2), and version 2, which has no features and other bytes in their place.
PLAIN = b"QFI\xfb\0\0\0\x03" + bytes(72)
BACKED = b"QFI\xfb\0\0\0\x03" + bytes(6) + b"\x01\x80" + bytes(64)
EXTERNAL = b"QFI\xfb\0\0\0\x03" + bytes(64 + 7) + b"\x04"
VERSION_2 = b"QFI\xfb\0\0\0\x02" + bytes(64) + b"\xff" * 8


@pytest.mark.parametrize("head", [PLAIN, VERSION_2])
def test_a_whole_image_is_taken(head: bytes) -> None:
    """Both versions of the format, with all their content in themselves."""
    check_qcow2("x", head)


@pytest.mark.parametrize("head", [BACKED, EXTERNAL, VERSION_2[:8] + BACKED[8:]])
def test_an_image_that_points_elsewhere_is_refused(head: bytes) -> None:
    """A guest could read a file of this computer as its disk."""
    with pytest.raises(LobsterpotError, match=r"^x is not a whole image: its content is in another file"):
        check_qcow2("x", head)


@pytest.mark.parametrize("head", [b"", b"<html>", b"QFI", bytes(80)])
def test_what_is_no_qcow2_is_refused(head: bytes) -> None:
    """A web page that says "not found", an empty file, a raw disk."""
    with pytest.raises(LobsterpotError, match=r"^x is not a qcow2 image"):
        check_qcow2("x", head)
