#!/usr/bin/env python3
"""What the table of roles/egress costs: throughput, connections and datagrams a second with it and without it.

    sudo .venv/bin/python benchmarks/egress.py HOST
    sudo LAB_HOST=HOST .venv/bin/python benchmarks/egress.py HOST --starts    how long the gateway takes to get ready with it and without

HOST is a converged host of the lab; its table is read and loaded into a namespace that is made for this, beside another that plays the
internet. Nothing leaves them. The measuring process has the number of the gateway's user. In turns, with it first or last;
each turn gives a ratio, and their median counts. How far they lie apart says how quiet the computer was.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests import lab

NEAR, FAR = "lp-bench-near", "lp-bench-far"
HERE, ROUTER, PEER = "203.0.113.1", "203.0.113.2", "198.51.100.2"  # behind the router: what is on the link is rejected
PORT = 9000
TURNS = 9
SECONDS = 1
TABLE = "inet lobsterpot_egress"

# Takes what comes and throws it away; a connection that says nothing is answered with a byte.
SINK = f"""
import socket, threading
def serve(one):
    data = memoryview(bytearray(1 << 20))
    one.sendall(b"x")
    while one.recv_into(data):
        pass
    one.close()
listening = socket.create_server(("", {PORT}), backlog=4096)
while True:
    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
"""

# Prints MB a second of one connection, connections a second one after the other, datagrams a second, rejected connections a second.
MEASURE = f"""
import json, socket, time
peer = ("{PEER}", {PORT})
def rate(work, seconds={SECONDS}):
    begin, count = time.monotonic(), 0
    while time.monotonic() < begin + seconds:
        count += work()
    return count / (time.monotonic() - begin)
block = b"x" * (1 << 18)
stream = socket.create_connection(peer)
stream.recv(1)
def send():
    stream.sendall(block)
    return len(block) / 1e6
def connect():
    with socket.create_connection(peer) as one:
        one.recv(1)
    return 1
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.connect(peer)
def datagram():
    try:
        datagrams.send(b"x" * 100)
    except OSError:
        pass
    return 1
found = {{"MB/s": rate(send), "connections/s": rate(connect), "datagrams/s": rate(datagram)}}
print(json.dumps(found))
"""

REJECTED = """
import json, socket, time
def refused():
    try:
        socket.create_connection(("169.254.169.254", 80), 5).close()
        return 1e9
    except OSError:
        return 1
begin = time.monotonic()
count = sum(refused() for _ in range(500))
print(json.dumps({"microseconds": (time.monotonic() - begin) / count * 1e6}))
"""


def inside(space: str, *command: str) -> list[str]:
    return ["ip", "netns", "exec", space, *command]


def measure(program: str, user: int) -> dict[str, float]:
    who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
    figures: dict[str, float] = json.loads(lab.run(*inside(NEAR, *who, "python3", "-I", "-"), text_in=program))
    return figures


def namespaces() -> None:
    for space in (NEAR, FAR):
        lab.run("ip", "netns", "add", space)
        lab.run("ip", "-n", space, "link", "set", "lo", "up")
    lab.run("ip", "-n", NEAR, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", FAR)
    for space, address in ((NEAR, HERE), (FAR, ROUTER)):
        lab.run("ip", "-n", space, "address", "add", f"{address}/24", "dev", "eth0")
        lab.run("ip", "-n", space, "link", "set", "eth0", "up")
    lab.run("ip", "-n", NEAR, "route", "add", "default", "via", ROUTER)
    lab.run("ip", "-n", FAR, "address", "add", f"{PEER}/32", "dev", "lo")
    # Connections are followed in both cases, as on a host with UFW.
    lab.run(*inside(NEAR, "nft", "add table inet follow; add chain inet follow in { type filter hook input priority 0; }"))
    lab.run(*inside(NEAR, "nft", "add rule inet follow in ct state invalid drop"))


def starts(name: str) -> None:
    """In a closed network, in turns: what is rejected, not dropped, keeps the gateway waiting for nothing."""
    from tests.lab.gateway import UNIT, Host  # noqa: PLC0415 - they read LAB_HOST
    from tests.lab.network.closed import Arena  # noqa: PLC0415

    host, rows = Host(), {"with": list[float](), "without": list[float]()}
    with Arena(name) as closed:
        for turn in range(2 * TURNS):
            phase = ("with", "without")[turn % 2]
            host.run("/usr/local/lib/lobsterpot/load-egress" if phase == "with" else f"nft delete table {TABLE}")
            closed.check_closed()
            begin = time.monotonic()
            host.run(f"systemctl restart {UNIT}")
            host.wait_until_ready()
            rows[phase].append(time.monotonic() - begin)
        host.run("/usr/local/lib/lobsterpot/load-egress")
    best = {phase: min(seconds) for phase, seconds in rows.items()}
    print(f"ready after {best['with']:.1f} s with the table, {best['without']:.1f} s without: {best['with'] / best['without']:.2f}")


def main() -> None:
    name = sys.argv[1]
    if "--starts" in sys.argv:
        starts(name)
        return
    table = lab.inside(name, f"nft --stateless list table {TABLE}")
    user = int(lab.inside(name, "id -u openclaw"))
    rows: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
    rejected: list[float] = []
    namespaces()
    server = subprocess.Popen(inside(FAR, "python3", "-I", "-c", SINK))
    try:
        while not lab.run(*inside(FAR, "ss", "-Hltn", f"sport = :{PORT}")):
            time.sleep(0.05)
        for turn in range(TURNS):
            for phase in ("with", "without") if turn % 2 else ("without", "with"):
                if phase == "with":
                    lab.run(*inside(NEAR, "nft", "-f", "-"), text_in=table)
                    rejected.append(measure(REJECTED, user)["microseconds"])
                rows[phase].append(measure(MEASURE, user))
                if phase == "with":
                    lab.run(*inside(NEAR, "nft", "delete", "table", *TABLE.split()))
    finally:
        server.kill()
        server.wait()
        for space in (NEAR, FAR):
            lab.quiet("ip", "netns", "delete", space)
    print(f"| {time.strftime('%H:%M')}, median of {TURNS} | with | without | ratio | from | to |\n|---|---|---|---|---|---|")
    for what in rows["with"][0]:
        middle = {phase: median(row[what] for row in found) for phase, found in rows.items()}
        ratios = [there[what] / away[what] for there, away in zip(rows["with"], rows["without"], strict=True)]
        figures = f"{middle['with']:,.0f} | {middle['without']:,.0f} | {median(ratios):.2f} | {min(ratios):.2f} | {max(ratios):.2f}"
        print(f"| {what} | {figures} |")
    print(f"\nA rejected connection has its answer after {median(rejected):.0f} microseconds ({min(rejected):.0f} to {max(rejected):.0f}).")


if __name__ == "__main__":
    main()
