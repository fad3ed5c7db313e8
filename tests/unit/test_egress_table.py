# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""S6: the table of what the gateway's user may send, as it is rendered."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined

TEMPLATE = Path(__file__).parents[2] / "roles/egress/templates/etc/lobsterpot/egress.nft.j2"
BIT = re.compile(r"ip6? daddr & (\S+) == (\S+) rt ip6? nexthop & (\S+) == (\S+) return")


def rendered(mode: str = "guarded") -> str:
    environment = Environment(trim_blocks=True, undefined=StrictUndefined, autoescape=False)  # noqa: S701 - no HTML
    values = {"ansible_managed": "", "account_user": "openclaw", "egress_proxy_port": 3128, "gateway_port": 18789}
    private = {"__egress_loader": "load", "__egress_counters": ["link"]}
    policy = {"egress": {"mode": mode, "exceptions": []}}
    return environment.from_string(TEMPLATE.read_text()).render(**values, **private, gateway_policy=policy)


def chain(name: str) -> str:
    return rendered().partition(f"chain {name} {{")[2].partition("}")[0]


def bits(name: str) -> list[tuple[int, ...]]:
    """The rules of a chain that compare one bit: mask and value of the destination, mask and value of the next hop."""
    return [tuple(int(ipaddress.ip_address(text)) for text in rule) for rule in BIT.findall(chain(name))]


LINK, LINK6 = bits("link"), bits("link6")


def through_a_router(rules: list[tuple[int, ...]], destination: int, hop: int) -> bool:
    return any(destination & mask == value and hop & hop_mask == hop_value for mask, value, hop_mask, hop_value in rules)


addresses = st.integers(0, 2**32 - 1)
addresses6 = st.integers(0, 2**128 - 1)


@given(addresses, addresses)
@example(0, 0)
@example(2**32 - 1, 2**32 - 2)
def test_on_the_link_is_what_has_itself_as_next_hop(destination: int, hop: int) -> None:
    """Each other next hop is a router's, however little it differs."""
    assert through_a_router(LINK, destination, hop) == (destination != hop)
    assert not through_a_router(LINK, destination, destination)
    assert all(through_a_router(LINK, destination, destination ^ 1 << bit) for bit in range(32))


@given(addresses6, addresses6)
def test_on_the_link_with_ipv6(destination: int, hop: int) -> None:
    """The same with 128 bits."""
    assert through_a_router(LINK6, destination, hop) == (destination != hop)
    assert not through_a_router(LINK6, destination, destination)
    assert all(through_a_router(LINK6, destination, destination ^ 1 << bit) for bit in range(128))


def test_reports_are_judged_unless_all_is_open() -> None:
    """S6: the kernel sends them in nobody's name, so they are met beside the users' own chains; and never before them."""
    for mode in ("guarded", "allowlist"):
        output = rendered(mode).partition("chain output {")[2].partition("  }\n")[0]
        assert output.index("@users goto") < output.index("ip protocol igmp goto reports")
        assert "{ mld-listener-report, mld-listener-done, mld2-listener-report } goto reports" in output
        assert rendered(mode).partition("chain reports {")[2].partition("  }\n")[0].strip().endswith("counter name reports drop")
    assert "igmp" not in rendered("open")
    assert "mld" not in rendered("open")
    assert "groups" not in rendered("open")


def test_what_no_bit_tells_apart_is_refused() -> None:
    """The last rule of both chains; nothing else accepts there."""
    for name in ("link", "link6"):
        assert chain(name).strip().splitlines()[-1].strip() == "counter name link goto refuse"
        assert "accept" not in chain(name)
