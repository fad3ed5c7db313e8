# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a qemu machine is started, and what cloud-init is told. Pure; `qemu_machine` does the rest."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.vm import Size

MIB = 2**20

# What a machine's disk takes before anybody uses it, and its golden image.
LEAST_FREE = 6 * 2**30
LEAST_MEMORY = 2**30

# One guest behind one router, as `run_vm.py` knows them; a hardware address of qemu's own range.
GUEST, ROUTER, RESOLVER = "10.0.2.15", "10.0.2.2", "10.0.2.3"
MAC = "52:54:00:12:34:56"

# qemu's name of the machine that emulates, by our name of the architecture; and its firmware, where it needs one.
EMULATORS = {"x64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}
FIRMWARE = {
    "x64": (),
    "arm64": (
        "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd",
        "/opt/homebrew/share/qemu/edk2-aarch64-code.fd",
        "/usr/local/share/qemu/edk2-aarch64-code.fd",
    ),
}

# One thread: with one for each processor, a kernel that rewrites its own code (every Linux) was seen to panic, "Oops: int3".
# And one processor: two would take turns on that thread, and wait for each other.
# The guest's clock counts instructions, a nanosecond each, and the time it idles. It is then as quick as a real machine by its own
# clock, and no deadline inside passes because emulation is slow: the gateway gives a thread five seconds to start, and would give up.
EMULATION = ["-accel", "tcg,thread=single,tb-size=1024", "-icount", "shift=0"]

# All that qemu can emulate, but for "quick" string instructions (erms): they go byte by byte there. Without, copying memory took a third of
# the time.
EMULATED = {"x64": "max,erms=off", "arm64": "max"}

# What qemu itself may no longer do once it runs: qemu(1), -sandbox.
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def qemu_command(arch: str, *, accelerator: str, cpus: int, memory: int, firmware: str, network: str, port: int) -> list[str]:
    """Return qemu's command line: two disks, one network card, a source of randomness, a serial line, and no other device.

    `memory` in bytes. `{net}` and `{console}` stand for sockets that the runner fills in. Source: qemu(1) 7.2.
    """
    machine = {"x64": "q35,usb=off,vmport=off,smbus=off", "arm64": "virt"}[arch]
    command = [EMULATORS[arch], "-nodefaults", "-no-user-config", "-display", "none"]
    emulated = [*EMULATION, "-cpu", EMULATED[arch], "-smp", "1"]
    command += ["-machine", machine, *(emulated if accelerator == "tcg" else ["-accel", accelerator, "-cpu", "host", "-smp", str(cpus)])]
    command += ["-m", str(memory // MIB), "-sandbox", SANDBOX]
    if firmware:
        command += ["-bios", firmware]
    command += ["-drive", "file=disk.qcow2,if=none,id=disk,format=qcow2,discard=unmap", "-device", "virtio-blk-pci,drive=disk"]
    command += ["-drive", "file=seed.iso,if=none,id=seed,format=raw,readonly=on", "-device", "virtio-blk-pci,drive=seed"]
    if network == "passt":
        command += ["-netdev", "stream,id=net,server=off,addr.type=fd,addr.str={net}"]
    else:
        command += ["-netdev", f"user,id=net,ipv6=off,hostfwd=tcp:127.0.0.1:{port}-{GUEST}:22"]
    command += ["-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile="]
    command += ["-device", "virtio-rng-pci"]
    command += ["-chardev", "socket,id=console,fd={console}", "-serial", "chardev:console"]
    return [*command, "-qmp", "unix:qmp.sock,server=on,wait=off"]


def passt_command(port: int) -> list[str]:
    """Return passt's command line: one guest, IPv4, this computer's port on loopback to the guest's SSH, no way back to loopback.

    Source: passt(1) of 2023-03 and later.
    """
    command = ["passt", "--foreground", "--quiet", "--one-off", "--ipv4-only", "--no-map-gw", "--udp-ports", "none"]
    command += ["--address", GUEST, "--netmask", "24", "--gateway", ROUTER, "--dns-forward", RESOLVER]
    return [*command, "--tcp-ports", f"127.0.0.1/{port}:22", "--fd", "{net}"]


def seed_documents(name: str, instance: str, user_data: str) -> dict[str, bytes]:
    """Return the files of a NoCloud seed by name. `instance` changes when the machine is another.

    Source: https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html and .../network-config-format-v2.html
    """
    network = {
        "version": 2,
        "ethernets": {
            "lan": {
                "match": {"macaddress": MAC},
                "addresses": [f"{GUEST}/24"],
                "routes": [{"to": "0.0.0.0/0", "via": ROUTER}],
                "nameservers": {"addresses": [RESOLVER]},
            }
        },
    }
    meta = {"instance-id": instance, "local-hostname": name}
    documents = {"user-data": user_data, "meta-data": json.dumps(meta), "network-config": json.dumps(network)}
    return {file: content.encode() for file, content in documents.items()}


def missing_tools(system: str, arch: str, network: str, found: Sequence[str]) -> str:
    """Say what to install when a program is missing; nothing when all are there."""
    emulator = EMULATORS[arch]
    wanted = [emulator, "qemu-img", *(["passt"] if network == "passt" else [])]
    missing = [name for name in wanted if name not in found]
    if not missing:
        return ""
    if system == "Darwin":
        return f"{', '.join(missing)} not found. Install multipass, which is the better choice on macOS: brew install --cask multipass"
    packages = {
        emulator: {"x64": "qemu-system-x86", "arm64": "qemu-system-arm qemu-efi-aarch64"}[arch],
        "qemu-img": "qemu-utils",
        "passt": "passt",
    }
    return (
        f"{', '.join(missing)} not found. To make a virtual machine, install multipass (snap install multipass), or qemu. "
        f"On Debian and Ubuntu: apt install {' '.join(packages[name] for name in missing)}"
    )


def check_network(system: str, network: str) -> None:
    """Refuse a network that the system does not have."""
    if network == "passt" and system != "Linux":
        raise LobsterpotError(
            "vm_network: passt, which keeps the machine away from this computer's loopback, exists for Linux only. Use multipass; or set "
            "vm_network to user if a machine that was broken into may reach what listens on this computer's loopback."
        )


def firmware(arch: str, exists: Callable[[str], bool]) -> str:
    """Return the file of the firmware that a machine needs; empty where qemu brings its own. Without it, nothing would ever start."""
    found = next((path for path in FIRMWARE[arch] if exists(path)), "")
    if FIRMWARE[arch] and not found:
        raise LobsterpotError(f"The firmware of {arch} machines was not found. On Debian and Ubuntu: apt install qemu-efi-aarch64")
    return found


def check_reach(reach: Iterable[str]) -> None:
    """Refuse what the gate could not read. It would not start, and the machine would have no network."""
    for net in reach:
        try:
            ipaddress.IPv4Network(net)
        except ValueError as error:
            raise LobsterpotError(f"vm_reach: {net!r} is no IPv4 address or network ({error}).") from error


def check_room(wanted: Size, memory: int) -> None:
    """Refuse a machine that has too little, or more memory than there is. `memory` of this computer, in bytes."""
    if not LEAST_MEMORY <= wanted.memory <= memory or wanted.cpus < 1:
        raise LobsterpotError(
            f"vm_memory, vm_cpus: this computer has {memory // MIB} MiB of memory. "
            "Give the machine 1 GiB or more of it, and a processor or more."
        )


def disk_size(image: Path) -> int:
    """Return the size in bytes of the disk that a qcow2 image holds; 0 of what is no such image. Format: docs/interop/qcow2.txt of qemu."""
    if not image.is_file():
        return 0
    with image.open("rb") as file:
        header = file.read(32)
    return int.from_bytes(header[24:32], "big") if header[:4] == b"QFI\xfb" else 0


def check_disk(wanted: int, least: int) -> None:
    """Refuse a disk that the image does not fit on. Both in bytes."""
    if wanted < least:
        raise LobsterpotError(f"vm_disk: {wanted // MIB} MiB is less than the image's disk has, {least // MIB} MiB. Give it at least that.")


def check_space(place: str, free: int) -> None:
    """Refuse to begin what would fill a disk. `free` in bytes."""
    if free < LEAST_FREE:
        raise LobsterpotError(
            f"{place} has {free // MIB} MiB free; a machine needs {LEAST_FREE // MIB} MiB. Make room, or set vm_directory."
        )
