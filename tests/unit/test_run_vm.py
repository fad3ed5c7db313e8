# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate between a guest that is root and this computer's network: frames built byte by byte, as such a guest would."""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roles.vm.files import run_vm
from roles.vm.files.run_vm import Gate, Wire, fill, host_addresses, keep_console, networks_on_link, split
from tests.lab import limits

RUNNER = Path(run_vm.__file__)

# /proc/net/fib_trie as Linux 6.1 prints it, of a computer with 192.0.2.2, 10.213.0.1 and 203.0.113.77, that also answers for all of
# 198.51.100.0/28 (`ip route add local 198.51.100.0/28 dev lo`).
FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.213.0.0/24 2 0 2
        |-- 10.213.0.0
           /24 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     +-- 0.0.0.0/4 2 0 2
        |-- 0.0.0.0
           /0 universe UNICAST
        +-- 10.213.0.0/24 2 0 2
           +-- 10.213.0.0/31 1 0 0
              |-- 10.213.0.0
                 /24 link UNICAST
              |-- 10.213.0.1
                 /32 host LOCAL
           |-- 10.213.0.255
              /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        +-- 127.0.0.0/31 1 0 0
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
        |-- 127.255.255.255
           /32 link BROADCAST
     +-- 192.0.2.0/24 2 0 2
        +-- 192.0.2.0/30 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.2
              /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     |-- 198.51.100.0
        /28 host LOCAL
     |-- 203.0.113.77
        /32 host LOCAL
"""
LATER = """\
     |-- 93.184.216.34
        /32 host LOCAL
"""

# /proc/net/route: public networks on a card, behind a router, in a tunnel and on a card that is gone; default routes of two kinds.
ROUTE = """\
Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT
eth0 00000000 0165B85D 0003 0 0 0 00000000 0 0 0
tun0 00000000 00000000 0001 0 0 50 00000000 0 0 0
eth0 0065B85D 00000000 0001 0 0 0 80FFFFFF 0 0 0
eth0 0066B85D 0165B85D 0003 0 0 0 00FFFFFF 0 0 0
tun0 0067B85D 00000000 0001 0 0 0 00FFFFFF 0 0 0
eth9 0068B85D 00000000 0001 0 0 0 00FFFFFF 0 0 0
"""

MAC = bytes.fromhex("9a559a559a55 525400123456")
PUBLIC = "93.184.216.34"
SYN, RST, ACK, SYN_ACK, PSH_ACK = 0x02, 0x04, 0x10, 0x12, 0x18


def tcp(here: int, there: int, flags: int = SYN) -> bytes:
    return struct.pack(">HHIIBBHHH", here, there, 1, 1, 0x50, flags, 65535, 0, 0)


def udp(here: int, there: int) -> bytes:
    return struct.pack(">HHHH", here, there, 8, 0)


def ipv4(destination: str, payload: bytes = b"", **fields: Any) -> bytes:
    """Return an Ethernet frame with an IPv4 packet. Format: RFC 791."""
    source = fields.get("source", "10.0.2.15")
    options = fields.get("options", b"")
    begin = fields.get("begin", 0x45 + len(options) // 4)
    packet = struct.pack(
        ">BBHHHBBH4s4s",
        begin,
        0,
        20 + len(options) + len(payload),
        1,
        fields.get("fragment", 0x4000),
        64,
        fields.get("protocol", 6),
        0,
        ipaddress.IPv4Address(source).packed,
        ipaddress.IPv4Address(destination).packed,
    )
    return MAC + struct.pack(">H", fields.get("kind", 0x0800)) + packet + options + payload


def framed(*frames: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)


@pytest.fixture
def fib_trie(tmp_path: Path) -> str:
    file = tmp_path / "fib_trie"
    file.write_text(FIB_TRIE)
    return str(file)


@pytest.fixture
def gate(fib_trie: str) -> Gate:
    return gate_of(fib_trie)


def gate_of(fib_trie: str, *reach: str) -> Gate:
    made = Gate(reach, fib_trie, route=os.devnull)
    made.refresh()
    return made


def test_addresses_of_this_computer(fib_trie: str) -> None:
    """An address that is overlooked is a way in; a network that the computer answers for as a whole counts, too."""
    assert {str(net) for net in host_addresses(fib_trie)} == {
        "10.213.0.1/32",
        "127.0.0.0/8",
        "127.0.0.1/32",
        "192.0.2.2/32",
        "198.51.100.0/28",
        "203.0.113.77/32",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="fib_trie is Linux'")
def test_the_real_kernel_is_understood() -> None:
    """A kernel that prints another format would leave this computer's addresses open without a word."""
    assert ipaddress.IPv4Network("127.0.0.1/32") in host_addresses("/proc/net/fib_trie")
    assert all(net.prefixlen for net in networks_on_link("/proc/net/route", "/sys/class/net"))


def test_arp_passes(gate: Gate) -> None:
    """Without it, nothing else would. It reaches no further than passt, which answers by itself."""
    request = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + bytes(20)
    assert gate.allows(MAC + struct.pack(">H", 0x0806) + request)


@pytest.mark.parametrize(
    "destination",
    # The last are the neighbours of what is closed.
    ["93.184.216.34", "1.1.1.1", "198.51.100.16", "192.0.2.3", "9.255.255.255", "11.0.0.0", "100.128.0.0", "172.32.0.0", "223.255.255.255"],
)
@pytest.mark.parametrize("protocol", [1, 6, 17])
def test_the_public_internet_is_open(gate: Gate, destination: str, protocol: int) -> None:
    """A gate that lets nothing through would pass every other test here."""
    assert gate.allows(ipv4(destination, tcp(40000, 443), protocol=protocol))


@pytest.mark.parametrize(
    "destination",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3"),  # noqa: S104
        *("169.254.169.254", "169.254.0.1"),
        *("224.0.0.1", "224.0.0.251", "239.255.255.250"),
        *("240.0.0.1", "255.255.255.255"),
    ],
)
@pytest.mark.parametrize("reach", [(), ("0.0.0.0/0",)])
def test_what_is_never_open(fib_trie: str, destination: str, reach: tuple[str, ...]) -> None:
    """Loopback, a cloud's metadata service, multicast, broadcast: closed to the guest, whatever `reach` says."""
    assert not gate_of(fib_trie, *reach).allows(ipv4(destination, tcp(40000, 80)))


@pytest.mark.parametrize("destination", ["192.0.2.2", "10.213.0.1", "203.0.113.77", "198.51.100.0", "198.51.100.15"])
@pytest.mark.parametrize("reach", [(), ("0.0.0.0/0",), ("192.0.2.2/32", "10.213.0.1", "198.51.100.0/24")])
@pytest.mark.parametrize("protocol", [1, 6, 17])
def test_this_computer_is_never_open(fib_trie: str, destination: str, reach: tuple[str, ...], protocol: int) -> None:
    """passt would connect from this computer to itself: what listens on its addresses is closed to the guest, `reach` or not."""
    assert not gate_of(fib_trie, *reach).allows(ipv4(destination, tcp(40000, 22), protocol=protocol))


@pytest.mark.skipif(sys.byteorder != "little", reason="the numbers are a little-endian computer's")
def test_a_lan_with_public_addresses_is_closed(fib_trie: str, tmp_path: Path) -> None:
    """S6: what this computer reaches without a router is no internet; `reach` opens parts. Tunnels and routers lead outside."""
    (tmp_path / "route").write_text(ROUTE)
    for card, kind in (("eth0", 1), ("tun0", 65534)):
        (tmp_path / card).mkdir()
        (tmp_path / card / "type").write_text(f"{kind}\n")
    found = {}
    for reach in ((), ("93.184.101.7",)):
        gate = Gate(reach, fib_trie, route=str(tmp_path / "route"), cards=str(tmp_path))
        gate.refresh()
        tries = ("93.184.101.1", "93.184.101.7", "93.184.101.127", "93.184.101.128", "93.184.102.1", "93.184.103.1", "93.184.104.1", PUBLIC)
        found[reach] = [address for address in tries if not gate.allows(ipv4(address, tcp(40000, 80)))]
    assert found == {
        (): ["93.184.101.1", "93.184.101.7", "93.184.101.127"],
        ("93.184.101.7",): ["93.184.101.1", "93.184.101.127"],
    }


def test_an_address_that_comes_later_is_closed(fib_trie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop joins another network: five seconds later its new address is closed, even if it had been allowed."""
    now = 1000.0
    monkeypatch.setattr(run_vm, "time", SimpleNamespace(monotonic=lambda: now))
    gate, frame = Gate([], fib_trie, route=os.devnull), ipv4(PUBLIC, tcp(40000, 80))
    seen = []
    for seconds, text in ((0.0, FIB_TRIE), (4.9, FIB_TRIE + LATER), (0.2, FIB_TRIE + LATER), (5.1, FIB_TRIE)):
        now += seconds
        Path(fib_trie).write_text(text)
        gate.refresh()
        seen.append(gate.allows(frame))
    assert seen == [True, True, False, True]


def test_nothing_is_decided_before_the_addresses_are_known(tmp_path: Path) -> None:
    """Where the addresses cannot be read, the gate stops; it does not take them for none."""
    with pytest.raises(FileNotFoundError):
        Gate([], str(tmp_path / "nothing")).refresh()


@pytest.mark.parametrize(
    "destination",
    ["10.0.0.1", "10.0.2.1", "10.0.2.16", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "198.18.0.1"],
)
def test_private_networks_are_closed(gate: Gate, destination: str) -> None:
    """The LAN's router, printer and other machines are not the guest's business."""
    assert not gate.allows(ipv4(destination, tcp(40000, 80)))


def test_reach_opens_what_it_names(fib_trie: str) -> None:
    """A model server on the LAN, and nothing beside it."""
    gate = gate_of(fib_trie, "192.168.1.20", "172.16.4.0/30")
    wanted = ["192.168.1.20", "172.16.4.0", "172.16.4.3"]
    others = ["192.168.1.19", "192.168.1.21", "172.16.3.255", "172.16.4.4"]
    assert [address for address in wanted + others if gate.allows(ipv4(address, tcp(40000, 11434)))] == wanted


@pytest.mark.parametrize("source", ["10.0.2.16", "10.0.2.2", "127.0.0.1", "192.0.2.2", "0.0.0.1", "93.184.216.34"])
@pytest.mark.parametrize(("destination", "payload"), [(PUBLIC, tcp(1, 443)), ("10.0.2.2", tcp(22, 9, ACK)), ("10.0.2.3", tcp(1, 53))])
def test_a_forged_source_is_refused(gate: Gate, source: str, destination: str, payload: bytes) -> None:
    """A guest that takes another address, this computer's own for one, could confuse whoever trusts it."""
    assert gate.allows(ipv4(destination, payload))
    assert not gate.allows(ipv4(destination, payload, source=source))


@pytest.mark.parametrize("kind", [0x86DD, 0x8100, 0x88A8, 0x8847, 0x0805, 0x0807, 0x8864, 0x0000, 0x002E, 0xFFFF])
def test_other_protocols_are_refused(gate: Gate, kind: int) -> None:
    """IPv6, a VLAN tag, a tunnel or a length in place of the type: what the gate does not read, it does not pass."""
    assert not gate.allows(ipv4(PUBLIC, tcp(40000, 443), kind=kind))


def test_a_vlan_tag_hides_nothing(gate: Gate) -> None:
    """A tag moves the packet four bytes on: to a reader that skips it, this goes to loopback."""
    plain = ipv4("127.0.0.1", tcp(40000, 22))
    assert not gate.allows(plain[:12] + bytes.fromhex("81000001") + plain[12:])


@pytest.mark.parametrize("length", range(34))
def test_a_frame_too_short_is_refused(gate: Gate, length: int) -> None:
    """An address that is not there cannot be judged, and reading it must not end the gate."""
    assert not gate.allows(ipv4(PUBLIC)[:length])


@pytest.mark.parametrize("begin", [0x00, 0x05, 0x35, 0x40, 0x41, 0x44, 0x50, 0x55, 0x60, 0x65, 0xF5])
@pytest.mark.parametrize(("destination", "payload"), [(PUBLIC, tcp(1, 443)), ("10.0.2.2", tcp(22, 9, ACK)), ("10.0.2.3", udp(1, 53))])
def test_other_versions_and_short_headers_are_refused(gate: Gate, begin: int, destination: str, payload: bytes) -> None:
    """Two readers of a header that is none may read two different addresses or ports."""
    protocol = 17 if len(payload) == 8 else 6
    assert gate.allows(ipv4(destination, payload, protocol=protocol))
    assert not gate.allows(ipv4(destination, payload, protocol=protocol, begin=begin))


@pytest.mark.parametrize("flags", [ACK, SYN_ACK, PSH_ACK, RST | ACK])
def test_the_guest_may_answer_the_login(gate: Gate, flags: int) -> None:
    """The operator's SSH comes from the router's address: answers of the guest's sshd pass."""
    assert gate.allows(ipv4("10.0.2.2", tcp(22, 51000, flags)))


@pytest.mark.parametrize(
    ("payload", "protocol"),
    [
        (tcp(22, 80, SYN), 6),
        (tcp(22, 80, 0), 6),
        (tcp(22, 80, RST), 6),
        (tcp(40000, 80, SYN), 6),
        (tcp(40000, 22, ACK), 6),
        (tcp(23, 51000, ACK), 6),
        (udp(22, 53), 17),
        (udp(40000, 53), 17),
        (tcp(22, 51000, ACK), 1),
        (tcp(22, 51000, ACK), 132),
        (tcp(22, 51000, ACK)[:13], 6),
        (b"", 6),
    ],
)
def test_the_guest_opens_nothing_to_the_router(gate: Gate, payload: bytes, protocol: int) -> None:
    """passt may map the router's address to this computer: no new connection, no datagram, no other port of the guest."""
    assert not gate.allows(ipv4("10.0.2.2", payload, protocol=protocol))


@pytest.mark.parametrize("fragment", [0x2000, 0x0001, 0x1FFF, 0x2001, 0x6000])
@pytest.mark.parametrize(("destination", "payload"), [("10.0.2.2", tcp(22, 9, ACK)), ("10.0.2.3", tcp(1, 53))])
def test_fragments_are_refused(gate: Gate, fragment: int, destination: str, payload: bytes) -> None:
    """A later fragment has no ports, and a first one may be overwritten by it."""
    assert gate.allows(ipv4(destination, payload, fragment=0x0000))
    assert not gate.allows(ipv4(destination, payload, fragment=fragment))


def test_options_move_the_ports(gate: Gate) -> None:
    """Options that look like an answer of sshd, before a SYN: the ports are read where they are."""
    decoy = tcp(22, 51000, ACK)
    assert not gate.allows(ipv4("10.0.2.2", tcp(40000, 80, SYN), options=decoy))
    assert gate.allows(ipv4("10.0.2.2", tcp(22, 51000, ACK), options=tcp(40000, 80, SYN)))
    assert not gate.allows(ipv4("10.0.2.2", b"", options=decoy))
    assert not gate.allows(ipv4("10.0.2.3", udp(1, 54), options=udp(1, 53), protocol=17))


@pytest.mark.parametrize(("payload", "protocol"), [(tcp(40000, 53), 6), (tcp(40000, 53, ACK), 6), (udp(40000, 53), 17)])
def test_the_resolver_answers_questions(gate: Gate, payload: bytes, protocol: int) -> None:
    """Names resolve, over UDP and over TCP."""
    assert gate.allows(ipv4("10.0.2.3", payload, protocol=protocol))


@pytest.mark.parametrize(
    ("payload", "protocol"),
    [
        (tcp(53, 22), 6),
        (tcp(22, 853, ACK), 6),
        (udp(53, 123), 17),
        (udp(40000, 5353), 17),
        (udp(40000, 53)[:7], 17),
        (tcp(40000, 53)[:13], 6),
        (udp(40000, 53), 1),
        (udp(40000, 53), 33),
    ],
)
def test_the_resolver_is_nothing_else(gate: Gate, payload: bytes, protocol: int) -> None:
    """passt maps the address to this computer's resolver, which may be this computer: port 53 only."""
    assert not gate.allows(ipv4("10.0.2.3", payload, protocol=protocol))


CLOSED = [
    ipaddress.IPv4Network(net)
    for net in (
        *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
        *("192.0.2.2/32", "10.213.0.1/32", "203.0.113.77/32", "198.51.100.0/28"),
    )
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    destination=st.sampled_from(CLOSED).flatmap(lambda net: st.integers(int(net[0]), int(net[-1]))),
    header=st.binary(min_size=12, max_size=12),
    rest=st.binary(max_size=80),
    reach=st.lists(st.sampled_from(["0.0.0.0/0", "127.0.0.0/8", "192.0.2.2", "10.0.0.0/8", "198.51.100.0/24"]), max_size=3),
)
def test_no_packet_to_a_closed_address_leaves(fib_trie: str, destination: int, header: bytes, rest: bytes, reach: list[str]) -> None:
    """Whatever else its bytes say, an IPv4 frame to loopback or to this computer does not leave."""
    frame = MAC + b"\x08\x00" + header + ipaddress.IPv4Address("10.0.2.15").packed + struct.pack(">I", destination) + rest
    assert not gate_of(fib_trie, *reach).allows(frame)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=st.binary(max_size=120) | st.binary(max_size=100).map(lambda tail: MAC + b"\x08\x00" + tail))
def test_any_bytes_are_judged(gate: Gate, frame: bytes) -> None:
    """A frame that makes the gate stumble would end the guest's network at best."""
    assert isinstance(gate.pass_on(memoryview(frame)), bool)


@given(frames=st.lists(st.binary(max_size=60), max_size=6), cuts=st.lists(st.integers(0, 400), max_size=8), tail=st.binary(max_size=3))
def test_frames_survive_any_cut(frames: list[bytes], cuts: list[int], tail: bytes) -> None:
    """A stream socket cuts where it likes: a frame must neither get lost nor be judged by its middle."""
    stream = framed(*frames) + tail
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    found: list[bytes] = []
    rest = b""
    for begin, end in itertools.pairwise(edges):
        whole, rest = split(rest + stream[begin:end])
        found += [bytes(frame) for frame in whole]
    assert found == [framed(frame) for frame in frames]
    assert rest == tail


def test_a_frame_too_large_is_an_error() -> None:
    """A length that never comes would have the gate collect for ever. The largest one still fits."""
    with pytest.raises(ValueError, match="a frame of 131073 bytes"):
        split(struct.pack(">I", 131069))
    assert split(struct.pack(">I", 131068) + b"x") == ([], b"\x00\x01\xff\xfcx")


def test_notes_are_bounded(gate: Gate, capfd: pytest.CaptureFixture[str]) -> None:
    """A guest that scans must not fill this computer's disk with complaints: each kind once, a hundred in all."""
    for last in range(1, 151):
        for _ in range(2):
            assert not gate.pass_on(memoryview(ipv4(f"192.168.7.{last}", tcp(1, 2))))
    lines = capfd.readouterr().out.splitlines()
    assert lines[:2] == ["gate: refused 192.168.7.1", "gate: refused 192.168.7.2"]
    assert len(lines) == 100
    assert len(set(lines)) == 100


def test_a_note_says_what_was_tried(gate: Gate, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever looks into an incident sees where the guest wanted to go; what it wrote itself is not repeated."""
    frames = (ipv4("127.0.0.1"), ipv4(PUBLIC, kind=0x86DD), b"\x1b[2J", ipv4(PUBLIC)[:20], ipv4(PUBLIC, tcp(1, 2)))
    assert [gate.pass_on(memoryview(frame)) for frame in frames] == [False, False, False, False, True]
    assert capfd.readouterr().out.splitlines() == [
        "gate: refused 127.0.0.1",
        "gate: refused Ethernet type 0x86dd",
        "gate: refused Ethernet type 0x0000",
        "gate: refused Ethernet type 0x0800",
    ]


def test_remembered_destinations_are_bounded(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that scans the internet must not grow this process without end, and the decisions stay right."""
    monkeypatch.setattr(run_vm, "MOST_REMEMBERED", 10)
    for last in range(200):
        assert gate.outside((93 << 24) + last)
        assert not gate.outside((127 << 24) + last)
        assert len(gate.decided) <= 11


class Cable:
    """A wire with a guest at one end; both directions run in threads, as in the runner."""

    def __init__(self, gate: Gate) -> None:
        self.guest, ours = socket.socketpair()
        self.ours = ours
        self.wire = Wire(ours, gate)
        self.guest.settimeout(limits.THREAD)
        self.threads: list[threading.Thread] = []
        self.run(self.wire.outward)

    def run(self, target: Any, *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        thread.start()
        self.threads.append(thread)
        return thread

    def network(self) -> socket.socket:
        """Plug a network in, and return its end."""
        ours, its = socket.socketpair()
        its.settimeout(limits.THREAD)
        self.wire.network = ours
        self.inward = self.run(self.wire.inward, ours)
        return its

    def close(self) -> None:
        self.guest.close()
        for thread in self.threads:
            thread.join(limits.THREAD)
        assert not any(thread.is_alive() for thread in self.threads)


@pytest.fixture
def cable(gate: Gate) -> Iterator[Cable]:
    with closing(Cable(gate)) as made:
        yield made


def receive(end: socket.socket, count: int) -> list[bytes]:
    """Return so many frames; more than that fails the comparison."""
    frames: list[bytes] = []
    rest = b""
    while len(frames) < count or rest:
        chunk = end.recv(65536)
        assert chunk, "the other end closed"
        found, rest = split(rest + chunk)
        frames += [bytes(frame[4:]) for frame in found]
    return frames


def test_the_wire_passes_what_is_allowed_in_order(cable: Cable) -> None:
    """Between frames that pass, those that are refused vanish: a gate that judges and then sends everything is none."""
    wanted = [ipv4(PUBLIC, tcp(number, 443)) for number in range(200)]
    refused = [ipv4("127.0.0.1", tcp(number, 22)) for number in range(200)]
    network = cable.network()
    cable.guest.sendall(b"".join(framed(bad, good) for good, bad in zip(wanted, refused, strict=True)))
    assert receive(network, 200) == wanted
    network.close()


def test_the_wire_passes_everything_inwards(cable: Cable) -> None:
    """Answers come from anywhere and are not judged; the order stays."""
    network = cable.network()
    answers = [ipv4("10.0.2.15", tcp(443, number, ACK), source=PUBLIC) for number in range(50)]
    stream = framed(*answers)
    network.sendall(stream[:33])
    network.sendall(stream[33:])
    assert receive(cable.guest, 50) == answers
    network.close()


def test_a_network_that_dies_comes_back(cable: Cable) -> None:
    """passt ends with frames unread, which resets the connection: its loss must not end the wire, and what comes next starts whole."""
    first = cable.network()
    cable.guest.sendall(framed(ipv4(PUBLIC, tcp(1, 443))))
    assert first.recv(1) == b"\x00"
    first.close()
    cable.inward.join(limits.THREAD)
    assert not cable.inward.is_alive()
    # Lost like on a cable that is pulled; the second shows that the first was handled.
    cable.guest.sendall(framed(ipv4(PUBLIC, tcp(2, 443))))
    second = cable.network()
    cable.guest.sendall(framed(ipv4(PUBLIC, tcp(3, 443))))
    received = receive(second, 1)
    assert received[-1:] == [ipv4(PUBLIC, tcp(3, 443))] or receive(second, 1) == [ipv4(PUBLIC, tcp(3, 443))]
    second.sendall(framed(b"back"))
    assert receive(cable.guest, 1) == [b"back"]
    second.close()


def test_a_reset_is_an_end(gate: Gate) -> None:
    """passt dies with frames unread, which any guest can bring about by sending: the kernel says so by a reset, not by an end."""
    with socket.socket() as guest:
        ours, its = socket.socketpair()
        ours.sendall(b"never read")
        its.close()
        with ours:
            Wire(guest, gate).inward(ours)


def test_without_a_network_frames_are_lost_and_nothing_else(cable: Cable) -> None:
    """Before passt runs there is nobody to send to; the guest's end must not be closed for that."""
    cable.guest.sendall(framed(ipv4(PUBLIC, tcp(1, 443)), ipv4("127.0.0.1")))
    network = cable.network()
    network.sendall(framed(b"here"))
    assert receive(cable.guest, 1) == [b"here"]
    network.close()


def test_passt_is_started_again(tmp_path: Path, cable: Cable, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A crash of passt, which a guest may cause, must not leave the machine without network; nor may it be started in a tight loop."""

    class Enough(Exception):
        pass

    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            raise Enough

    (tmp_path / "machine.json").write_text(json.dumps({"run": {"passt": ["sh", "-c", "exit 3", "{net}"]}}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_vm, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=sleep))
    with pytest.raises(Enough):
        run_vm.keep_network(cable.wire)
    assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert capfd.readouterr().out.splitlines()[0] == "network: sh ended with 3 and is started again in 2 s"


def test_the_console_is_bounded(tmp_path: Path) -> None:
    """A guest writes ten megabytes to its serial line: the file keeps the last of it, and never grows past a bound."""
    guest, ours = socket.socketpair()
    file = tmp_path / "console.log"
    largest = 0
    keeper = threading.Thread(target=keep_console, args=(ours, file), daemon=True)
    keeper.start()
    line = b"x" * 1023 + b"\n"
    with guest:
        for _ in range(10):
            guest.sendall(line * 1024)
            largest = max(largest, file.stat().st_size)
        guest.sendall(b"the end\n")
    keeper.join(limits.THREAD)
    assert not keeper.is_alive()
    ours.close()
    assert largest <= 266240
    kept = file.read_bytes()
    assert 131072 <= len(kept) <= 266240
    assert kept.endswith(line + b"the end\n")


def test_fill() -> None:
    """Numbers of sockets take the place of their names, and exactly those are inherited: another one would be a hole in the sandbox."""
    here, there = socket.socketpair()
    with here, there:
        argv, inherited = fill(["qemu", "fd={net}", "-chardev", "socket,fd={console}"], net=here, console=there)
        assert argv == ["qemu", f"fd={here.fileno()}", "-chardev", f"socket,fd={there.fileno()}"]
        assert inherited == [here.fileno(), there.fileno()]


def run_machine(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(RUNNER), str(folder)], check=False, capture_output=True, text=True, timeout=limits.PROGRAM)


def test_a_machine_runs_once(tmp_path: Path) -> None:
    """Two processes on one disk destroy it: while one has the lock, another is refused, and the exit code of qemu is the runner's."""
    script = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, {str(RUNNER)!r}, {str(tmp_path)!r}]) + 41)"
    run: dict[str, Any] = {"qemu": [sys.executable, "-c", script], "passt": [], "reach": []}
    (tmp_path / "machine.json").write_text(json.dumps({"run": run}))
    done = run_machine(tmp_path)
    assert (done.returncode, done.stderr) == (42, "This machine runs already.\n")


SEES = """
import os
links = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if int(n) > 2 and os.path.lexists(f"/proc/self/fd/{n}")]
print(sorted(link.split(":")[0] for link in links), oct(os.umask(0)), file=open("seen", "w"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")
def test_qemu_inherits_its_two_sockets_only(tmp_path: Path) -> None:
    """The lock in qemu's hands would outlive the runner; any other descriptor would be a way out of qemu's sandbox."""
    (tmp_path / "sees.py").write_text(SEES)
    run: dict[str, Any] = {"qemu": [sys.executable, "sees.py", "{net}", "{console}"], "passt": [], "reach": []}
    (tmp_path / "machine.json").write_text(json.dumps({"run": run}))
    done = run_machine(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "seen").read_text() == "['socket', 'socket'] 0o77\n"
    assert [oct((tmp_path / name).stat().st_mode) for name in ("lock", "console.log")] == ["0o100600", "0o100600"]
