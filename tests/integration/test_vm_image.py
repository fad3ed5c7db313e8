# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One real base image, made from Debian's archive, and what lies in its file system. That it boots, the VM scenario shows."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import ROOT


class Disk:
    """The made disk, raw, read with debugfs: no mount, so no root."""

    def __init__(self, raw: Path) -> None:
        self.raw = raw

    def ask(self, request: str) -> str:
        done = subprocess.run(
            ["debugfs", "-R", request, f"{self.raw}?offset=1048576"],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "DEBUGFS_PAGER": "cat"},
        )
        # Its first line on stderr is its version; any other is a complaint.
        complaints = [line for line in done.stderr.splitlines() if not line.startswith("debugfs ")]
        assert not complaints, complaints
        return done.stdout

    def names(self, folder: str) -> list[str]:
        """What a folder holds. Format of `ls -p`: /inode/mode/uid/gid/name/size/."""
        entries = [line.split("/") for line in self.ask(f"ls -p {folder}").splitlines() if line]
        return sorted(entry[5] for entry in entries if entry[5] not in ("", ".", ".."))

    def text(self, path: str) -> str:
        return self.ask(f"cat {path}")

    def stat(self, path: str) -> str:
        return self.ask(f"stat {path}")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """Made as the role does, into a cache of its own: a cached image would show how it was made some other day."""
    folder = tmp_path_factory.mktemp("vm-image")
    release = folder / "release-1.tar.zst"
    (folder / "program").write_text("v1")
    (folder / "program").chmod(0o755)
    owned = ["--owner=1234", "--group=1234"]  # whoever packed it
    subprocess.run(["tar", "--zstd", *owned, "-cf", str(release), "-C", str(folder), "program"], check=True)
    arguments: dict[str, object] = {"image": "bootstrap", "packages": ["zstd"], "arch": "x64", "cache_dir": str(folder)}
    arguments["unpack"] = {"/opt/openclaw/releases/1": str(release)}
    command = ["ansible", "localhost", "-i", "localhost,", "-c", "local", "-m", "vm_image", "-a", json.dumps(arguments)]
    command += ["-e", "ansible_python_interpreter={{ ansible_playbook_python }}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-500:]
    (image,) = folder.glob("vm-trixie-x64-*.qcow2")
    raw = folder / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(image), str(raw)], check=True)
    yield Disk(raw)
    raw.unlink()
    image.unlink()


def test_no_identity_is_shared(disk: Disk) -> None:
    """Two machines from one image must not hold one another's host keys or be the same machine to the network."""
    assert [name for name in disk.names("/etc/ssh") if name.startswith("ssh_host_")] == []
    assert disk.text("/etc/machine-id") == ""
    assert "hostname" not in disk.names("/etc")
    assert "random-seed" not in disk.names("/var/lib/systemd")


def test_nobody_can_log_in_before_the_seed(disk: Disk) -> None:
    """Root is locked, no account has a password, and sshd takes none from its first second on."""
    passwords = {line.split(":")[0]: line.split(":")[1] for line in disk.text("/etc/shadow").splitlines()}
    assert passwords.pop("root") == "!*"
    assert set(passwords.values()) <= {"*", "!", "!*"}
    assert disk.text("/etc/ssh/sshd_config.d/60-lobsterpot-image.conf").splitlines()[1:] == [
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
    ]


def test_it_can_boot(disk: Disk) -> None:
    """A BIOS finds boot code and an active partition; GRUB its core, its modules and a kernel; the kernel its root."""
    head = disk.raw.open("rb").read(1024)
    assert (head[510:512], head[446], head[450]) == (b"\x55\xaa", 0x80, 0x83)
    assert int.from_bytes(head[454:458], "little") == 2048
    assert b"GRUB " in head[:440]
    assert any(head[512:1024])
    assert {"boot.img", "core.img", "linux.mod", "normal.mod"} <= set(disk.names("/boot/grub/i386-pc"))
    kernel = [name for name in disk.names("/boot") if name.startswith(("vmlinuz-", "initrd.img-"))]
    assert len(kernel) == 2
    assert f'Fast link dest: "boot/{kernel[1]}"' in disk.stat("/vmlinuz")
    assert f'Fast link dest: "boot/{kernel[0]}"' in disk.stat("/initrd.img")
    assert "linux /vmlinuz root=LABEL=root ro console=ttyS0" in disk.text("/boot/grub/grub.cfg")
    assert disk.text("/etc/fstab") == "LABEL=root / ext4 rw,relatime 0 1\n"


def test_new_kernels_take_effect(disk: Disk) -> None:
    """A kernel with a security fix is booted next: its package calls update-grub, which knows the serial console."""
    assert "zz-update-grub" in disk.names("/etc/kernel/postinst.d")
    assert 'GRUB_CMDLINE_LINUX="console=ttyS0"\n' in disk.text("/etc/default/grub")


def test_units_are_as_meant(disk: Disk) -> None:
    """The network comes up with networkd and resolved, without waiting; updates by themselves stay possible."""
    assert {"systemd-networkd.service", "systemd-resolved.service", "ssh.service"} <= set(
        disk.names("/etc/systemd/system/multi-user.target.wants") + disk.names("/etc/systemd/system/sysinit.target.wants")
    )
    assert "network-online.target.wants" not in disk.names("/etc/systemd/system")
    assert {"apt-daily.timer", "apt-daily-upgrade.timer"} <= set(disk.names("/etc/systemd/system/timers.target.wants"))
    assert 'Fast link dest: "../run/systemd/resolve/stub-resolv.conf"' in disk.stat("/etc/resolv.conf")


def test_apparmor_keeps_what_confines(disk: Disk) -> None:
    """Profiles that hold something back are loaded at boot; those of absent programs that hold nothing back are not."""
    disabled = set(disk.names("/etc/apparmor.d/disable"))
    assert {"steam", "slack", "sbuild", "Xorg"} <= disabled
    assert disabled.isdisjoint({"lsb_release", "nvidia_modprobe"})
    assert "apparmor.service" in disk.names("/etc/systemd/system/sysinit.target.wants")


def test_nothing_is_left_over(disk: Disk) -> None:
    """Lists and packages of the build would be dead weight in each machine's base."""
    assert set(disk.names("/var/lib/apt/lists")) <= {"auxfiles", "lock", "partial"}
    assert set(disk.names("/var/cache/apt/archives")) <= {"lock", "partial"}
    assert disk.names("/tmp") == []  # noqa: S108 - the image's
    assert disk.names("/usr/share/man") == []


def test_what_was_asked_for_is_in_it(disk: Disk) -> None:
    """Packages of roles, and the sources of security updates."""
    assert "zstd" in disk.names("/usr/bin")
    sources = [disk.text(f"/etc/apt/sources.list.d/{name}") for name in disk.names("/etc/apt/sources.list.d")]
    sources += [disk.text("/etc/apt/sources.list")] if "sources.list" in disk.names("/etc/apt") else []
    assert "trixie-security" in "".join(sources)


def test_an_archive_is_unpacked_in_it(disk: Disk) -> None:
    """A release is there before the machine is: root's, as if it had been installed."""
    assert disk.text("/opt/openclaw/releases/1/program") == "v1"
    for path in ("/opt/openclaw/releases", "/opt/openclaw/releases/1", "/opt/openclaw/releases/1/program"):
        assert "User:     0   Group:     0" in disk.stat(path)
        assert "Mode:  0755" in disk.stat(path)


def test_owners_are_the_new_systems(disk: Disk) -> None:
    """Made without root, files must still be root's, and programs keep their privileges."""
    assert "User:     0   Group:     0" in disk.stat("/etc/passwd")
    assert "Mode:  04755" in disk.stat("/usr/bin/sudo")
    assert "Mode:  0640" in disk.stat("/etc/shadow")
