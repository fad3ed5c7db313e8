"""Run in a host, as whoever tries: what comes of connections and datagrams. Needs nothing but Python.

    python3 - '[["tcp", "10.20.30.40", 80], ["udp", "10.20.30.40", 161]]' < reach.py

Prints a list of `[outcome, seconds]` as JSON: `reached` when the other side answered, `rejected` when the kernel said no, `silent` when
nothing came back in three seconds, `unresolved` when a name has no address.
"""

from __future__ import annotations

import json
import socket
import sys
import time


def attempt(protocol: str, address: str, port: int) -> str:
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    try:
        found = socket.getaddrinfo(address, port, type=kind)[0]
    except socket.gaierror:
        return "unresolved"
    with socket.socket(*found[:3]) as one:
        one.settimeout(3)  # short: it is what `silent` means
        if kind == socket.SOCK_DGRAM:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            one.connect(found[4])
            one.sendall(b"GET / HTTP/1.0\r\n\r\n" if port != 53 else bytes.fromhex("4c50010000010000000000000000020001"))
            if port == 53 and kind == socket.SOCK_STREAM:
                return "reached"
            return "reached" if one.recv(4096) else "silent"
        except TimeoutError:
            return "silent"
        except OSError:
            return "rejected"


def main() -> None:
    results = []
    for protocol, address, port in json.loads(sys.argv[1]):
        begin = time.monotonic()
        results.append([attempt(protocol, address, port), time.monotonic() - begin])
    print(json.dumps(results))


if __name__ == "__main__":
    main()
