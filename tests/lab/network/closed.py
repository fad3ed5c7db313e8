"""The arena: a closed world around one host of the lab. Whatever the host sends is answered and written down there, and nothing leaves.

    with Arena("gw1") as arena:
        before = arena.mark()
        arena.run("curl http://10.20.30.40/", user="openclaw")
        assert arena.received("lan", since=before) == []

    python3 -m tests.lab.network.closed up gw1           the same for a shell: until `down gw1`
    python3 -m tests.lab.network.closed run gw1 <FILE    run a shell script in the host, as root
    python3 -m tests.lab.network.closed log gw1          what arrived so far

**Every attempt goes through `run`.** It looks first whether the host's cable is in the arena, and runs nothing when it is not: an arena
that failed must not let an attack out onto a real network.

The host's cable is pulled out of the lab's bridge and plugged into a namespace of its own, `lp-arena-NAME`, which stands where the lab's
router stood (10.213.0.1, fd00:213::1) and takes every address of both families for its own. So the host's only link and only routes
lead there, with nothing changed inside the host but an IPv6 default route and routes to networks on its link.
`tests/lab/doubles/internet.py` answers, with a banner that begins with `arena ROLE`.

Meanwhile the host cannot reach package mirrors, and the lab's neighbour and Ansible cannot reach the host: the arena can, see `exec` and
`site`. The host's resolver, whatever address the lab gave it, is played as well, so names resolve.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests import lab
from tests.lab import limits
from tests.lab.doubles import internet

INTERNET = lab.ROOT / "tests/lab/doubles/internet.py"

# Who is played, and at which address. Each answers on every port.
ADDRESSES = {
    "lan": "10.20.30.40",
    "lan172": "172.20.1.1",
    "lan192": "192.168.1.1",
    "cgnat": "100.64.1.1",
    "linklocal": "169.254.7.7",
    "metadata": "169.254.169.254",
    "metadata6": "fd00:ec2::254",
    "ula": "fd12:3456:789a::1",
    "sitelocal6": "fec0::1",
    "linklocal6": "fe80::a:e:a",  # say on which link: fe80::a:e:a%eth0
    "nat64": "64:ff9b::a14:1e28",  # 10.20.30.40 behind a NAT64 gateway
    "nat64local": "64:ff9b:1::a14:1e28",
    "sixtofour": "2002:a14:1e28::1",
    "teredo": "2001:0:a14:1e28::1",
    "mapped": "::ffff:10.20.30.40",  # the kernel sends it as IPv4: it arrives as `lan`
    "onlink": "203.0.113.130",  # public addresses, and on the host's own link
    "onlink6": "2001:db8:213::40",
    # Where reports of multicast groups go: all of IGMPv3 and of MLDv2, and those of MLDv1 about a group, to itself.
    "reports": "224.0.0.22",
    "reports6": "ff02::16",
    "group6": "ff05::beef:1",
    "group6solicited": "ff02::1:ffbe:ef01",  # of a form that neighbour discovery needs; nobody has such an address
    "benchmarking": "198.18.1.1",
    "reserved": "240.1.2.3",
    "public": "198.51.100.10",
    "public6": "2001:db8:51::10",
    "second": "203.0.113.20",
}
# Ports on which a test may put a service of its own, see `Arena.serve`: those of the scripted model and of the fake Telegram.
SERVICES = (9911, 9912)
ON_LINK = ("203.0.113.128/25", "2001:db8:213::/64")  # the networks of `onlink`
MACHINES_CARD = "$(ip -4 route show default | sed 's/.* dev //; s/ .*//')"
MULTICAST = ("224.0.0.251", "239.1.2.3", "ff02::fb", "ff05::1:3")


@dataclass(frozen=True)
class Event:
    """One thing that arrived.

    kind: `syn` a TCP connection was tried, `tcp` it was accepted, `said` what the peer sent on it; `udp` a datagram with its content,
    `dns` a question with the name as data; `icmp` or `protocol N` any other packet. role: who was addressed, `elsewhere` if nobody of
    ADDRESSES. data: bytes as Latin-1 text.
    """

    kind: str
    role: str
    address: str
    port: int
    data: str
    at: float


class Arena:
    """See above. `addresses` maps roles to addresses; `resolver` is among them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.host = lab.LAPTOP if lab.is_machine(name) else f"lp-{name}"  # where its packets come from
        self.space = f"lp-arena-{name}"
        self.log = lab.STATE / f"arena-{name}.jsonl"
        self.addresses = {**ADDRESSES, "resolver": lab.nameservers()[0]}

    @property
    def cable(self) -> str:
        return f"lpv{lab.hosts_up()[self.name]['number']}"

    # --------------------------------------------------------------------------------------------- set up, take down
    def __enter__(self) -> Arena:
        self.down()
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.down()

    def up(self) -> None:
        cable = self.cable
        ip = ("ip", "-n", self.space)
        lab.run("ip", "netns", "add", self.space)
        lab.run(*ip, "link", "set", "lo", "up")
        lab.run("ip", "link", "set", cable, "nomaster", "netns", self.space)
        lab.run("ip", "link", "add", cable, "type", "bridge")  # or another host of the lab would get the number
        four, six = lab.address(1)
        lab.run(*ip, "address", "add", f"{four}/24", "dev", cable)
        lab.run(*ip, "address", "add", f"{six}/64", "dev", cable, "nodad")
        for address in (f"{ADDRESSES['linklocal6']}/64", f"{ADDRESSES['onlink6']}/128"):  # what neighbour discovery asks for
            lab.run(*ip, "address", "add", address, "dev", cable, "nodad")
        lab.run(*ip, "link", "set", cable, "up")
        # Every address there is, is here; but the host's own, which the link's route names, is not. So both stand in the same table.
        for family in ("-4", "-6"):
            lab.run(*ip, family, "route", "add", "local", "default", "dev", "lo", "table", "main")
        lab.run(*self.exec("nft", "-f", "-"), text_in=self.rules(cable))
        lab.run("ip", "-n", self.host, "-6", "route", "replace", "default", "via", six)
        self.give_routes()
        self.log.write_text("")
        command = [sys.executable, str(INTERNET), str(self.log), cable, json.dumps(self.addresses)]
        subprocess.Popen(self.exec(*command), stdin=subprocess.DEVNULL, start_new_session=True)
        lab.run("ip", "-n", self.host, "neigh", "flush", "dev", "eth0")
        self.wait(lambda: bool(self.events(kinds=("ready",))), "the arena answers")

    def give_routes(self) -> None:
        """Networks with public addresses on the link. For a machine without IPv6 a way out, too: its own rules must say no."""
        if lab.is_machine(self.name):
            given = "; ".join(f"ip route replace {network} dev {MACHINES_CARD}" for network in ON_LINK)
            lab.inside(self.name, f"{given}; ip -6 route replace default dev {MACHINES_CARD}")
        else:
            for network in ON_LINK:
                lab.run("ip", "-n", self.host, "route", "replace", network, "dev", "eth0")

    def restart(self) -> None:
        """Restart the host, which stays in the arena."""
        lab.restart(self.name)
        self.give_routes()

    def down(self) -> None:
        """Plug the host back into the lab's bridge and remove the arena, as far as there is one."""
        if not Path("/run/netns", self.space).exists():
            return
        for pid in lab.run("ip", "netns", "pids", self.space, check=False).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        lab.quiet("ip", "-n", self.host, "-6", "route", "del", "default")
        if lab.is_machine(self.name):
            taken = "; ".join(f"ip route delete {network} dev {MACHINES_CARD}" for network in ON_LINK)
            lab.inside(self.name, f"ip -6 route delete default dev {MACHINES_CARD}; {taken}", check=False)
        else:
            for network in ON_LINK:
                lab.quiet("ip", "-n", self.host, "route", "delete", network, "dev", "eth0")
        cable = self.cable if self.name in lab.hosts_up() else ""
        if cable and lab.quiet("ip", "-n", self.space, "link", "show", cable):
            lab.quiet("ip", "link", "delete", cable)
            lab.quiet("ip", "-n", self.space, "link", "set", cable, "netns", str(os.getpid()))
            lab.quiet("ip", "link", "set", cable, "master", lab.BRIDGE, "up")
            lab.quiet("ip", "-n", self.host, "neigh", "flush", "dev", "eth0")
        lab.run("ip", "netns", "delete", self.space)

    @staticmethod
    def rules(cable: str) -> str:
        """Each packet to the one who answers. Not by `redirect`: for IPv6 that may choose the link-local address."""
        services = ", ".join(str(port) for port in SERVICES)
        four, six = lab.address(1)
        return f"""table inet arena {{
          chain incoming {{ type nat hook prerouting priority dstnat;
            iifname "{cable}" udp dport 53 dnat ip to {four}:{internet.DNS_PORT}
            iifname "{cable}" udp dport 53 dnat ip6 to [{six}]:{internet.DNS_PORT}
            iifname "{cable}" meta l4proto udp dnat ip to {four}:{internet.UDP_PORT}
            iifname "{cable}" meta l4proto udp dnat ip6 to [{six}]:{internet.UDP_PORT}
            iifname "{cable}" tcp dport != {{ {services} }} dnat ip to {four}:{internet.TCP_PORT}
            iifname "{cable}" tcp dport != {{ {services} }} dnat ip6 to [{six}]:{internet.TCP_PORT}
          }}
        }}"""

    # --------------------------------------------------------------------------------------------- look
    def mark(self) -> int:
        """A point in time, for `since`."""
        return len(self.log.read_text().splitlines())

    def events(self, *, since: int = 0, kinds: Iterable[str] = ()) -> list[Event]:
        """All that arrived since a mark, of certain kinds or of any but the arena's own."""
        rows = [Event(**json.loads(line)) for line in self.log.read_text().splitlines()[since:]]
        return [event for event in rows if (event.kind in kinds if kinds else event.kind != "ready")]

    def received(self, role: str, *, since: int = 0, port: int = 0) -> list[Event]:
        """What arrived for a role, on a certain port or on any."""
        return [event for event in self.events(since=since) if event.role == role and port in (0, event.port)]

    def names(self, *, since: int = 0) -> list[str]:
        """The DNS names that were asked for."""
        return [event.data for event in self.events(since=since, kinds=("dns",))]

    def leaked(self, canary: str, *, since: int = 0) -> list[Event]:
        """Whatever carried the canary out: in a payload, or in a name, where it may be cut into labels."""
        wanted = canary.lower()
        return [event for event in self.events(since=since) if wanted in (text := event.data.lower()) or wanted in text.replace(".", "")]

    def site(self, *arguments: str, playbook: str = "site.yml") -> subprocess.CompletedProcess[str]:
        """Run a playbook on the host as an operator next to it does, on a machine from its laptop. Archives must be cached and packages
        installed."""
        place = lab.netns(lab.LAPTOP) if lab.is_machine(self.name) else self.exec()
        return lab.site(self.name, *arguments, playbook=playbook, through=tuple(place))

    @staticmethod
    def wait(condition: Any, what: str) -> None:
        deadline = time.monotonic() + limits.ARENA
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(limits.waited(limits.ARENA, what))
            time.sleep(0.05)

    # --------------------------------------------------------------------------------------------- act
    def check_closed(self) -> None:
        """Raise unless the host's only cable ends in the arena."""
        links = json.loads(lab.run("ip", "-n", self.host, "-json", "link", "show"))
        away = [link["ifname"] for link in links if link["ifname"] != "lo" and "master" not in link and "link_index" in link]
        here = lab.quiet("ip", "-n", self.space, "link", "show", self.cable)
        if not here or away != ["eth0"]:
            raise RuntimeError(f"{self.name} is not in the arena: nothing is tried")

    def run(self, script: str, *, user: str = "root") -> tuple[int, str]:
        """Run a shell script in the host, if it is in the arena; return code and all output."""
        self.check_closed()
        done = subprocess.run(
            [*lab.door(self.name), "runuser", "-u", user, "--", "bash", "-s"], check=False, capture_output=True, text=True, input=script
        )
        return done.returncode, done.stdout + done.stderr

    def exec(self, *command: str) -> list[str]:
        """The command line that runs a command in the arena: as a neighbour of the host, or as its operator."""
        return lab.netns(self.space, *command)

    def serve(self, module: str, port: int) -> subprocess.Popen[bytes]:
        """Run the double `tests.lab.doubles.MODULE`, an HTTP server, on one of SERVICES at every address; it ends with the arena."""
        program = f"import http.server as h; from tests.lab.doubles import {module} as m; "
        program += f"h.ThreadingHTTPServer(('', {port}), m.Handler).serve_forever()"
        environment = {**os.environ, "PYTHONPATH": str(lab.ROOT)}
        process = subprocess.Popen(self.exec(sys.executable, "-c", program), env=environment, stdin=subprocess.DEVNULL)
        self.wait(lambda: lab.run(*self.exec("ss", "-Hltn", f"sport = :{port}")) != "", f"{module} listens")
        return process


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.lab.network.closed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=["up", "down", "run", "log"])
    parser.add_argument("name")
    arguments = parser.parse_args()
    arena = Arena(arguments.name)
    if arguments.verb == "log":
        print(arena.log.read_text(), end="")
    elif arguments.verb == "down":
        arena.down()
    elif arguments.verb == "run":
        code, said = arena.run(sys.stdin.read())
        print(said, end="")
        raise SystemExit(code)
    else:
        arena.__enter__()


if __name__ == "__main__":
    main()
