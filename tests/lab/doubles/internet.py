"""Everything outside a host, in one process: LAN, metadata service, resolver and internet, for the namespace of `lab/network/closed.py`.

The namespace takes every address for its own and sends each TCP connection and each datagram here, whatever its port. So whatever a host
sends finds an answer, and nothing it sends is lost:

- TCP: an HTTP request gets a banner as body, anything else or silence the banner alone. `GET /redirect/URL` is a redirect to that URL.
  What the peer said is written down.
- DNS, by UDP and TCP (RFC 1035): `ROLE.arena.example` is the address that plays the role, `ADDRESS-IN-HEX.hex.arena.example` the address
  spelled so, `rebind.arena.example` first the public address and from the second question on the one in the LAN; every other name is
  the public address.
- Any other datagram: the words `arena datagram`.

The banner is `arena ROLE ADDRESS PORT` and a newline. One line of JSON for each thing seen goes to the file named on the command line; the
words are explained in `lab/network/closed.py`. Packets are read below the sockets too, so that nothing is missed for lack of a listener.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import socketserver
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

TCP_PORT, UDP_PORT, DNS_PORT = 9001, 9002, 9053
# linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h: where a redirected connection was going.
ORIGINAL_DESTINATION = 80
A, AAAA = 1, 28
KEEP = 65536  # bytes of one connection that are written down

roles: dict[str, str] = {}
by_address: dict[str, str] = {}
log = sys.stdout
log_lock = threading.Lock()
rebound = threading.Event()


def role_of(address: str) -> str:
    return by_address.get(address, "elsewhere")


def note(kind: str, address: str, port: int, data: bytes | str = "") -> None:
    text = data if isinstance(data, str) else data.decode("latin-1")
    event = {"kind": kind, "role": role_of(address), "address": address, "port": port, "data": text, "at": time.time()}
    with log_lock:
        log.write(json.dumps(event) + "\n")
        log.flush()


def banner(address: str, port: int) -> bytes:
    return f"arena {role_of(address)} {address} {port}\n".encode()


# ------------------------------------------------------------------------------------------------- TCP
def destination(connection: socket.socket) -> tuple[str, int]:
    """Where the peer wanted to go, before the namespace sent it here."""
    if connection.family == socket.AF_INET:
        raw = connection.getsockopt(socket.IPPROTO_IP, ORIGINAL_DESTINATION, 16)
        return socket.inet_ntop(socket.AF_INET, raw[4:8]), struct.unpack_from("!H", raw, 2)[0]
    raw = connection.getsockopt(socket.IPPROTO_IPV6, ORIGINAL_DESTINATION, 28)
    return socket.inet_ntop(socket.AF_INET6, raw[8:24]), struct.unpack_from("!H", raw, 2)[0]


def http_answer(request: bytes, words: bytes) -> bytes:
    path = request.split(b" ", 2)[1]
    if path.startswith(b"/redirect/"):
        return (
            b"HTTP/1.1 302 Found\r\nLocation: " + path.removeprefix(b"/redirect/") + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(words)}\r\nConnection: close\r\n\r\n"
    return head.encode() + words


class Tcp(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        address, port = destination(self.request)
        note("tcp", address, port)
        with contextlib.suppress(OSError):
            if port == 53:
                self.dns(address)
            else:
                self.talk(address, port)

    def talk(self, address: str, port: int) -> None:
        # A client that waits for the server to begin, as in SMTP, gets the banner after a moment. Short, as all limits here:
        # they are the client's silence.
        self.request.settimeout(0.5)
        try:
            said = self.request.recv(KEEP)
        except TimeoutError:
            said = b""
        words = banner(address, port)
        http = said.split(b" ", 1)[0] in (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH")
        self.request.sendall(http_answer(said, words) if http else words)
        self.request.settimeout(2)
        with contextlib.suppress(TimeoutError):
            while len(said) < KEEP and not http and (more := self.request.recv(KEEP)):
                said += more
        if said:
            note("said", address, port, said)

    def dns(self, address: str) -> None:
        self.request.settimeout(5)  # the client's silence, which ends the connection
        while length := self.request.recv(2, socket.MSG_WAITALL):
            question = self.request.recv(struct.unpack("!H", length)[0], socket.MSG_WAITALL)
            reply = dns_answer(question, address)
            self.request.sendall(struct.pack("!H", len(reply)) + reply)


# ------------------------------------------------------------------------------------------------- DNS
def addresses_of(name: str) -> tuple[str, str]:
    """The IPv4 and the IPv6 address of a name; empty when it has none of the kind."""
    label, _, zone = name.lower().partition(".")
    wanted = roles["public"]
    if zone == "hex.arena.example":
        wanted = str(ipaddress.ip_address(bytes.fromhex(label)))
    elif name.lower() == "rebind.arena.example":
        wanted = roles["lan"] if rebound.is_set() else roles["public"]
        rebound.set()
    elif zone == "arena.example" and label in roles:
        wanted = roles[label]
    elif zone != "arena.example":
        return roles["public"], roles["public6"]
    return ("", wanted) if ":" in wanted else (wanted, "")


def dns_answer(question: bytes, resolver: str) -> bytes:
    """Answer one question; a name's own letters are kept, for clients that check them."""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("latin-1"))
        at += question[at] + 1
    kind = struct.unpack_from("!H", question, at + 1)[0]
    name = ".".join(labels)
    note("dns", resolver, 53, name)
    address = dict(zip((A, AAAA), addresses_of(name), strict=True)).get(kind, "") if name else ""
    records = b""
    if address:
        data = ipaddress.ip_address(address).packed
        records = struct.pack("!HHHIH", 0xC00C, kind, 1, 1, len(data)) + data
    header = question[:2] + struct.pack("!HHHHH", 0x8180, 1, 1 if records else 0, 0, 0)
    return header + question[12 : at + 5] + records


class Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, answer = self.request
        # Where it was going is not known here; the packets below say it.
        with contextlib.suppress(OSError, IndexError, struct.error, ValueError):
            if answer.getsockname()[1] == DNS_PORT:
                answer.sendto(dns_answer(data, roles["resolver"]), self.client_address)
            else:
                answer.sendto(b"arena datagram\n", self.client_address)


class Tcp4(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512


class Udp4(socketserver.ThreadingUDPServer):
    daemon_threads = True


class OnlyIpv6(socketserver.TCPServer):
    """Its IPv4 twin has the same port."""

    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()


class Tcp6(OnlyIpv6, Tcp4):
    pass


class Udp6(OnlyIpv6, Udp4):
    pass


# ------------------------------------------------------------------------------------------------- packets
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp"}
# What IPv6 needs to find its neighbours is no message to anybody: RFC 4861. So is a report of a group that stands for an address (RFC 2710,
# RFC 4291), unless that group is a role.
NEIGHBOUR_DISCOVERY = (133, 134, 135, 136)
REPORT, SOLICITED = 131, ipaddress.ip_network("ff02::1:ff00:0/104")


def finds_neighbours(kind: int, address: str) -> bool:
    """Whether a packet of ICMPv6 is of those without which IPv6 does not work."""
    return kind in NEIGHBOUR_DISCOVERY or (kind == REPORT and address not in by_address and ipaddress.ip_address(address) in SOLICITED)


def packet(frame: bytes) -> None:
    """Write down a packet that came: the first of a TCP connection, every other that is not one of TCP's."""
    ether = struct.unpack_from("!H", frame, 12)[0]
    if ether == 0x0800:
        start, protocol = 14 + (frame[14] & 15) * 4, frame[23]
        address = socket.inet_ntop(socket.AF_INET, frame[30:34])
    elif ether == 0x86DD:
        start, protocol = 54, frame[20]
        address = socket.inet_ntop(socket.AF_INET6, frame[38:54])
        if protocol == 0:  # hop-by-hop options, as of a multicast report
            protocol, start = frame[54], 54 + 8 + frame[55] * 8
    else:
        return
    if protocol == 6:
        if frame[start + 13] & 0x12 == 2:
            note("syn", address, struct.unpack_from("!H", frame, start + 2)[0])
    elif protocol == 17:
        note("udp", address, struct.unpack_from("!H", frame, start + 2)[0], frame[start + 8 :])
    elif protocol != 58 or not finds_neighbours(frame[start], address):
        note(PROTOCOLS.get(protocol, f"protocol {protocol}"), address, 0, frame[start:])


def listen_below(card: str) -> None:
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    link.bind((card, 3))
    while True:
        frame, where = link.recvfrom(65536)
        if where[2] != socket.PACKET_OUTGOING:
            with contextlib.suppress(IndexError, struct.error):
                packet(frame)


def main() -> None:
    global log  # noqa: PLW0603 - one process, one log
    log = Path(sys.argv[1]).open("a")  # noqa: SIM115 - open as long as the process lives
    roles.update(json.loads(sys.argv[3]))
    by_address.update({address: role for role, address in roles.items()})
    servers: list[Any] = []
    for tcp, udp, everywhere in ((Tcp4, Udp4, "0.0.0.0"), (Tcp6, Udp6, "::")):  # noqa: S104 - a namespace of its own
        servers += [tcp((everywhere, TCP_PORT), Tcp), udp((everywhere, UDP_PORT), Datagram), udp((everywhere, DNS_PORT), Datagram)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    note("ready", "", 0)
    listen_below(sys.argv[2])


if __name__ == "__main__":
    main()
