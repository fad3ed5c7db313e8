# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base disk image of virtual machines: what is in the one made here, and where the ones made by others are."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import re
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible.module_utils.urls import ConnectionError as NoConnection
from ansible.module_utils.urls import open_url

from . import limits
from .errors import LobsterpotError
from .sandbox_image import DEBIAN_ARCHES, WITHOUT_DOCUMENTATION

# What a machine needs to boot, take its seed, let Ansible in and look after itself.
# Of GRUB only the parts: the package grub-pc would ask which disk to install itself on.
PACKAGES = (
    "apparmor",
    "ca-certificates",
    "cloud-guest-utils",
    "cloud-init",
    "dbus",
    "e2fsprogs",
    "fdisk",
    "grub-pc-bin",
    "grub2-common",
    "initramfs-tools",
    "iproute2",
    "libnss-myhostname",
    "libpam-systemd",
    "linux-image-cloud-amd64",
    "netbase",
    "openssh-server",
    "python3",
    "sudo",
    "systemd-resolved",
    "systemd-sysv",
    "systemd-timesyncd",
    "udev",
)

UBUNTU = "https://cloud-images.ubuntu.com/releases"

FILES = {
    "etc/cloud/cloud.cfg.d/90-lobsterpot.cfg": """\
# The one source of settings is the seed disk. In one line: cloud-init's boot generator reads no other form.
datasource_list: [NoCloud]
system_info: {network: {renderers: [networkd]}}
# Under emulation each module costs a second; these are the ones that a seed of Lobsterpot uses.
cloud_init_modules: [bootcmd, write_files, growpart, resizefs, mounts, set_hostname, update_etc_hosts, ca_certs, users_groups, ssh]
cloud_config_modules: [runcmd]
cloud_final_modules: [write_files_deferred, scripts_user]
ssh_genkeytypes: [ed25519]
""",
    "etc/default/grub": """\
# Read by update-grub, which each new kernel calls.
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX="console=ttyS0"
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_TERMINAL=console
GRUB_DISABLE_OS_PROBER=true
GRUB_DISABLE_RECOVERY=true
""",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    "etc/fstab": "LABEL=root / ext4 rw,relatime 0 1\n",
    # A tenth of the usual initial RAM disk: the drivers of a qemu machine's disk, instead of all there are.
    "etc/initramfs-tools/conf.d/lobsterpot": "MODULES=list\n",
    "usr/share/initramfs-tools/modules.d/lobsterpot": "virtio_pci\nvirtio_blk\nvirtio_scsi\nsd_mod\next4\n",
    "etc/ssh/sshd_config.d/60-lobsterpot-image.conf": """\
# From the first second on; the role ssh says the rest.
PasswordAuthentication no
KbdInteractiveAuthentication no
""",
}

# What costs time at each boot and does nothing for a virtual server.
MASKED = (
    "system/cloud-init-hotplugd.socket",
    "system/e2scrub_reap.service",
    "system/grub-common.service",
    "system/proc-sys-fs-binfmt_misc.automount",
    "system/systemd-binfmt.service",
    "system-generators/systemd-ssh-generator",
)

# Until the first new kernel calls update-grub; Debian keeps the two links on the newest kernel.
_GRUB_CFG = """\
set timeout=0
menuentry Debian {
  linux /vmlinuz root=LABEL=root ro console=ttyS0
  initrd /initrd.img
}
"""

# Runs inside the new system. Debian ships a hundred AppArmor profiles of programs it does not ship, most of them "unconfined" or
# "complain", which hold nothing back on Debian's kernel. Compiling them takes the emulated machine most of a minute. Those that
# confine something stay.
_FINISH = f"""\
systemctl --quiet enable systemd-networkd.service systemd-resolved.service
systemctl --quiet disable systemd-networkd-wait-online.service
passwd --quiet --lock root
rm -f /etc/ssh/ssh_host_*
mkdir -p /boot/grub/i386-pc
cp /usr/lib/grub/i386-pc/*.mod /usr/lib/grub/i386-pc/*.lst /usr/lib/grub/i386-pc/boot.img /boot/grub/i386-pc/
grub-mkimage -O i386-pc -o /boot/grub/i386-pc/core.img -p '(,msdos1)/boot/grub' biosdisk part_msdos ext2
printf %s {shlex.quote(_GRUB_CFG)} >/boot/grub/grub.cfg
cd /etc/apparmor.d
for file in $(grep -lsE '^ *profile ' *); do
  grep -E '^ *profile ' "$file" | grep -qvE 'flags=[(][^)]*(unconfined|complain)' || ln -s "/etc/apparmor.d/$file" disable/
done
"""

# ext4 as every GRUB since 2.04 reads it, whatever today's mke2fs would choose.
_FEATURES = (
    "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,"
    "extra_isize,metadata_csum"
)

# Runs where numbers of users are those of the new system: tree.tar becomes disk.raw, with the archives that the file `unpack` lists.
# Device nodes stay behind: the kernel makes them at boot, and only the real root could here. The disk: GRUB's boot code in the MBR, its
# core image from sector 1 on, where the boot code looks for it, and one partition from 1 MiB on.
_ASSEMBLE = f"""\
set -eu
PATH=$PATH:/usr/sbin:/sbin
trap 'rm -rf root' EXIT
trap 'exit 1' HUP INT TERM
mkdir root
tar -C root --exclude='./dev/*' --numeric-owner --xattrs --xattrs-include='*' -xpf tree.tar
rm -f tree.tar root/etc/hostname
ln -sf ../run/systemd/resolve/stub-resolv.conf root/etc/resolv.conf
: >root/etc/machine-id
touch root/etc/.updated root/var/.updated
umask 022
while read -r archive folder; do
  mkdir -p "root$folder"
  tar -C "root$folder" --zstd --no-same-owner -xpf "$archive"
done <unpack
size=$(($(du -sm --apparent-size root | cut -f 1) * 5 / 4 + 512))
truncate -s $((size + 1))M disk.raw
echo 'start=2048, type=83, bootable' | sfdisk -q disk.raw
dd if=root/boot/grub/i386-pc/boot.img of=disk.raw bs=440 count=1 conv=notrunc status=none
dd if=root/boot/grub/i386-pc/core.img of=disk.raw bs=512 seek=1 conv=notrunc status=none
mke2fs -q -t ext4 -O {_FEATURES} -L root -m 1 -E offset=1048576,root_owner=0:0,lazy_itable_init=0 -d root disk.raw ${{size}}M
"""

_HELPER = ["mmdebstrap", "--unshare-helper"]
ASSEMBLE = [*_HELPER, "sh", "-c", _ASSEMBLE]
# What a build that was killed leaves belongs to the new system's users: it takes them to remove it.
CLEAR = [*_HELPER, "rm", "-rf", "root"]


def overlay() -> bytes:
    """Return a tar archive of the files that the image has beside its packages' own, all root's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.mode, info.size = 0o644, len(content.encode())
            tar.addfile(info, io.BytesIO(content.encode()))
        for unit in MASKED:
            info = tarfile.TarInfo(f"etc/systemd/{unit}")
            info.type, info.linkname = tarfile.SYMTYPE, "/dev/null"
            tar.addfile(info)
    return buffer.getvalue()


def build_command(suite: str, packages: Sequence[str], arch: str, mirror: str) -> list[str]:
    """Return the mmdebstrap call that writes the system to `tree.tar`; `overlay.tar` lies in the working directory.

    Source: mmdebstrap(1). `mirror` is a URL, or one-line entries of a sources.list, or empty.
    """
    command = ["mmdebstrap", "--quiet", "--mode=unshare", "--variant=minbase", f"--architectures={DEBIAN_ARCHES[arch]}"]
    command += [f"--include={','.join(sorted({*PACKAGES, *packages}))}", '--aptopt=Acquire::Languages "none"']
    command += WITHOUT_DOCUMENTATION  # nobody sits at this machine
    command += ["--essential-hook=tar-in overlay.tar /", f'--customize-hook=chroot "$1" sh -euc {shlex.quote(_FINISH)}']
    return [*command, suite, "tree.tar", *mirror.splitlines()]


def image_id(suite: str, packages: Sequence[str], arch: str, unpack: Mapping[str, str]) -> str:
    """Name a made image after its definition: suite, architecture, and 12 hexadecimal digits. The mirror does not count.

    `unpack`: folder in the image to the archive that is unpacked there, which is named after its content.
    """
    archives = sorted((folder, Path(archive).name) for folder, archive in unpack.items())
    definition = json.dumps([build_command(suite, packages, arch, ""), ASSEMBLE, hashlib.sha256(overlay()).hexdigest(), archives])
    return f"{suite}-{arch}-{hashlib.sha256(definition.encode()).hexdigest()[:12]}"


def ubuntu_image(release: str, arch: str, mirror: str) -> tuple[str, str]:
    """Return the URL of the folder that holds a release's images, their checksums and the signature, and the image's name in it.

    Source: https://cloud-images.ubuntu.com/releases/24.04/release/
    """
    return f"{(mirror or UBUNTU).rstrip('/')}/{release}/release", f"ubuntu-{release}-server-cloudimg-{DEBIAN_ARCHES[arch]}.img"


def listed(checksums: str, name: str) -> str:
    """Return the SHA-256 that a list names for a file. Format: sha256sum(1), binary mode or text mode."""
    match = re.search(rf"^([0-9a-f]{{64}}) [ *]{re.escape(name)}$", checksums, re.MULTILINE)
    if not match:
        raise LobsterpotError(f"The signed list of checksums, SHA256SUMS, does not name {name}.")
    return match[1]


def check_sha256(image: str, digest: str) -> str:
    """Return what was given as SHA-256, in small letters. Whoever names a file of their own must say which bytes they mean."""
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", digest):
        said = f"{digest!r} is none" if digest else "it is missing"
        raise LobsterpotError(f"sha256: an image of your own ({image}) needs its SHA-256, 64 hexadecimal digits; {said}.")
    return digest.lower()


def check_suite(suite: str) -> None:
    """Refuse what is no release: it becomes part of file names and of a URL."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", suite):
        raise LobsterpotError(f"suite: {suite!r} is no release. Write a name such as trixie, or for ubuntu a number such as 24.04.")


def check_qcow2(name: str, head: bytes) -> None:
    """Refuse a file that is no qcow2, or one that would make qemu read another file of this computer.

    Format: the first 80 bytes as in qemu's docs/interop/qcow2.txt: magic, backing file's name at 8, incompatible features at 72.
    """
    if head[:4] != b"QFI\xfb":
        raise LobsterpotError(f"{name} is not a qcow2 image. To convert one: qemu-img convert -O qcow2 {name} IMAGE.qcow2")
    external_data = head[4:8] != bytes((0, 0, 0, 2)) and head[79] & 4
    if any(head[8:16]) or external_data:
        raise LobsterpotError(
            f"{name} is not a whole image: its content is in another file. To join them: qemu-img convert -O qcow2 {name} IMAGE.qcow2"
        )


def download(url: str, target: Path) -> str:
    """Fetch a file, whole, and return its SHA-256."""
    digest, size = hashlib.sha256(), 0
    try:
        with open_url(url, timeout=limits.DOWNLOAD_SILENCE, decompress=False) as answer, target.open("wb") as stream:
            announced = int(answer.headers.get("Content-Length") or -1)
            while chunk := answer.read(2**20):
                digest.update(chunk)
                size += stream.write(chunk)
    except (OSError, ValueError, http.client.HTTPException, NoConnection) as error:
        late = isinstance(getattr(error, "reason", error), TimeoutError)
        words = limits.waited(limits.DOWNLOAD_SILENCE, "more of it came") if late else error
        raise LobsterpotError(f"{url} could not be downloaded: {words}") from error
    if announced not in (-1, size):
        raise LobsterpotError(f"{url} could not be downloaded: the connection ended after {size} of {announced} bytes")
    return digest.hexdigest()


def compare(name: str, expected: str, found: str) -> None:
    """Refuse a file whose SHA-256 is another than expected."""
    if found != expected:
        raise LobsterpotError(f"{name} is not the file it should be: expected SHA-256 {expected}, found {found}. Nothing of it was kept.")
