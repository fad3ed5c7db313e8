# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""S14: what may be opened in the wall around the gateway's user, and what is refused."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

import pytest
from ansible.module_utils.lobsterpot.egress import domains, exceptions, policy
from ansible.module_utils.lobsterpot.errors import LobsterpotError
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.unit.conftest import RunModule

MODEL = {"address": "10.0.0.5", "port": 11434, "protocol": "tcp", "comment": "the model in the rack"}


def test_exceptions_in_the_words_of_nftables() -> None:
    """One address stands alone, a small network with its prefix; a port may be text, as inventories have it."""
    wanted = [
        MODEL,
        {"address": "192.168.7.0/28", "port": "53", "protocol": "udp", "comment": "resolvers"},
        {"address": "fd12::7/128", "port": 443, "protocol": "tcp", "comment": "x"},
        {"address": "169.254.169.254", "port": 80, "protocol": "tcp", "comment": "the machine's identity, on purpose"},
        {"address": "127.0.0.1", "port": 9911, "protocol": "tcp", "comment": "a model on this host"},
        {"address": "198.51.100.25", "port": 587, "protocol": "tcp", "comment": "the mail relay"},
    ]
    assert [(item["family"], item["address"], item["port"], item["protocol"]) for item in exceptions(wanted)] == [
        ("ip", "10.0.0.5", 11434, "tcp"),
        ("ip", "192.168.7.0/28", 53, "udp"),
        ("ip6", "fd12::7", 443, "tcp"),
        ("ip", "169.254.169.254", 80, "tcp"),
        ("ip", "127.0.0.1", 9911, "tcp"),
        ("ip", "198.51.100.25", 587, "tcp"),
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        *[({"address": net}, "opens a whole network") for net in ("0.0.0.0/0", "::/0", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")],
        *[({"address": net}, "opens a whole network") for net in ("100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fd00::/8", "fe80::/10")],
        *[({"address": net}, "opens a whole network") for net in ("0.0.0.0/1", "128.0.0.0/1", "64.0.0.0/2", "2000::/3", "127.0.0.0/8")],
        ({"address": "169.254.169.0/24"}, "holds the metadata service 169.254.169.254"),
        ({"address": "fd00:ec2::/64"}, "holds the metadata service fd00:ec2::254"),
        ({"address": "::ffff:10.0.0.5"}, "Write 10.0.0.5."),
        ({"address": "::ffff:0:0/96"}, "in IPv6's clothes"),
        ({"address": "10.0.0.5/24"}, "is no address or network"),
        ({"address": "model.example"}, "is no address or network"),
        ({"address": ""}, "is no address or network"),
        ({"address": "0.0.0.0"}, "is not the address of a service"),  # noqa: S104 - an address that is refused
        ({"address": "::"}, "is not the address of a service"),
        ({"address": "224.0.0.251"}, "is not the address of a service"),
        *[({"port": port}, "must be one port, from 1 to 65535") for port in (0, 65536, -1, "", "1-65535", "any", None, "٣")],
        *[({"protocol": protocol}, "must be tcp or udp") for protocol in ("icmp", "any", "", None)],
        *[({"comment": comment}, "what the exception is for") for comment in ("", "a\nb", 'x" accept', "a\\", "x" * 101)],
    ],
)
def test_exceptions_that_open_too_much_are_refused(change: dict[str, Any], words: str) -> None:
    """The message names the entry and says what is wrong with it."""
    with pytest.raises(LobsterpotError, match=r"^egress_exceptions\[1\]") as raised:
        exceptions([MODEL, {**MODEL, **change}])
    assert words in str(raised.value)


@pytest.mark.parametrize("item", [{}, {"address": "10.0.0.5"}, "10.0.0.5", {**MODEL, "ports": [1]}, {k: MODEL[k] for k in list(MODEL)[:3]}])
def test_exceptions_have_four_fields(item: object) -> None:
    """No port, no comment, a word too much: not guessed at."""
    with pytest.raises(LobsterpotError, match="must have address, port, protocol and comment"):
        exceptions([item])


@pytest.mark.parametrize("wanted", ["10.0.0.5", MODEL, 5, None])
def test_exceptions_are_a_list(wanted: object) -> None:
    """The form is named, with an example."""
    with pytest.raises(LobsterpotError, match="egress_exceptions must be a list"):
        exceptions(wanted)


networks = st.builds(
    lambda number, prefix: str(ipaddress.ip_network((number, prefix), strict=False)), st.integers(0, 2**32 - 1), st.integers(0, 32)
)


@given(networks)
def test_no_exception_opens_more_than_256_addresses(network: str) -> None:
    """Whatever network is named: it is refused, or small, and free of metadata unless it is the very address."""
    try:
        [found] = exceptions([{**MODEL, "address": network}])
    except LobsterpotError:
        return
    opened = ipaddress.ip_network(found["address"])
    assert opened.num_addresses <= 256
    assert opened.num_addresses == 1 or ipaddress.ip_address("169.254.169.254") not in opened


def test_domains_in_the_words_of_squid() -> None:
    """A wildcard covers the domain itself and all below; what it covers is left out, or squid would refuse the list."""
    wanted = [
        "API.Anthropic.com.",
        "*.example.com",
        "a.example.com",
        "example.com",
        "*.b.example.com",
        "notexample.com",
        "xn--bcher-kva.example",
    ]
    assert domains(wanted) == [".example.com", "api.anthropic.com", "notexample.com", "xn--bcher-kva.example"]
    assert domains([]) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*", "is no domain"),
        ("*.com", "opens a whole top-level domain"),
        ("com", "opens a whole top-level domain"),
        ("localhost", "opens a whole top-level domain"),
        (".com", "is no domain"),
        ("*.co.uk", "opens a registry's domain"),
        ("*.com.au", "opens a registry's domain"),
        ("a.*.com", "is no domain"),
        ("*example.com", "is no domain"),
        ("*.*.com", "is no domain"),
        ("https://example.com", "is no domain"),
        ("example.com/path", "is no domain"),
        ("example.com:443", "is no domain"),
        ("10.0.0.5", "is no domain"),
        ("*.0.0.5", "is no domain"),
        ("::1", "is no domain"),
        ("a b.example", "is no domain"),
        ("bücher.example", "is no domain"),
        ("-a.example", "is no domain"),
        ("", "is no domain"),
        ("example.com\nhttp_access allow all", "is no domain"),
    ],
)
def test_domains_that_open_too_much_are_refused(text: str, words: str) -> None:
    """A list that lets everybody in is no list."""
    with pytest.raises(LobsterpotError, match=r"^egress_domains\[0\]") as raised:
        domains([text])
    assert words in str(raised.value)


@given(st.text(max_size=20) | st.from_regex(r"(\*\.)?[a-z.]{1,12}", fullmatch=True))
def test_what_is_accepted_is_a_domain_with_a_dot_inside(text: str) -> None:
    """Nothing reaches squid's configuration that is more than a domain of two labels or more."""
    try:
        found = domains([text])
    except LobsterpotError:
        return
    for name in found:
        assert name.strip(".").count(".") >= 1
        assert not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789.-")


@pytest.mark.parametrize("mode", ["closed", "", None, "Guarded", "off", True])
def test_unknown_modes_are_refused(mode: object) -> None:
    """The modes are named, with what they mean."""
    with pytest.raises(LobsterpotError, match="is none of guarded, allowlist, open"):
        policy(mode, [], [])


def test_an_allowlist_of_nothing_is_refused() -> None:
    """A gateway that can reach no model is a mistake."""
    with pytest.raises(LobsterpotError, match="no domain is named"):
        policy("allowlist", [], [])
    assert policy("guarded", [], []) == {"mode": "guarded", "exceptions": [], "domains": []}


def test_the_module(run_module: RunModule) -> None:
    """What is to be opened is part of the policy, in check mode too; what cannot be is refused readably, together with all else."""
    paths = {"account_home": "/home/openclaw", "log_file": "/x", "secrets_file": "/y"}
    arguments = {**paths, "egress_mode": "allowlist", "egress_exceptions": [MODEL], "egress_domains": ["api.anthropic.com"]}
    arguments["proxy_url"] = "http://127.0.0.1:3128"
    for check in (False, True):
        result = run_module("gateway_policy", arguments, check=check)
        assert result["egress"] == {"mode": "allowlist", "exceptions": [{"family": "ip", **MODEL}], "domains": ["api.anthropic.com"]}
    for blank in ("", " ", "no", "//", "socks5://127.0.0.1:3128"):
        failed = run_module("gateway_policy", {**arguments, "proxy_url": blank}, fails=True)
        assert failed["msg"].startswith("egress_proxy_url: ")
        assert failed["msg"].endswith("\nNothing was changed.")
    wrong = {**paths, "egress_exceptions": [{**MODEL, "address": "0.0.0.0/0"}], "gateway_port": 80}
    lines = run_module("gateway_policy", wrong, fails=True)["msg"].splitlines()
    assert [line.partition(" ")[0] for line in lines] == ["gateway_port:", "egress_exceptions[0].address:", "Nothing"]
