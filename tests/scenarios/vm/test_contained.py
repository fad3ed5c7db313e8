"""S13: root in the guest against the computer that runs it. The computer is the lab's laptop, a namespace: no probe leaves this machine."""

from __future__ import annotations

import functools
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import lab
from tests.lab import limits
from tests.lab.gateway import Host, wait_for
from tests.lab.hosts.guest import knock
from tests.lab.hosts.packets import syn

LISTENER = 9000
LAPTOP, SECOND_ADDRESS = lab.address(lab.LAPTOP_NUMBER)[0], "10.213.7.7"
PUBLIC = "198.51.100.9"  # a documentation address that the neighbour has: it plays the public internet
HOME = lab.VMS / "openclaw"
SERVE = f"import http.server as h; h.ThreadingHTTPServer(('0.0.0.0', {LISTENER}), h.SimpleHTTPRequestHandler).serve_forever()"


def answers(address: str) -> bool:
    probe = f"import socket; socket.create_connection(({address!r}, {LISTENER}), {limits.SILENCE})"
    return lab.quiet(*lab.netns(lab.LAPTOP, "python3", "-c", probe))


@pytest.fixture(scope="module", autouse=True)
def listeners() -> Iterator[None]:
    """The laptop and the neighbour listen on every address they have, the laptop on a second one, too; all accept when the laptop asks."""
    lab.quiet("ip", "-n", lab.LAPTOP, "address", "add", f"{SECOND_ADDRESS}/32", "dev", "lo")
    lab.quiet("ip", "-n", lab.NEIGHBOUR, "address", "add", f"{PUBLIC}/32", "dev", "lo")
    lab.quiet("ip", "-n", lab.LAPTOP, "route", "add", f"{PUBLIC}/32", "via", lab.address(250)[0])
    servers = [
        subprocess.Popen(lab.netns(name, "python3", "-c", SERVE), cwd="/var/empty" if Path("/var/empty").is_dir() else "/")
        for name in (lab.LAPTOP, lab.NEIGHBOUR)
    ]
    for address in ("127.0.0.1", LAPTOP, SECOND_ADDRESS, PUBLIC):
        wait_for(functools.partial(answers, address), f"{address} listens")
    yield
    for server in servers:
        server.kill()
        server.wait()


def connect(host: Host, address: str, port: int) -> str:
    return host.run(f"timeout {limits.SILENCE} bash -c 'echo >/dev/tcp/{address}/{port}' 2>/dev/null && echo open || echo no").strip()


def test_the_way_out_is_open(root: Host) -> None:
    """What the other tests rest on: a listener that may be reached is reached, by the kernel and by frames of our own."""
    assert connect(root, PUBLIC, LISTENER) == "open"
    assert knock(root, PUBLIC, LISTENER) == "open"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "10.0.2.2", LAPTOP, SECOND_ADDRESS, "0.0.0.0"])  # noqa: S104 - a destination
def test_the_computer_is_out_of_reach(root: Host, address: str) -> None:
    """S13: loopback in any spelling, the router that stands for it, each of the computer's own addresses."""
    assert knock(root, address, LISTENER) == "silent"


def test_its_own_ssh_port_is_out_of_reach(root: Host) -> None:
    """S13: the port on the computer's loopback that leads to this machine. Another machine's: tests/scenarios/machine."""
    port = json.loads((HOME / "machine.json").read_text())["port"]
    for address in ("127.0.0.1", "10.0.2.2", LAPTOP):
        assert knock(root, address, port) == "silent"


@pytest.mark.parametrize("source", [LAPTOP, "10.0.2.99", "127.0.0.1"])
def test_another_source_address_does_not_help(root: Host, source: str) -> None:
    """S13: a guest that gives itself another address, the computer's own even."""
    for address in ("127.0.0.1", LAPTOP, SECOND_ADDRESS):
        assert knock(root, address, LISTENER, source) == "silent"


def test_private_networks_are_out_of_reach(root: Host) -> None:
    """The LAN behind the computer: a neighbour on it that listens."""
    assert connect(root, lab.address(250)[0], LISTENER) == "no"


@pytest.mark.parametrize("address", ["127.0.0.1", LAPTOP])
def test_passt_alone_would_let_it_through(address: str) -> None:
    """The gate's mutation: the same frame, given to passt as configured, without the gate between, reaches the computer."""
    ours, its = socket.socketpair()
    configured = json.loads((HOME / "machine.json").read_text())["run"]["passt"]
    at = configured.index("--tcp-ports")  # the port leads to the machine that runs
    argv = [word.format(net=its.fileno()) for word in configured[:at] + configured[at + 2 :]]
    passt = subprocess.Popen(lab.netns(lab.LAPTOP, *argv), pass_fds=[its.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    its.close()
    try:
        frame = bytes(6) + bytes.fromhex("525400123456") + b"\x08\x00" + syn("10.0.2.15", address, 40001, LISTENER)
        ours.settimeout(limits.ANSWER)
        ours.sendall(len(frame).to_bytes(4, "big") + frame)
        while True:
            answer = ours.recv(65536)[4:]
            if answer[12:14] == b"\x08\x00" and answer[23] == 6:
                break
        assert answer[14 + 20 + 13] & 0x12 == 0x12  # SYN and ACK: the computer accepts
    finally:
        passt.kill()
        passt.wait()
        ours.close()


def test_none_of_its_files(root: Host) -> None:
    """S13: no shared folder, no host device: the disks are the machine's own and its seed, which it cannot write."""
    assert root.run("lsblk --noheadings --nodeps --output NAME,TYPE,RO").split() == ["vda", "disk", "0", "vdb", "disk", "1"]
    assert root.run("grep -cE '9p|virtiofs|vboxsf|hgfs' /proc/mounts || true").strip() == "0"
    assert root.run("(ls /dev/virtio-ports 2>/dev/null || true) | wc -l").strip() == "0"
    shown = root.run("cat /proc/bus/pci/devices").split("\n")
    assert sorted(line.split("\t")[1] for line in shown if line) == PCI


# Vendor and device: what q35 consists of (8086), and four of virtio: two disks, a network card, randomness.
PCI = sorted(["1af41001", "1af41001", "1af41000", "1af41005", "808629c0", "80862918", "80862922"])


def test_qemu_is_confined() -> None:
    """S13: what broke out of the guest into qemu finds a process that may start no program and gain no right, with nothing listening."""
    pid = subprocess.run(["pgrep", "-f", "qemu-system.*-qmp unix:qmp.sock"], check=True, capture_output=True, text=True).stdout.split()[0]
    status = Path(f"/proc/{pid}/status").read_text()
    assert "Seccomp:\t2" in status
    listening = subprocess.run(lab.netns(lab.LAPTOP, "ss", "-HltnpO"), check=True, capture_output=True, text=True).stdout
    port = json.loads((HOME / "machine.json").read_text())["port"]
    ours = [line.split()[3] for line in listening.splitlines() if "qemu" in line or "passt" in line]
    assert ours == [f"127.0.0.1:{port}"]
