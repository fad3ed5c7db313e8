"""In passt's place: joins a machine's network card to a network namespace, so that the tests can attack the machine itself from there.

    python3 tap.py FD NAMESPACE

passt(1) answers for every port that it forwards, whatever the guest's firewall does; a scan through it would show nothing. This puts the
machine on a cable instead: a TAP interface with the router's address and one of the public internet (RFC 5737). Frames as passt takes
them: four bytes of length, then Ethernet.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading

# linux/if_tun.h
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def main() -> None:
    machine = socket.socket(fileno=int(sys.argv[1]))
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", b"lp-cable", IFF_TAP | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", "lp-cable", "netns", sys.argv[2]], check=True)
    for address in ("10.0.2.2/24", "198.51.100.9/32"):
        subprocess.run(["ip", "-n", sys.argv[2], "address", "add", address, "dev", "lp-cable"], check=True)
    subprocess.run(["ip", "-n", sys.argv[2], "link", "set", "lp-cable", "up"], check=True)

    def inward() -> None:
        while True:
            frame = os.read(tap, 65536)
            machine.sendall(len(frame).to_bytes(4, "big") + frame)

    threading.Thread(target=inward, daemon=True).start()
    stream = machine.makefile("rb")
    while head := stream.read(4):
        os.write(tap, stream.read(int.from_bytes(head, "big")))


if __name__ == "__main__":
    main()
