# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a qemu machine is started, what cloud-init is told, and what is refused before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils.lobsterpot import qemu
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from ansible.module_utils.lobsterpot.qemu_machine import Machine
from ansible.module_utils.lobsterpot.vm import Size
from hypothesis import given
from hypothesis import strategies as st


def command(arch: str = "x64", accelerator: str = "tcg", network: str = "passt", firmware: str = "") -> list[str]:
    return qemu.qemu_command(arch, accelerator=accelerator, cpus=2, memory=4294967296, firmware=firmware, network=network, port=40022)


X64_TCG = """
qemu-system-x86_64 -nodefaults -no-user-config -display none
-machine q35,usb=off,vmport=off,smbus=off -accel tcg,thread=single,tb-size=1024 -icount shift=0 -cpu max,erms=off -smp 1 -m 4096
-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny
-drive file=disk.qcow2,if=none,id=disk,format=qcow2,discard=unmap -device virtio-blk-pci,drive=disk
-drive file=seed.iso,if=none,id=seed,format=raw,readonly=on -device virtio-blk-pci,drive=seed
-netdev stream,id=net,server=off,addr.type=fd,addr.str={net} -device virtio-net-pci,netdev=net,mac=52:54:00:12:34:56,romfile=
-device virtio-rng-pci
-chardev socket,id=console,fd={console} -serial chardev:console
-qmp unix:qmp.sock,server=on,wait=off
"""


def test_command_line() -> None:
    """The whole of it: whatever is added, a device, a folder, a port, is added here, too, by somebody who meant it."""
    assert command() == X64_TCG.split()


@pytest.mark.parametrize(
    ("arch", "accelerator", "network", "firmware", "changed"),
    [
        ("x64", "kvm", "passt", "", {"-accel": "kvm", "-icount": "", "-cpu": "host", "-smp": "2"}),
        ("x64", "hvf", "passt", "", {"-accel": "hvf", "-icount": "", "-cpu": "host", "-smp": "2"}),
        ("x64", "tcg", "user", "", {"-netdev": "user,id=net,ipv6=off,hostfwd=tcp:127.0.0.1:40022-10.0.2.15:22"}),
        ("arm64", "tcg", "passt", "/fw/QEMU_EFI.fd", {"-machine": "virt", "-cpu": "max", "-bios": "/fw/QEMU_EFI.fd"}),
    ],
)
def test_other_machines_differ_in_this_only(arch: str, accelerator: str, network: str, firmware: str, changed: dict[str, str]) -> None:
    """No accelerator, architecture or network brings another device with it, or takes the sandbox away."""
    words = X64_TCG.split()
    for option, value in changed.items():
        if not value:
            del words[words.index(option) : words.index(option) + 2]
        elif option in words:
            words[words.index(option) + 1] = value
        else:
            at = words.index("-drive")
            words[at:at] = [option, value]
    words[0] = {"x64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}[arch]
    assert command(arch, accelerator, network, firmware) == words


@given(st.sampled_from(["x64", "arm64"]), st.sampled_from(["tcg", "kvm", "hvf"]), st.sampled_from(["passt", "user"]))
def test_devices(arch: str, accelerator: str, network: str) -> None:
    """Two disks, a network card, a source of randomness; no folder, USB, sound, display, or port for all the world."""
    words = command(arch, accelerator, network)
    devices = [words[at + 1].split(",")[0] for at, word in enumerate(words) if word == "-device"]
    assert devices == ["virtio-blk-pci", "virtio-blk-pci", "virtio-net-pci", "virtio-rng-pci"]
    assert {"-nodefaults", "-no-user-config", "-sandbox"} <= set(words)
    assert not {"-virtfs", "-fsdev", "-usb", "-vnc", "-monitor", "-gdb", "-s", "-hda", "-nic", "-net"} & set(words)
    assert not [word for word in words if "smb" in word.replace("smbus", "") or "hostfwd=tcp::" in word or "hostfwd=tcp:0" in word]


def test_passt() -> None:
    """The whole of it: IPv4, one guest, no way back to loopback, and one port of loopback that leads in."""
    expected = """
    passt --foreground --quiet --one-off --ipv4-only --no-map-gw --udp-ports none
    --address 10.0.2.15 --netmask 24 --gateway 10.0.2.2 --dns-forward 10.0.2.3
    --tcp-ports 127.0.0.1/40022:22 --fd {net}
    """
    assert qemu.passt_command(40022) == expected.split()


def test_gate_and_machine_agree() -> None:
    """The gate judges by the addresses that the guest is given: another number here would close or open everything."""
    from roles.vm.files import run_vm  # noqa: PLC0415

    assert (run_vm.GUEST, run_vm.ROUTER, run_vm.RESOLVER) == (0x0A00020F, 0x0A000202, 0x0A000203)
    assert (qemu.GUEST, qemu.ROUTER, qemu.RESOLVER) == ("10.0.2.15", "10.0.2.2", "10.0.2.3")


def test_seed_documents() -> None:
    """What cloud-init reads: the text as it is, an instance that makes it run again for a new machine, an address without DHCP."""
    documents = qemu.seed_documents("pot", "5d3c", "#cloud-config\nhostname: pöt\n")
    assert documents.pop("user-data").decode() == "#cloud-config\nhostname: pöt\n"
    assert {name: json.loads(text) for name, text in documents.items()} == {
        "meta-data": {"instance-id": "5d3c", "local-hostname": "pot"},
        "network-config": {
            "version": 2,
            "ethernets": {
                "lan": {
                    "match": {"macaddress": "52:54:00:12:34:56"},
                    "addresses": ["10.0.2.15/24"],
                    "routes": [{"to": "0.0.0.0/0", "via": "10.0.2.2"}],
                    "nameservers": {"addresses": ["10.0.2.3"]},
                }
            },
        },
    }


WAYS = "To make a virtual machine, install multipass (snap install multipass), or qemu. On Debian and Ubuntu: apt install"


@pytest.mark.parametrize(
    ("system", "arch", "network", "found", "said"),
    [
        ("Linux", "x64", "passt", ["qemu-system-x86_64", "qemu-img", "passt"], ""),
        ("Linux", "x64", "user", ["qemu-system-x86_64", "qemu-img"], ""),
        ("Linux", "x64", "passt", ["qemu-system-x86_64", "qemu-img"], f"passt not found. {WAYS} passt"),
        (
            "Linux",
            "x64",
            "passt",
            ["qemu-system-aarch64", "passt"],
            f"qemu-system-x86_64, qemu-img not found. {WAYS} qemu-system-x86 qemu-utils",
        ),
        (
            *("Linux", "arm64", "passt", ["qemu-img", "passt"]),
            f"qemu-system-aarch64 not found. {WAYS} qemu-system-arm qemu-efi-aarch64",
        ),
        (
            *("Darwin", "arm64", "user", ["qemu-system-aarch64"]),
            "qemu-img not found. Install multipass, which is the better choice on macOS: brew install --cask multipass",
        ),
    ],
)
def test_missing_tools(system: str, arch: str, network: str, found: list[str], said: str) -> None:
    """A command to copy, with what is missing and nothing else."""
    assert qemu.missing_tools(system, arch, network, found) == said


def refusal(call: object) -> str:
    assert callable(call)
    with pytest.raises(LobsterpotError) as error:
        call()
    return str(error.value)


def test_network_of_a_system() -> None:
    """Without passt nothing keeps a guest from loopback: nobody gets that without having said so."""
    qemu.check_network("Linux", "passt")
    qemu.check_network("Linux", "user")
    qemu.check_network("Darwin", "user")
    assert refusal(lambda: qemu.check_network("Darwin", "passt")).startswith("vm_network: passt, which keeps the machine away from")


def test_firmware() -> None:
    """An arm64 machine without firmware would run and never say a word: it is refused before."""
    assert qemu.firmware("x64", lambda _path: False) == ""
    assert qemu.firmware("arm64", lambda path: path.startswith("/opt/")) == "/opt/homebrew/share/qemu/edk2-aarch64-code.fd"
    assert refusal(lambda: qemu.firmware("arm64", lambda _path: False)) == (
        "The firmware of arm64 machines was not found. On Debian and Ubuntu: apt install qemu-efi-aarch64"
    )


@pytest.mark.parametrize("net", ["", "model.lan", "fd00::/8", "10.0.0.0/33", "10.0.0.1/8", "10.0.0", "*"])
def test_reach(net: str) -> None:
    """What the gate cannot read would leave the machine without network, and nobody would know why."""
    qemu.check_reach(["192.168.1.20", "10.0.0.0/8"])
    assert refusal(lambda: qemu.check_reach(["192.168.1.20", net])).startswith(f"vm_reach: {net!r} is no IPv4 address or network (")


GIB = 1073741824


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Size(1, GIB, GIB), True),
        (Size(8, 8 * GIB, GIB), True),
        (Size(2, 8 * GIB + 1, GIB), False),
        (Size(2, GIB - 1, GIB), False),
        (Size(0, GIB, GIB), False),
        (Size(-1, GIB, GIB), False),
    ],
)
def test_room(wanted: Size, fits: bool) -> None:
    """A machine that swaps its host to death, or that cannot boot, is refused; the numbers are in the message."""
    if fits:
        qemu.check_room(wanted, 8 * GIB)
        return
    assert refusal(lambda: qemu.check_room(wanted, 8 * GIB)) == (
        "vm_memory, vm_cpus: this computer has 8192 MiB of memory. Give the machine 1 GiB or more of it, and a processor or more."
    )


def test_space() -> None:
    """What a machine takes before anybody uses it must be there."""
    qemu.check_space("/home", 6442450944)
    assert refusal(lambda: qemu.check_space("/home", 6442450943)) == (
        "/home has 6143 MiB free; a machine needs 6144 MiB. Make room, or set vm_directory."
    )


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\x1b[1;31mred\x1b[0m\n", "red"),
        (b"\x1b]0;rm -rf\x07title\x1b]8;;http://x\x1b\\link\n", "titlelink"),
        (b"\x1bP+q544e\x1b\\dcs \x1bcreset \x1b(Bset\n", "dcs reset set"),
        (b"a\x08b\x00c\x9b2Jd\n", "a b c\ufffd2Jd"),
        ("left\u202eright\u200b\n".encode(), "left right"),
        (b"one\r\n\r\n  \r\ntwo\r\n", "one\ntwo"),
        (b"", "(nothing)"),
        (b"\x1b[2J\n", "(nothing)"),
    ],
)
def test_last_lines(tmp_path: Path, raw: bytes, shown: str) -> None:
    """A guest writes its console: what it says is shown to the operator, what a terminal would act on is not."""
    (tmp_path / "console.log").write_bytes(raw)
    assert Machine(str(tmp_path)).last_lines("console.log") == shown


@given(st.binary(max_size=300))
def test_no_console_reaches_the_terminal(raw: bytes) -> None:
    """Whatever its bytes, every character that comes out is one to be seen."""
    machine = Machine("/nonexistent")
    machine.path = Fake(raw)
    assert all(char.isprintable() or char == "\n" for char in machine.last_lines("console.log"))


class Fake:
    """A folder whose every file holds the same."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __truediv__(self, _name: str) -> Fake:
        return self

    def read_bytes(self) -> bytes:
        return self.raw
