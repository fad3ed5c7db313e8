# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One qemu machine: its directory, its process, and qemu's monitor."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from . import limits
from .accelerator import Controller
from .errors import LobsterpotError
from .host import MACHINES
from .terminal import printable
from .vm_folder import KEYS, RECORD, VmFolder

# What a machine's folder may hold beside its record and keys, and what a rebuild keeps of it.
PARTS = ("disk.qcow2", "seed.iso", "console.log", "run.log", "lock", "qmp.sock", "run_vm.py", "start.service")
GOLDEN = ("base.qcow2", "golden.qcow2", "golden.new")
KEPT = (*GOLDEN, f"{RECORD}.new", RECORD, "")

CONSOLE_LINES = 15

# Source: Documentation/virt/kvm/api.rst of Linux; the version has been 12 since 2.6.22.
KVM_GET_API_VERSION, KVM_API_VERSION = 0xAE00, 12

# What a terminal acts on: ECMA-48, control sequences, strings that end in BEL or ST, and single escapes.
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")


def controller() -> Controller:
    """Return what this computer is. Its processor's flags: /proc/cpuinfo, proc_cpuinfo(5)."""
    system, arch = platform.system(), platform.machine()
    flags: frozenset[str] = frozenset()
    if system == "Linux":
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = frozenset(next((line for line in lines if line.startswith("flags")), "").split())
    return Controller(system, MACHINES.get(arch, arch), flags, kvm())


def kvm(device: str = "/dev/kvm") -> Literal["open", "denied", "dead", "missing"]:
    """Return the state of KVM's device: what the kernel answers, not what the file's mode promises."""
    try:
        handle = os.open(device, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return "denied" if error.errno == errno.EACCES else "dead"
    try:
        return "open" if fcntl.ioctl(handle, KVM_GET_API_VERSION) == KVM_API_VERSION else "dead"
    except OSError:
        return "dead"
    finally:
        os.close(handle)


def free_port(wanted: int, before: int = 0) -> int:
    """Return the port on loopback that is wanted; when any will do, the one from before if it is free. Raises LobsterpotError."""
    for port in (wanted,) if wanted else (before, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:
                refusal = error
            else:
                return int(probe.getsockname()[1])
    raise LobsterpotError(
        f"vm_ssh_port: port {wanted} of this computer's loopback cannot be had ({refusal}). Choose another, or 0 for any."
    ) from refusal


def wait_for(condition: Callable[[], object], seconds: float, pause: float = 0.2) -> bool:
    """Wait until a condition holds, for so many seconds at most; return whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def progress(line: str) -> None:
    """Tell the person who waits how far this is; the callback `progress` shows the last line."""
    target = os.environ.get("LOBSTERPOT_PROGRESS")
    if target:
        Path(target).write_text(line[:120] + "\n")


class Machine(VmFolder):
    """A machine by its folder. The record says what it is; the lock, held by its runner, whether it runs."""

    files = (*PARTS, *KEYS, *GOLDEN)

    def running(self) -> bool:
        """Whether a runner holds the lock."""
        try:
            with (self.path / "lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def monitor(self, command: str, **arguments: object) -> Any:
        """Have qemu carry out one command of its monitor. Format: QMP, docs/interop/qmp-spec.rst of qemu."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(limits.VM_ANSWER)
            # By a relative name: the full one can be longer than the 107 bytes a socket's may have.
            here = os.open(".", os.O_RDONLY)
            try:
                os.chdir(self.path)
                channel.connect("qmp.sock")
            finally:
                os.fchdir(here)
                os.close(here)
            stream = channel.makefile("rw", encoding="utf-8")
            stream.readline()  # the greeting
            answer: dict[str, Any] = {}
            for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                answer = {}
                while "return" not in answer and "error" not in answer:
                    line = stream.readline()
                    if not line:
                        raise LobsterpotError(f"qemu closed its monitor at {command}")
                    answer = json.loads(line)
            if "error" in answer:
                raise LobsterpotError(f"qemu refused {command}: {answer['error'].get('desc', '')}")
            return answer["return"]

    def start(self) -> None:
        """Start the runner, in a session of its own: it outlives this process and the login."""
        (self.path / "qmp.sock").unlink(missing_ok=True)  # one that a power cut left would look like a start
        with (self.path / "run.log").open("wb") as log:
            runner = subprocess.Popen(
                [sys.executable, str(self.path / "run_vm.py"), str(self.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if not wait_for(lambda: (self.path / "qmp.sock").exists() or runner.poll() is not None, limits.VM_MONITOR):
            runner.kill()
            words = limits.waited(limits.VM_MONITOR, "qemu opened its monitor")
            raise LobsterpotError(f"The virtual machine did not start. {words}\n{self.last_lines('run.log')}")
        if runner.poll() is not None:
            raise LobsterpotError(f"The virtual machine did not start:\n{self.last_lines('run.log')}")

    def stop(self, seconds: float) -> None:
        """Press the power button, and after a while pull the plug."""
        if not self.running():
            return
        try:
            self.monitor("system_powerdown")
            if wait_for(lambda: not self.running(), seconds):
                return
        except (OSError, LobsterpotError):
            pass  # its monitor does not answer any more
        self.pull_the_plug()

    def pull_the_plug(self) -> None:
        with contextlib.suppress(OSError, LobsterpotError):  # it ends while it answers
            self.monitor("quit")
        if not wait_for(lambda: not self.running(), limits.VM_QUIT):
            words = limits.waited(limits.VM_QUIT, f"the virtual machine in {self.path} had ended")
            raise LobsterpotError(f"{words} Kill its process (run_vm.py {self.path}) and run again.")
        (self.path / "qmp.sock").unlink(missing_ok=True)

    def last_lines(self, name: str) -> str:
        """The last lines of a log, without what a terminal would act on."""
        try:
            raw = (self.path / name).read_bytes()[-8192:]
        except FileNotFoundError:
            return "(nothing)"
        said = ESCAPES.sub("", raw.decode(errors="replace").replace("\r", ""))
        lines = [line.rstrip() for line in printable(said, keep="\n").splitlines() if line.strip()]
        return "\n".join(lines[-CONSOLE_LINES:]) or "(nothing)"

    def ssh(self, user: str, name: str, port: int, command: str, seconds: float) -> int:
        """Log in with the machine's own key, its host key known beforehand, and run a command; return ssh's exit code."""
        options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            f'UserKnownHostsFile="{self.path}/known_hosts"',
            "GlobalKnownHostsFile=/dev/null",
        ]
        options += [f"HostKeyAlias={name}", "IdentitiesOnly=yes", f"ConnectTimeout={seconds:.0f}"]
        argv = ["ssh", "-F", "none", "-i", str(self.path / "id_ed25519"), "-p", str(port)]
        argv += [part for option in options for part in ("-o", option)]
        try:
            done = subprocess.run(
                [*argv, f"{user}@127.0.0.1", command], check=False, capture_output=True, timeout=seconds * 3, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return 255
        return done.returncode

    def wait_until_it_answers(self, user: str, name: str, port: int, seconds: float) -> None:
        """Wait for the first login. Raises LobsterpotError with the console's last lines when none succeeds in time."""

        patience, deadline = limits.VM_LOGIN, time.monotonic() + seconds

        def answers() -> bool:
            nonlocal patience
            if not self.running():
                raise LobsterpotError(
                    f"The virtual machine ended while it started.\n{self.last_lines('run.log')}\n{self.last_lines('console.log')}"
                )
            progress(self.last_lines("console.log").rpartition("\n")[2])
            if self.ssh(user, name, port, "true", patience) == 0:
                return True
            patience = min(2 * patience, max(limits.VM_LOGIN, deadline - time.monotonic()))
            return False

        if not wait_for(answers, seconds, 1):
            raise LobsterpotError(
                f"The virtual machine {name} runs, but nobody could log in within {seconds:.0f} s (vm_timeout). "
                f"The last lines of its console ({self.path}/console.log):\n{self.last_lines('console.log')}"
            )


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where that cannot be: clearing a cache must not take a machine's disk away."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
