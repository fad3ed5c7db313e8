"""Run in the guest as root: one TCP connection attempt in frames of its own, below what the guest's kernel would refuse to send.

    python3 packets.py DESTINATION PORT [SOURCE]

Prints `open` when the peer accepts, `closed` when it refuses, `silent` when nothing comes back in two seconds. Sources: RFC 791, RFC 9293.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from pathlib import Path


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def syn(source: str, destination: str, sport: int, dport: int) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    tcp = struct.pack(">HHIIBBHHH", sport, dport, 1000, 0, 5 << 4, 2, 64240, 0, 0)
    tcp = tcp[:16] + struct.pack(">H", checksum(addresses + struct.pack(">BBH", 0, 6, len(tcp)) + tcp)) + tcp[18:]
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + addresses
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + tcp


def main() -> None:
    destination, port = sys.argv[1], int(sys.argv[2])
    source = sys.argv[3] if len(sys.argv) > 3 else "10.0.2.15"
    card = next(path.name for path in Path("/sys/class/net").iterdir() if path.name != "lo" and (path / "device").exists())
    router = next(line.split()[3] for line in Path("/proc/net/arp").read_text().splitlines() if line.startswith("10.0.2.2 "))
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    link.bind((card, 0x0800))
    link.settimeout(0.2)
    ours = bytes.fromhex(Path(f"/sys/class/net/{card}/address").read_text().strip().replace(":", ""))
    theirs = bytes.fromhex(router.replace(":", ""))
    sport = 40000 + time.monotonic_ns() % 20000
    link.send(theirs + ours + b"\x08\x00" + syn(source, destination, sport, port))
    deadline = time.monotonic() + 2  # short: nothing coming back is what most tests look for
    while time.monotonic() < deadline:
        try:
            frame = link.recv(65536)
        except TimeoutError:
            continue
        start = 14 + (frame[14] & 15) * 4
        if frame[23] == 6 and struct.unpack_from(">HH", frame, start) == (port, sport):
            print("open" if frame[start + 13] & 0x12 == 0x12 else "closed")
            return
    print("silent")


if __name__ == "__main__":
    main()
