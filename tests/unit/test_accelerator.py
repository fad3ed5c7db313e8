# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which accelerator a machine runs with, and what a user without one is told."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.lobsterpot import accelerator, qemu_machine
from ansible.module_utils.lobsterpot.accelerator import Controller, notice

PROJECT = Path(__file__).resolve().parents[2]
VMX, SVM, NEITHER, NONE = frozenset({"fpu", "vmx"}), frozenset({"fpu", "svm"}), frozenset({"fpu", "hypervisor"}), frozenset[str]()
FIRST, TIME, LAST = (
    "The machine will be emulated: ",
    "An install takes 15 to 21 minutes on an idle computer with two processors, and\nup to 48 minutes beside other work.\n",
    "Quicker: a computer with KVM, or a server that you reach by SSH:\n    ./install.sh HOST",
)
NO_PROCESSOR = "The processor offers no virtualisation (neither vmx nor svm in /proc/cpuinfo).\n"
NESTED = (
    "This computer is a virtual machine itself. To use KVM in it, turn on nested\n"
    "virtualisation on the host that runs it, then shut it down and start it again.\n"
)
FIRMWARE = "To use KVM here, turn on virtualisation (Intel VT-x, AMD-V) in the firmware's\nsetup.\n"
MODULE = (
    "To use KVM here, load its kernel module. If that is refused, turn on\n"
    "virtualisation in the firmware's setup. A container needs the device of its\nhost.\n"
    "    sudo modprobe "
)
GROUP = 'To use KVM here, join the group kvm, then log out and in again:\n    sudo usermod --append --groups kvm "$USER"\n'
ARM_KERNEL = (
    "To use KVM here, run a kernel that has it. If this computer is a virtual\n"
    "machine itself, turn on nested virtualisation on the host that runs it, then\nshut it down and start it again.\n"
)


@pytest.mark.parametrize(
    ("computer", "guest", "expected"),
    [
        (("Linux", "x64", VMX, "open"), "x64", "kvm"),
        (("Linux", "x64", SVM, "open"), "x64", "kvm"),
        (("Linux", "x64", NEITHER, "open"), "x64", "tcg"),
        (("Linux", "x64", VMX, "missing"), "x64", "tcg"),
        (("Linux", "x64", VMX, "denied"), "x64", "tcg"),
        (("Linux", "x64", VMX, "dead"), "x64", "tcg"),
        (("Linux", "x64", VMX, "open"), "arm64", "tcg"),
        (("Linux", "arm64", NONE, "open"), "arm64", "kvm"),
        (("Linux", "arm64", NONE, "missing"), "arm64", "tcg"),
        (("Linux", "arm64", NONE, "open"), "x64", "tcg"),
        (("Darwin", "arm64", NONE, "missing"), "arm64", "hvf"),
        (("Darwin", "arm64", NONE, "missing"), "x64", "tcg"),
        (("Darwin", "x64", NONE, "missing"), "x64", "hvf"),
        (("Darwin", "x64", NONE, "missing"), "arm64", "tcg"),
        (("FreeBSD", "x64", VMX, "missing"), "x64", "tcg"),
    ],
)
def test_accelerator(computer: tuple[Any, ...], guest: str, expected: str) -> None:
    """A device /dev/kvm without a processor that can do it hangs the guest: emulation then, and for every other architecture."""
    assert Controller(*computer).accelerator(guest) == expected


@pytest.mark.parametrize(
    ("computer", "guest", "reason", "remedy"),
    [
        (("Linux", "x64", NONE, "missing"), "x64", "this computer has no /dev/kvm", NO_PROCESSOR + FIRMWARE),
        (("Linux", "x64", NEITHER, "missing"), "x64", "this computer has no /dev/kvm", NO_PROCESSOR + NESTED),
        (("Linux", "x64", NEITHER, "open"), "x64", "/dev/kvm exists but does not work", NO_PROCESSOR + NESTED),
        (("Linux", "x64", NEITHER, "denied"), "x64", "/dev/kvm exists but does not work", NO_PROCESSOR + NESTED),
        (("Linux", "x64", NONE, "open"), "x64", "/dev/kvm exists but does not work", NO_PROCESSOR + FIRMWARE),
        (("Linux", "x64", VMX, "missing"), "x64", "this computer has no /dev/kvm", f"{MODULE}kvm_intel\n"),
        (("Linux", "x64", SVM, "missing"), "x64", "this computer has no /dev/kvm", f"{MODULE}kvm_amd\n"),
        (("Linux", "x64", SVM, "dead"), "x64", "/dev/kvm exists but does not work", f"{MODULE}kvm_amd\n"),
        (("Linux", "x64", VMX, "denied"), "x64", "you may not open /dev/kvm", GROUP),
        (("Linux", "arm64", NONE, "denied"), "arm64", "you may not open /dev/kvm", GROUP),
        (("Linux", "arm64", NONE, "missing"), "arm64", "this computer has no /dev/kvm", ARM_KERNEL),
        (("Linux", "arm64", NONE, "open"), "x64", "it is x64, this computer is arm64", ""),
        (("Linux", "riscv64", NONE, "open"), "x64", "it is x64, this computer is riscv64", ""),
        (("Darwin", "arm64", NONE, "missing"), "x64", "it is x64, this computer is arm64", ""),
        (("FreeBSD", "x64", VMX, "missing"), "x64", "FreeBSD has no KVM", ""),
    ],
)
def test_notice(computer: tuple[Any, ...], guest: str, reason: str, remedy: str) -> None:
    """The whole message: why, how long, what to do here, what is quicker. Whoever lacks the processor is not sent to the group."""
    assert notice(Controller(*computer), guest) == f"{FIRST}{reason}.\n{TIME}{remedy}{LAST}"


@pytest.mark.parametrize(
    ("computer", "guest"),
    [
        (("Linux", "x64", VMX, "open"), "x64"),
        (("Linux", "arm64", NONE, "open"), "arm64"),
        (("Darwin", "arm64", NONE, "missing"), "arm64"),
        (("Darwin", "x64", NONE, "missing"), "x64"),
    ],
)
def test_no_notice(computer: tuple[Any, ...], guest: str) -> None:
    """With KVM or macOS's accelerator there is nothing to say."""
    assert notice(Controller(*computer), guest) == ""


def test_every_message_fits_a_terminal() -> None:
    """Message and decision agree for every computer, and no line is longer than 79 columns, Ansible's own prefix included."""
    systems, machines, states = ("Linux", "Darwin", "FreeBSD"), ("x64", "arm64", "riscv64"), ("open", "denied", "dead", "missing")
    for system, arch, flags, state, guest in itertools.product(systems, machines, (VMX, SVM, NEITHER, NONE), states, ("x64", "arm64")):
        computer = Controller(system, arch, flags, state)
        said = notice(computer, guest)
        assert bool(said) is (computer.accelerator(guest) == "tcg")
        assert max(map(len, f"[WARNING]: {said}".splitlines())) <= 79, said


def words(path: str) -> str:
    return " ".join((PROJECT / path).read_text().split())


@pytest.mark.parametrize("path", ["README.md", "docs/vm.md"])
def test_documents_give_the_same_time(path: str) -> None:
    """A user reads one figure, wherever it stands."""
    assert f"takes {accelerator.DURATION}" in words(path)


def test_documents_show_the_message() -> None:
    """The example is what a run prints, and every reason stands in the table."""
    computer = Controller("Linux", "x64", VMX, "denied")
    document = (PROJECT / "docs/vm.md").read_text()
    assert f"```\n[WARNING]: {notice(computer, 'x64')}\n```" in document
    reasons = ["/dev/kvm exists but does not work", "this computer has no /dev/kvm"]
    reasons += ["you may not open /dev/kvm", "it is x64, this computer is riscv64", "FreeBSD has no KVM"]
    assert [reason for reason in reasons if f"\n| `{reason}` | " not in document] == []


@pytest.mark.parametrize(
    "path", ["README.md", "docs/vm.md", "roles/vm/README.md", "roles/vm/defaults/main.yml", "roles/vm/meta/argument_specs.yml"]
)
def test_no_second_figure(path: str) -> None:
    """How many times slower differs from program to program: the time of an install is the figure that helps."""
    assert [word for word in ("times slower", "times as long") if word in words(path)] == []


@pytest.mark.parametrize(
    ("answer", "state"),
    [(12, "open"), (11, "dead"), (OSError(errno.ENOTTY, "Inappropriate ioctl for device"), "dead")],
)
def test_asks_the_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: int | OSError, state: str) -> None:
    """A device that opens is asked for KVM's version: anything can be called /dev/kvm."""
    (tmp_path / "kvm").write_text("")

    def ioctl(_handle: int, request: int) -> int:
        assert request == 0xAE00
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    assert qemu_machine.kvm(str(tmp_path / "kvm")) == state


@pytest.mark.parametrize(
    ("number", "state"),
    [(errno.ENOENT, "missing"), (errno.EACCES, "denied"), (errno.EPERM, "dead"), (errno.ENODEV, "dead"), (errno.ENXIO, "dead")],
)
def test_a_device_that_does_not_open(monkeypatch: pytest.MonkeyPatch, number: int, state: str) -> None:
    """The group helps where the file's mode refuses (EACCES); not in a container without the device (EPERM), nor without a driver."""

    def refuse(*_arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.open", refuse)
    assert qemu_machine.kvm() == state


def test_a_file_is_no_device(tmp_path: Path) -> None:
    """The real calls: a plain file opens and does not answer."""
    (tmp_path / "kvm").write_text("")
    assert (qemu_machine.kvm(str(tmp_path / "kvm")), qemu_machine.kvm(str(tmp_path / "none"))) == ("dead", "missing")
