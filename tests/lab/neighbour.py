"""The neighbour that attacks a host of the lab."""

from __future__ import annotations

import subprocess

from tests import lab
from tests.lab import limits


def open_ports(address: str) -> set[int]:
    """Every TCP port that answers the neighbour."""
    family = ["-6"] if ":" in address else []
    scan = [
        "nmap",
        *family,
        "-n",
        "-Pn",
        "-sS",
        "-p-",
        "--min-rate",
        "20000",
        "--max-retries",
        "1",
        "-oG",
        "-",
        address,
    ]
    done = subprocess.run(lab.netns(lab.NEIGHBOUR, *scan), check=True, capture_output=True, text=True, timeout=limits.SCAN)
    ports = next(line for line in done.stdout.splitlines() if "Status" not in line and line.startswith("Host:"))
    return {int(word.split("/")[0]) for word in ports.replace("Ports: ", ", ").split(", ") if "/open/" in word}


def neighbour_reaches(address: str, port: int) -> bool:
    """Whether a connection from the neighbour is accepted."""
    probe = f"import socket; socket.create_connection(({address!r}, {port}), {limits.SILENCE})"
    return subprocess.run(lab.netns(lab.NEIGHBOUR, "python3", "-c", probe), check=False, capture_output=True).returncode == 0
