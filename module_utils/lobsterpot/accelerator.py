# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which accelerator of qemu a machine runs with, and what the user is told when there is none. Pure; `qemu_machine` reads the facts."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

# What an install takes under emulation, as measured. README.md and docs/vm.md say it in the same words; a test compares them.
DURATION = "15 to 21 minutes on an idle computer with two processors, and up to 48 minutes beside other work"

# Columns of a message: a terminal has 80.
WIDTH = 79

# What stands in the way of hardware virtualisation; empty when nothing does.
Obstacle = Literal["", "architecture", "system", "processor", "missing", "denied", "dead"]

# The kernel's module for each processor that can virtualise, by its flag in /proc/cpuinfo.
MODULES = {"vmx": "kvm_intel", "svm": "kvm_amd"}


@dataclass(frozen=True)
class Controller:
    """The computer that runs machines: platform.system(), its architecture in our words, and what its processor and kernel offer.

    `kvm` is the state of /dev/kvm: `open` (it answers this user), `denied` (its mode refuses this user), `dead` (it exists and does not
    work), or `missing`.
    """

    system: str
    arch: str
    cpu_flags: frozenset[str]
    kvm: Literal["open", "denied", "dead", "missing"]

    def obstacle(self, guest: str) -> Obstacle:
        """Return what stands in the way of hardware virtualisation for a guest of this architecture.

        The processor comes before the device: in a virtual machine /dev/kvm may open and then hang the guest.
        """
        if guest != self.arch:
            return "architecture"
        if self.system == "Darwin":
            return ""
        if self.system != "Linux":
            return "system"
        if self.arch == "x64" and not self.cpu_flags & MODULES.keys():
            return "processor"
        return "" if self.kvm == "open" else self.kvm

    def accelerator(self, guest: str) -> str:
        """Return qemu's accelerator for a guest of this architecture: `kvm`, `hvf` (macOS) or `tcg`, which is emulation."""
        if self.obstacle(guest):
            return "tcg"
        return "hvf" if self.system == "Darwin" else "kvm"


def reason(computer: Controller, guest: str) -> str:
    """Say in half a line why the machine is emulated."""
    absent = "this computer has no /dev/kvm"
    broken = "/dev/kvm exists but does not work"
    return {
        "": "",
        "architecture": f"it is {guest}, this computer is {computer.arch}",
        "system": f"{computer.system} has no KVM",
        "processor": absent if computer.kvm == "missing" else broken,
        "missing": absent,
        "denied": "you may not open /dev/kvm",
        "dead": broken,
    }[computer.obstacle(guest)]


def remedy(computer: Controller, guest: str) -> list[str]:
    """Say what the user can do to have KVM on this computer: sentences, and commands, which begin with a space."""
    nested = "turn on nested virtualisation on the host that runs it, then shut it down and start it again."
    obstacle = computer.obstacle(guest)
    if obstacle == "processor":
        lacks = "The processor offers no virtualisation (neither vmx nor svm in /proc/cpuinfo)."
        if "hypervisor" in computer.cpu_flags:
            return [lacks, f"This computer is a virtual machine itself. To use KVM in it, {nested}"]
        return [lacks, "To use KVM here, turn on virtualisation (Intel VT-x, AMD-V) in the firmware's setup."]
    if obstacle == "denied":
        return ["To use KVM here, join the group kvm, then log out and in again:", '    sudo usermod --append --groups kvm "$USER"']
    if obstacle not in ("missing", "dead"):
        return []
    modules = [module for flag, module in MODULES.items() if flag in computer.cpu_flags]
    if not modules:  # arm64, where KVM is a part of the kernel
        return [f"To use KVM here, run a kernel that has it. If this computer is a virtual machine itself, {nested}"]
    return [
        "To use KVM here, load its kernel module. If that is refused, turn on virtualisation in the firmware's setup. "
        "A container needs the device of its host.",
        f"    sudo modprobe {modules[0]}",
    ]


def notice(computer: Controller, guest: str) -> str:
    """Tell the user, before a machine is made or started, that it will be emulated; empty when it will not."""
    if not computer.obstacle(guest):
        return ""
    said = [
        f"The machine will be emulated: {reason(computer, guest)}.",
        f"An install takes {DURATION}.",
        *remedy(computer, guest),
        "Quicker: a computer with KVM, or a server that you reach by SSH:",
        "    ./install.sh HOST",
    ]
    return "\n".join(line if line.startswith(" ") else textwrap.fill(line, WIDTH) for line in said)
