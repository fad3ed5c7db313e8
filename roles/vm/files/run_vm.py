#!/usr/bin/env python3
# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one qemu machine until it ends: `run_vm.py DIRECTORY`. Nothing but the standard library, no root, no daemon.

DIRECTORY holds `machine.json` (written by the module qemu_vm) and the machine's disk. Three processes make a machine:

    qemu  <- frames ->  the gate, here  <- frames ->  passt  <- sockets ->  the network

passt gives the guest this computer's network without privileges. To a guest that is root and writes its own packets, that
would be this computer's own addresses and its loopback, too. So every frame from the guest passes the gate first. It lets
through what goes to the public internet, to the resolver, and to what `reach` names; nothing else to the LAN, whatever addresses
it has, and never what goes to an address of this computer. Without the gate's process there is no network: it fails closed.

Frames: four bytes of length, big-endian, then an Ethernet frame (qemu's `-netdev stream` and passt(1), `--fd`).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import ipaddress
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

# The network inside: one guest, one router that answers for everything, one resolver that passt maps to this computer's.
GUEST, ROUTER, RESOLVER = (int(ipaddress.IPv4Address(address)) for address in ("10.0.2.15", "10.0.2.2", "10.0.2.3"))

# Ethernet types, protocols and ports; the bytes of an Ethernet and of a plain IPv4 header; TCP's bit for "an answer".
ARP, IPV4 = 0x0806, 0x0800
TCP, UDP = 6, 17
SSH, DNS = 22, 53
ETHERNET, HEADER = 14, 20
IPV4_BEGINS = range(0x45, 0x50)  # version 4, a header of 5 words or more: in a shorter one, addresses would be read as ports
ACK = 0x10

# What is not the public internet (registry of special-purpose addresses, RFC 6890). `reach` opens parts of PRIVATE, never of NEVER.
NEVER = [ipaddress.IPv4Network(net) for net in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")]
PRIVATE = [ipaddress.IPv4Network(net) for net in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15")]

ETHERNET_CARD = "1"

CONSOLE_BYTES = 256 * 1024
PREFIX = 4  # bytes of length before a frame
LARGEST_FRAME = 128 * 1024
READ = 256 * 1024
GRACE = 600.0  # seconds for a shutdown, 10 on an idle computer; the unit that is offered waits 660
STEADY = 60.0  # seconds after which a start of passt counts as a success, and the longest pause before another
HOST_ADDRESSES_FRESH = 5.0  # seconds
MOST_REMEMBERED = 65536  # destinations, for a guest that scans
MOST_NOTED = 100


def host_addresses(fib_trie: str) -> set[ipaddress.IPv4Network]:
    """Every IPv4 address of this computer, which changes when a laptop moves; and every network all of which it answers for.

    Format: fib_trie_seq_show in the kernel's net/ipv4/fib_trie.c. A leaf's address has a line; below it, each route: length, scope, type.
    """
    found, leaf = set(), ""
    for line in Path(fib_trie).read_text().splitlines():
        word = line.split()
        if word[:1] == ["|--"]:
            leaf = word[1]
        elif word[1:3] == ["host", "LOCAL"]:
            found.add(ipaddress.IPv4Network(leaf + word[0], strict=False))
    return found


def networks_on_link(route: str, cards: str) -> set[ipaddress.IPv4Network]:
    """Every network that this computer's cards reach without a router: its LAN, whatever the addresses there are.

    Formats: fib_route_seq_show in the kernel's net/ipv4/fib_trie.c, whose numbers have the computer's byte order; linux/if_arp.h.
    """
    found = set()
    for line in Path(route).read_text().splitlines()[1:]:
        card, destination, router, *_, mask, _mtu, _window, _irtt = line.split()
        with contextlib.suppress(OSError):  # the card is gone since
            if int(router, 16) == 0 and int(mask, 16) and Path(cards, card, "type").read_text().strip() == ETHERNET_CARD:
                address = ipaddress.IPv4Address(struct.pack("=I", int(destination, 16)))
                found.add(ipaddress.IPv4Network((address, int(mask, 16).bit_count())))
    return found


class Gate:
    """Decides which frames of the guest may leave."""

    def __init__(
        self, reach: Iterable[str], fib_trie: str = "/proc/net/fib_trie", route: str = "/proc/net/route", cards: str = "/sys/class/net"
    ) -> None:
        self.reach = [ipaddress.IPv4Network(net) for net in reach]
        self.fib_trie, self.route, self.cards = fib_trie, route, cards
        self.host: set[ipaddress.IPv4Network] = set()
        self.link: set[ipaddress.IPv4Network] = set()
        self.read_at = float("-inf")
        self.decided: dict[int, bool] = {}
        self.refused: set[str] = set()

    def refresh(self) -> None:
        """Read this computer's addresses and networks again, when the last reading is old."""
        if time.monotonic() - self.read_at < HOST_ADDRESSES_FRESH:
            return
        self.read_at = time.monotonic()
        now = host_addresses(self.fib_trie), networks_on_link(self.route, self.cards)
        if now != (self.host, self.link):
            self.host, self.link = now
            self.decided.clear()

    def outside(self, destination: int) -> bool:
        """Whether an address is one the guest may reach."""
        known = self.decided.get(destination)
        if known is None:
            address = ipaddress.IPv4Address(destination)
            if any(address in net for net in (*self.host, *NEVER)):
                known = False
            else:
                known = any(address in net for net in self.reach) or not any(address in net for net in (*PRIVATE, *self.link))
            if len(self.decided) > MOST_REMEMBERED:
                self.decided.clear()
            self.decided[destination] = known
        return known

    def allows(self, frame: bytes | memoryview) -> bool:
        """Judge one Ethernet frame: ARP, which passt answers by itself, and IPv4 from the guest's own address to where it may go."""
        kind = int.from_bytes(frame[12:14], "big")
        if kind != IPV4:
            return kind == ARP
        if len(frame) < ETHERNET + HEADER or frame[ETHERNET] not in IPV4_BEGINS:
            return False
        source, destination = struct.unpack_from(">II", frame, ETHERNET + 12)
        if destination in (ROUTER, RESOLVER):
            return source == GUEST and self.serves(frame, destination)
        return source == GUEST and self.outside(destination)

    @staticmethod
    def serves(frame: bytes | memoryview, destination: int) -> bool:
        """Judge a packet to an address that stands for this computer: questions to the resolver, answers of the guest's sshd."""
        protocol = frame[ETHERNET + 9]
        fragment = int.from_bytes(frame[ETHERNET + 6 : ETHERNET + 8], "big") & 0x3FFF
        ports = ETHERNET + (frame[ETHERNET] & 15) * 4
        if protocol not in (TCP, UDP) or fragment or len(frame) < ports + (14 if protocol == TCP else 8):
            return False
        here, there = struct.unpack_from(">HH", frame, ports)
        if destination == RESOLVER:
            return bool(there == DNS)
        return protocol == TCP and here == SSH and bool(frame[ports + 13] & ACK)

    def pass_on(self, frame: memoryview) -> bool:
        """Judge a frame, and remember what was refused."""
        allowed = self.allows(frame)
        if not allowed:
            self.note(frame)
        return allowed

    def note(self, frame: memoryview) -> None:
        """Say each kind of refusal once, a hundred at most: enough to see what the guest tried, too little to fill a disk."""
        kind = int.from_bytes(frame[12:14], "big")
        what = f"Ethernet type 0x{kind:04x}"
        if kind == IPV4 and len(frame) >= ETHERNET + HEADER:
            what = str(ipaddress.IPv4Address(bytes(frame[30:34])))
        if what not in self.refused and len(self.refused) < MOST_NOTED:
            self.refused.add(what)
            print(f"gate: refused {what}", flush=True)


def split(stream: bytes) -> tuple[list[memoryview], bytes]:
    """Return the whole frames of a stream, each with its length before it, and the beginning of one that has not arrived in full."""
    view, frames, position = memoryview(stream), [], 0
    while position + PREFIX <= len(view):
        end = position + PREFIX + int.from_bytes(view[position : position + PREFIX], "big")
        if end - position > LARGEST_FRAME:
            raise ValueError(f"a frame of {end - position} bytes")
        if end > len(view):
            break
        frames.append(view[position:end])
        position = end
    return frames, bytes(view[position:])


class Wire:
    """The cable between the guest's network card and passt, which can be started again while the guest runs."""

    def __init__(self, guest: socket.socket, gate: Gate) -> None:
        self.guest, self.gate = guest, gate
        self.network: socket.socket | None = None

    def outward(self) -> None:
        rest = b""
        while chunk := self.guest.recv(READ):
            self.gate.refresh()
            frames, rest = split(rest + chunk)
            allowed = b"".join(frame for frame in frames if self.gate.pass_on(frame[PREFIX:]))
            network = self.network  # another thread changes it
            if allowed and network:
                with contextlib.suppress(OSError):  # its frames are lost, as with a cable that is pulled
                    network.sendall(allowed)

    def inward(self, network: socket.socket) -> None:
        rest = b""
        while chunk := self.read(network):
            frames, rest = split(rest + chunk)
            self.guest.sendall(b"".join(frames))

    @staticmethod
    def read(network: socket.socket) -> bytes:
        """Read, and take the reset of a network that died with frames unread for its end: another one is started."""
        try:
            return network.recv(READ)
        except ConnectionResetError:
            return b""


def keep_console(console: socket.socket, path: Path) -> None:
    """Keep the last of what the machine says on its serial line. A guest can write there for ever; the file cannot grow for ever."""
    with path.open("wb") as log:
        while chunk := console.recv(4096):
            log.write(chunk)
            log.flush()
            if log.tell() > CONSOLE_BYTES:
                kept = path.read_bytes()[-CONSOLE_BYTES // 2 :]
                log.seek(0)
                log.truncate()
                log.write(kept)


def die_with_parent() -> None:
    """In a child: end when this process does, however it ends. prctl(2), PR_SET_PDEATHSIG."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def fill(argv: list[str], **sockets: socket.socket) -> tuple[list[str], list[int]]:
    """Put the numbers of sockets in the place of their names, such as {net}; return the command line and the numbers."""
    numbers = {name: one.fileno() for name, one in sockets.items()}
    return [argument.format(**numbers) if "{" in argument else argument for argument in argv], list(numbers.values())


def power_down() -> None:
    """Press the machine's power button. Format: QMP, docs/interop/qmp-spec.rst of qemu."""
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.settimeout(GRACE)
        monitor.connect("qmp.sock")
        monitor.sendall(b'{"execute": "qmp_capabilities"}{"execute": "system_powerdown"}')
        monitor.recv(65536)


def stop(qemu: subprocess.Popen[bytes]) -> None:
    """End the machine in order; one whose kernel has stopped does not see its power button, and is ended all the same."""
    try:
        power_down()
        qemu.wait(GRACE)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"stop: waited {GRACE:.0f} s in vain until the machine had shut down ({error}); its plug is pulled", flush=True)
        qemu.kill()


def work(target: Callable[..., None], *arguments: object) -> None:
    """Do one job beside the others, until its sockets close."""

    def guarded() -> None:
        try:
            target(*arguments)
        except (OSError, ValueError) as error:
            print(f"{target.__name__}: {error}", flush=True)

    threading.Thread(target=guarded, daemon=True).start()


def keep_network(wire: Wire) -> None:
    """Have passt running as long as the machine does; it ends by itself when this process does, because its socket closes."""
    pause = 1.0
    while True:
        ours, its = socket.socketpair()
        argv, inherited = fill(json.loads(Path("machine.json").read_text())["run"]["passt"], net=its)
        began = time.monotonic()
        with its:
            passt = subprocess.Popen(argv, pass_fds=inherited, stdin=subprocess.DEVNULL)
        with ours:
            wire.network = ours
            wire.inward(ours)
            wire.network = None
        pause = 1.0 if time.monotonic() - began > STEADY else min(pause * 2, STEADY)
        print(f"network: {argv[0]} ended with {passt.wait()} and is started again in {pause:.0f} s", flush=True)
        time.sleep(pause)


def serve(machine: dict[str, Any]) -> int:
    """Start qemu and its network, pass frames between them until qemu ends, and return qemu's exit code."""
    guest, qemu_net = socket.socketpair()
    console, qemu_console = socket.socketpair()
    argv, inherited = fill(machine["qemu"], net=qemu_net, console=qemu_console)
    with qemu_net, qemu_console:
        # No threads run yet, and the hook is one system call.
        qemu = subprocess.Popen(argv, pass_fds=inherited, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)  # noqa: PLW1509
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: work(stop, qemu))
    work(keep_console, console, Path("console.log"))
    if machine["passt"]:
        wire = Wire(guest, Gate(machine["reach"]))
        work(wire.outward)
        work(keep_network, wire)
    return qemu.wait()


def main() -> int:
    os.chdir(sys.argv[1])
    os.umask(0o077)
    lock = os.open("lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("This machine runs already.", file=sys.stderr)
        return 1
    return serve(json.loads(Path("machine.json").read_text())["run"])


if __name__ == "__main__":
    sys.exit(main())
