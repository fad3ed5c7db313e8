"""S6: the gateway's user and its sandboxes reach nothing private. In the arena each attempt succeeds as soon as the table is away."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import lab
from tests.lab import limits
from tests.lab.gateway import NAME, RUN_AS, UNIT, USER, Host, wait_for
from tests.lab.network.closed import ADDRESSES, MULTICAST, Arena

REACH = (Path(__file__).parent / "reach.py").read_text()
TABLE = "inet lobsterpot_egress"
LISTENER = 8083
LOAD = "/usr/local/lib/lobsterpot/load-egress"


class Try(NamedTuple):
    protocol: str
    address: str
    port: int


class Outcome(NamedTuple):
    what: str
    seconds: float


PRIVATE = (
    *("lan", "lan172", "lan192", "cgnat", "linklocal", "metadata", "benchmarking", "reserved", "mapped"),
    *("metadata6", "ula", "sitelocal6", "nat64", "nat64local", "sixtofour", "teredo"),
)

SHUT: dict[str, Try] = {
    **{f"{role}": Try("tcp", ADDRESSES[role], 80) for role in PRIVATE},
    **{f"{role}, by UDP": Try("udp", ADDRESSES[role], 161) for role in PRIVATE},
    "link-local IPv6": Try("tcp", ADDRESSES["linklocal6"] + "%eth0", 80),
    "a device on the link": Try("tcp", ADDRESSES["onlink"], 443),
    "a device on the link, by UDP": Try("udp", ADDRESSES["onlink"], 443),
    "a device on the link, IPv6": Try("tcp", ADDRESSES["onlink6"], 443),
    "a device on the link, IPv6 and UDP": Try("udp", ADDRESSES["onlink6"], 443),
    **{f"mail, port {port}": Try("tcp", ADDRESSES["public"], port) for port in (25, 465, 587)},
    "mail, IPv6": Try("tcp", ADDRESSES["public6"], 25),
    # Other ways to say 169.254.169.254, and names that lead there.
    "metadata as a number": Try("tcp", "2852039166", 80),
    "metadata in hex": Try("tcp", "0xa9fea9fe", 80),
    "metadata in octal": Try("tcp", "0251.0376.0251.0376", 80),
    "metadata in three parts": Try("tcp", "169.254.43518", 80),
    "metadata, mapped": Try("tcp", "::ffff:a9fe:a9fe", 80),
    "metadata behind NAT64": Try("tcp", "64:ff9b::a9fe:a9fe", 80),
    "metadata by name": Try("tcp", "metadata.arena.example", 80),
    "metadata by a name in hex": Try("tcp", "a9fea9fe.hex.arena.example", 80),
    "the LAN by name": Try("tcp", "lan.arena.example", 80),
    "DNS in the LAN": Try("udp", ADDRESSES["lan"], 53),
}
# These have no answer to wait for: what counts is whether they arrive.
TO_MANY: dict[str, Try] = {
    **{f"multicast {address}": Try("udp", address + ("%eth0" if address.startswith("ff02") else ""), 5353) for address in MULTICAST},
    "broadcast": Try("udp", "255.255.255.255", 67),
}
# Answered by a listener of root's on the host itself.
ON_THE_HOST = {
    "loopback": Try("tcp", "127.0.0.1", LISTENER),
    "loopback, another address": Try("tcp", "127.8.8.8", LISTENER),
    "loopback as zero": Try("tcp", "0.0.0.0", LISTENER),  # noqa: S104 - a destination
    "loopback, IPv6": Try("tcp", "::1", LISTENER),
    "loopback, mapped": Try("tcp", "::ffff:127.0.0.1", LISTENER),
    "SSH on loopback": Try("tcp", "127.0.0.1", 2022),
}
OPEN = {
    "the public internet": Try("tcp", ADDRESSES["public"], 443),
    "the public internet, IPv6": Try("tcp", ADDRESSES["public6"], 443),
    "the public internet, by name": Try("tcp", "www.example.org", 80),
    "the public internet, by UDP": Try("udp", ADDRESSES["second"], 443),
    "the resolver": Try("udp", lab.nameservers()[0], 53),
    "the resolver, by TCP": Try("tcp", lab.nameservers()[0], 53),
    "the gateway itself": Try("tcp", "127.0.0.1", 18789),
    "the gateway itself, IPv6": Try("tcp", "::1", 18789),
}


def reach(arena: Arena, tries: list[Try], user: str = USER) -> list[Outcome]:
    """Have a user of the host try; return what came of each."""
    code, said = arena.run(f"python3 - {shlex.quote(json.dumps(tries))} <<'PYTHON'\n{REACH}\nPYTHON\n", user=user)
    assert code == 0, said
    return [Outcome(*row) for row in json.loads(said)]


def shut(arena: Arena) -> bool:
    """Whether the wall stands: one attempt on the LAN and one on the metadata service."""
    return [outcome.what for outcome in reach(arena, [SHUT["lan"], SHUT["metadata"]])] == ["rejected", "rejected"]


@pytest.fixture(scope="module")
def arena(gateway: Host) -> Iterator[Arena]:
    """The host in a closed world; a network for a sandbox that should have none was installed before."""
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends slirp4netns >/dev/null 2>&1"
    gateway.run(f"command -v slirp4netns >/dev/null || {{ apt-get update -qq; {install}; }}")
    gateway.run(f"systemd-run --quiet --unit egress-listener python3 -m http.server {LISTENER} --bind :: --directory /srv")
    with Arena(NAME) as closed:
        wait_for(lambda: gateway.code(f"ss -Hltn sport = :{LISTENER} | grep -q .") == 0, "the listener listens")
        yield closed
    gateway.run("systemctl stop egress-listener 2>/dev/null || true")


class Phase(NamedTuple):
    """What came of each attempt, and what arrived in the arena meanwhile."""

    outcomes: dict[str, Outcome]
    arrived: set[tuple[str, int]]


def everything(arena: Arena, host: Host) -> Phase:
    tries = {**SHUT, **TO_MANY, **ON_THE_HOST, **OPEN, **own(host)}
    before = arena.mark()
    outcomes = dict(zip(tries, reach(arena, list(tries.values())), strict=True))
    return Phase(outcomes, {(event.address, event.port) for event in arena.events(since=before)})


def own(host: Host) -> dict[str, Try]:
    return {"its own address": Try("tcp", host.ipv4, LISTENER), "its own address, IPv6": Try("tcp", host.ipv6, LISTENER)}


@pytest.fixture(scope="module")
def phases(arena: Arena, gateway: Host) -> dict[str, Phase]:
    """All attempts with the table, without it, and with it again."""
    found = {"with": everything(arena, gateway)}
    gateway.run(f"nft delete table {TABLE}")
    try:
        found["without"] = everything(arena, gateway)
    finally:
        gateway.run(LOAD)
    assert shut(arena)
    return found


@pytest.mark.parametrize("name", [*SHUT, *ON_THE_HOST, "its own address", "its own address, IPv6"])
def test_what_is_private_is_rejected_at_once(phases: dict[str, Phase], name: str) -> None:
    """S6: an answer within a second, so that nothing waits for a timeout. Without the table the same attempt gets its answer from there."""
    assert phases["with"].outcomes[name].what == "rejected"
    assert phases["with"].outcomes[name].seconds < 1
    assert phases["without"].outcomes[name].what == "reached"


@pytest.mark.parametrize("name", OPEN)
def test_what_is_needed_stays_open(phases: dict[str, Phase], name: str) -> None:
    """The public internet, the resolver on its port, the gateway's own port."""
    assert phases["with"].outcomes[name].what == "reached"


def test_nothing_private_arrives(phases: dict[str, Phase]) -> None:
    """S6: seen from the other side. Of all that was tried, and of all that the host did meanwhile, only the open ones arrive."""
    allowed = {("198.51.100.10", 443), ("2001:db8:51::10", 443), ("198.51.100.10", 80), ("203.0.113.20", 443), (lab.nameservers()[0], 53)}
    # The host's clock asks for the time at the address to which every name leads.
    assert phases["with"].arrived - allowed - {("198.51.100.10", 123)} == set()


@pytest.mark.parametrize("name", TO_MANY)
def test_nothing_is_said_to_many(phases: dict[str, Phase], name: str) -> None:
    """S6: multicast and broadcast do not leave; without the table they do."""
    where = (TO_MANY[name].address.partition("%")[0], TO_MANY[name].port)
    assert where not in phases["with"].arrived
    assert where in phases["without"].arrived


def test_root_is_not_meant(arena: Arena) -> None:
    """The host's own work goes on: root reaches the LAN, its mail server and its loopback."""
    tries = [SHUT["lan"], SHUT["mail, port 25"], ON_THE_HOST["loopback"]]
    assert [outcome.what for outcome in reach(arena, tries, user="root")] == ["reached"] * 3


def test_what_is_rejected_is_counted_and_logged(arena: Arena, gateway: Host) -> None:
    """Whoever tries is seen: a counter for each kind, and a line in the kernel's log, not more than ten a minute."""

    def count(name: str) -> int:
        return int(gateway.run(f"nft -j list counter {TABLE} {name} | grep -o '\"packets\": [0-9]*' | grep -o '[0-9]*$'"))

    kinds = {"metadata": SHUT["metadata"], "private": SHUT["lan"], "smtp": SHUT["mail, port 25"], "own": ON_THE_HOST["loopback"]}
    before = {name: count(name) for name in kinds}
    reach(arena, list(kinds.values()))
    assert {name for name in kinds if count(name) > before[name]} == set(kinds)
    rules = gateway.run(f"nft list chain {TABLE} refuse")
    assert 'limit rate 10/minute burst 20 packets log prefix "lobsterpot egress: "' in rules


INSIDE = f"""
import socket
try:
    socket.create_connection(("10.20.30.40", 80), {limits.SILENCE}).recv(1)
    print("reached")
except OSError:
    print("rejected")
"""


@pytest.mark.parametrize("network", ["host", "slirp4netns"])
@pytest.mark.parametrize("user", ["0:0", "1000:1000"])
def test_a_sandbox_with_a_network_is_no_way_round(arena: Arena, gateway: Host, network: str, user: str) -> None:
    """S6: whoever became the gateway's user can start containers that do have a network. Their numbers are the user's subordinate ones."""
    image = gateway.run(f"{RUN_AS} podman image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' localhost/openclaw-sandbox").split()[0]
    command = f"{RUN_AS} podman run --rm --network {network} --user {user} {image} python3 -c {shlex.quote(INSIDE)}"
    assert arena.run(command)[1].split()[-1] == "rejected"
    gateway.run(f"nft delete table {TABLE}")
    try:
        assert arena.run(command)[1].split()[-1] == "reached"
    finally:
        gateway.run(LOAD)


MULTIPATH = f"""
import socket
try:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as one:
        one.settimeout({limits.SILENCE})
        one.connect(("10.20.30.40", 80))
        print("reached")
except OSError as error:
    print(error.strerror)
"""


def test_no_socket_whose_owner_cannot_be_seen(arena: Arena, gateway: Host) -> None:
    """S6: multipath connections are made of sockets of the kernel's own. There are none; on this kernel the table would see them."""
    script = f"python3 - <<'PYTHON'\n{MULTIPATH}\nPYTHON\n"
    assert arena.run(script, user=USER)[1].strip() == "Protocol not available"
    gateway.run("sysctl -qw net.mptcp.enabled=1")
    try:
        assert arena.run(script, user=USER)[1].strip() == "Connection refused"
    finally:
        gateway.run("sysctl -qw net.mptcp.enabled=0")


HOLD = f"""
import socket, sys
one = socket.create_connection(("10.20.30.40", 7), {limits.ANSWER})
print("connected", flush=True)
sys.stdin.readline()
try:
    for _ in range(50):
        one.sendall(b"x" * 1000)
        one.settimeout(0.1)  # short: the other side says nothing
        try:
            one.recv(1000)
        except TimeoutError:
            pass
    print("still open")
except OSError:
    print("ended")
"""


def test_a_connection_that_is_open_ends(arena: Arena, gateway: Host) -> None:
    """S6: what was let through while the table was away does not go on when it is back."""
    gateway.run(f"cat >/tmp/hold.py <<'PYTHON'\n{HOLD}\nPYTHON\nmkfifo -m 0666 /tmp/hold.in; nft delete table {TABLE}")
    try:
        arena.check_closed()
        script = f"exec 3<>/tmp/hold.in; runuser -u {USER} -- python3 /tmp/hold.py <&3 >/tmp/hold.out 2>&1"
        gateway.run(f"systemd-run --quiet --collect --unit hold bash -c {shlex.quote(script)}")
        wait_for(lambda: "connected" in gateway.run("cat /tmp/hold.out 2>/dev/null || true"), "it is connected")
        gateway.run(f"{LOAD}; echo >/tmp/hold.in")
        wait_for(lambda: len(gateway.run("cat /tmp/hold.out").split()) > 1, "it went on")
        assert "ended" in gateway.run("cat /tmp/hold.out")
    finally:
        gateway.run(f"{LOAD}; systemctl stop hold 2>/dev/null || true; rm -f /tmp/hold.*")


# ------------------------------------------------------------------------------------------------- it stays
DISTURBANCES = {
    "ufw reload": "ufw reload",
    "ufw off and on": "ufw disable && ufw --force enable",
    "everything flushed, nftables restarted": "nft flush ruleset; systemctl restart nftables",
    "nftables reloaded": "systemctl reload nftables",
    "nftables stopped": "systemctl stop nftables",
    "fail2ban restarted": "systemctl restart fail2ban",
    "its own unit reloaded": "systemctl reload lobsterpot-egress",
}


@pytest.mark.parametrize("script", DISTURBANCES.values(), ids=DISTURBANCES.keys())
def test_it_survives(arena: Arena, gateway: Host, script: str) -> None:
    """S6, S1: neither UFW's nor nftables' own comings and goings leave a gap behind, in the forward table as little."""
    gateway.run("systemctl is-active -q nftables || systemctl start nftables")
    try:
        gateway.run(f"({script}) >/dev/null 2>&1")
        assert shut(arena)
        assert gateway.run("nft list table inet lobsterpot_forward").count(" drop") == 3
    finally:
        gateway.run("(ufw disable; ufw --force enable) >/dev/null")


def test_resolvers_that_come_late(gateway: Host) -> None:
    """S10: at boot the table is loaded before systemd-resolved has written who may be asked. What watches the resolvers loads it again."""
    known = f"nft list set {TABLE} resolvers | grep -o 'elements.*'"
    resolvers = gateway.run(known)
    gateway.run(f"nft flush set {TABLE} resolvers; systemctl restart lobsterpot-resolvers.path")
    wait_for(lambda: gateway.run(f"{known} || true") == resolvers, "the resolvers are known again")


def test_it_follows_the_resolvers(arena: Arena, gateway: Host) -> None:
    """A host that gets another resolver can ask it, in the LAN too, on its port; and the one that went is shut again."""
    resolver = Try("udp", ADDRESSES["lan"], 53)
    keep = gateway.run("cat /etc/resolv.conf")
    gateway.run(f"echo 'nameserver {ADDRESSES['lan']}' >>/etc/resolv.conf")
    try:
        wait_for(lambda: reach(arena, [resolver])[0].what == "reached", "the new resolver is let through")
        assert reach(arena, [SHUT["lan"]])[0].what == "rejected"
    finally:
        gateway.run(f"cat >/etc/resolv.conf <<'END'\n{keep}END\n")
    wait_for(lambda: reach(arena, [resolver])[0].what == "rejected", "the old one is shut")


def test_it_learns_of_new_addresses(arena: Arena, gateway: Host) -> None:
    """Neighbours behind a switch that listens to reports find an IPv6 address that the host gets later. Nobody else's report leaves."""
    change = "ip address {} 2001:db8:213::be:ef01/128 dev eth0"
    group = ADDRESSES["group6solicited"]  # of that address
    before = arena.mark()
    gateway.run(change.format("add"))
    try:
        wait_for(lambda: group in gateway.run(f"nft list set {TABLE} groups"), "the kernel has looked for others with the address")
        # Reported at once when it comes again; the second report of the first time may have been too early.
        gateway.run(f"{change.format('delete')}; {change.format('add')}")
        wait_for(lambda: bool(arena.received("group6solicited", since=before)), "the group is reported")
    finally:
        gateway.run(change.format("delete"))
    assert arena.received("reports", since=before) + arena.received("reports6", since=before) == []


def run_with(arena: Arena, tmp_path: Path, variables: dict[str, object]) -> tuple[int, str]:
    file = tmp_path / "variables.json"
    file.write_text(json.dumps(variables))
    done = arena.site("--tags", "egress", "--extra-vars", f"@{file}")
    return done.returncode, " ".join(done.stdout.split())


EXCEPTION = {"address": "10.20.30.40", "port": 8080, "protocol": "tcp", "comment": "a service in the LAN"}
MODEL = {"address": "127.0.0.1", "port": 9911, "protocol": "tcp", "comment": "the scripted model"}
HAND_MADE = "nft list table inet by_hand; ufw status | grep 8443"


def test_an_exception_opens_one_service_and_rules_made_by_hand_stay(arena: Arena, gateway: Host, tmp_path: Path) -> None:
    """An exception is one address, port and protocol. The host's own tables and UFW rules are as they were, after run and reload."""
    gateway.run("nft add table inet by_hand; nft add chain inet by_hand out '{ type filter hook output priority 5; }'")
    gateway.run("nft add rule inet by_hand out ip daddr 203.0.113.99 drop; ufw allow 8443/tcp comment mine >/dev/null")
    before = gateway.run(HAND_MADE)
    around = [
        Try("tcp", "10.20.30.40", 8080),
        Try("udp", "10.20.30.40", 8080),
        Try("tcp", "10.20.30.40", 8081),
        Try("tcp", "10.20.30.41", 8080),
    ]
    try:
        code, said = run_with(arena, tmp_path, {"egress_exceptions": [EXCEPTION, MODEL]})
        assert code == 0, said[-2000:]
        assert [outcome.what for outcome in reach(arena, around)] == ["reached", "rejected", "rejected", "rejected"]
        assert gateway.run(HAND_MADE) == before
        gateway.run("systemctl reload lobsterpot-egress")
        assert gateway.run(HAND_MADE) == before
    finally:
        gateway.run("nft delete table inet by_hand; ufw delete allow 8443/tcp >/dev/null")
        code, said = run_with(arena, tmp_path, {})
    assert code == 0, said[-2000:]
    assert reach(arena, around[:1])[0].what == "rejected"


@pytest.mark.parametrize(
    ("rule", "asking"),
    [("type nat hook output priority -100", "openclaw"), ("type filter hook output priority 0", "root")],
    ids=["questions are sent to the LAN", "questions are dropped"],
)
def test_a_table_under_which_nothing_resolves_is_taken_back(arena: Arena, gateway: Host, tmp_path: Path, rule: str, asking: str) -> None:
    """S14: rules of the host's own send questions where the user may not go, or nowhere. The reason is said, the old table holds."""
    state = f"sha256sum /etc/lobsterpot/egress.nft {LOAD}; nft --stateless list table {TABLE}"
    resolver = lab.nameservers()[0]
    before = gateway.run(state + f"; systemctl show -p MainPID {UNIT}")
    action = f"dnat to {ADDRESSES['lan']}:53" if "nat" in rule else "drop"
    gateway.run(f"nft add table ip by_hand; nft add chain ip by_hand out '{{ {rule}; }}'")
    gateway.run(f"nft add rule ip by_hand out ip daddr {resolver} udp dport 53 {action}")
    try:
        code, said = run_with(arena, tmp_path, {"egress_exceptions": [EXCEPTION]})
        assert code != 0
        assert f"No resolver answers {asking} ({resolver}: " in said
        assert "The rules that were loaded before are loaded again." in said
        assert gateway.run(state + f"; systemctl show -p MainPID {UNIT}") == before
        assert shut(arena)
    finally:
        gateway.run("nft delete table ip by_hand")


# ------------------------------------------------------------------------------------------------- and the gateway works
def test_its_doctor_finds_no_error(arena: Arena, gateway: Host) -> None:
    """The gateway's own diagnosis, behind the table."""
    arena.check_closed()
    out = gateway.run("openclaw doctor --lint --json </dev/null", check=False)
    report = json.loads(out[out.index("{") :])
    assert [finding for finding in report["findings"] if finding.get("severity") == "error"] == []
    assert report["findings"] != []


def test_it_is_there_before_the_network(arena: Arena, gateway: Host) -> None:
    """S6: after a restart of the host, begun with nothing loaded, the wall stands before the network counts as up."""
    gateway.run("nft flush ruleset")
    lab.restart(NAME)
    assert shut(arena)
    moments = gateway.run(
        f"systemctl show -p ActiveEnterTimestampMonotonic --value lobsterpot-egress.service network-pre.target {UNIT}"
    ).split()
    assert [int(moment) for moment in moments] == sorted(int(moment) for moment in moments)
    assert gateway.run(f"nft list table {TABLE}").count("goto refuse") == 10
    gateway.wait_until_ready()


def test_the_gateway_does_not_start_without_it(arena: Arena, gateway: Host) -> None:
    """S6: a table that cannot be loaded keeps the gateway down instead of letting it out."""
    gateway.run(f"systemctl stop {UNIT} lobsterpot-egress; cp -a /etc/lobsterpot/egress.nft /root/egress.away")
    gateway.run("echo nonsense >/etc/lobsterpot/egress.nft")
    try:
        assert gateway.code(f"systemctl start {UNIT}") != 0
        assert gateway.run(f"systemctl is-active {UNIT} || true").strip() == "inactive"
    finally:
        gateway.run(
            f"cp -a /root/egress.away /etc/lobsterpot/egress.nft; rm /root/egress.away; systemctl reset-failed; systemctl start {UNIT}"
        )
    gateway.wait_until_ready()
    assert shut(arena)
