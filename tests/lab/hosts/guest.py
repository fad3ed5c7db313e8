"""Root in a machine, the attacker of S13."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.gateway import Host


@pytest.fixture(scope="module")
def root(gateway: Host) -> Iterator[Host]:
    """Root in the guest, with a tool that makes frames by itself, and the guest's own firewall out of the way: root can switch it off."""
    source = (Path(__file__).parent / "packets.py").read_text()
    gateway.run(
        "cat >/root/packets.py <<'PYTHON'\n" + source + "\nPYTHON\nufw --force disable >/dev/null; ping -c1 -W1 10.0.2.2 >/dev/null || true"
    )
    yield gateway
    gateway.run("ufw --force enable; rm /root/packets.py")


def knock(host: Host, address: str, port: int, source: str = "10.0.2.15") -> str:
    return host.run(f"python3 /root/packets.py {address} {port} {source}").strip()
