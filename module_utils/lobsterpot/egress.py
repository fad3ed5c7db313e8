# Copyright: (c) 2026, the Lobsterpot contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory may open in the wall around the gateway's user: exceptions by address, and domains of the proxy."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import LobsterpotError

MODES = ("guarded", "allowlist", "open")
_EXCEPTIONS = "egress_exceptions"
_DOMAINS = "egress_domains"
_EXAMPLE = "{address: 10.0.0.5, port: 11434, protocol: tcp, comment: the model in the rack}"

# An exception is for a service, not for a network: at most so many addresses as these prefixes hold.
_SHORTEST = {4: 24, 6: 64}
# Whoever reaches one of these may hold the machine's cloud identity. It takes its exact address to open it.
_METADATA = tuple(ipaddress.ip_address(text) for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"))

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# Names under which registries of countries sell what others sell under a top-level domain.
_REGISTRY_LABELS = ("ac", "co", "com", "edu", "gob", "gouv", "gov", "go", "mil", "ne", "net", "nom", "or", "org", "plc", "ltd", "me", "sch")
_COMMENT = re.compile(r'[^"\\\x00-\x1f\x7f]{1,100}')
_LAST_PORT = 65535
_COUNTRY = 2


def _fields(item: object, where: str) -> Mapping[str, Any]:
    if not isinstance(item, Mapping) or set(item) != {"address", "port", "protocol", "comment"}:
        raise LobsterpotError(f"{where} must have address, port, protocol and comment, and nothing else, such as {_EXAMPLE}.")
    return item


def _network(text: str, where: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise LobsterpotError(f"{where}.address: {text!r} is no address or network: {error}.") from error
    first = network.network_address
    if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped:
        raise LobsterpotError(f"{where}.address: {text} is an IPv4 address in IPv6's clothes. Write {first.ipv4_mapped}.")
    if network.prefixlen < _SHORTEST[network.version]:
        raise LobsterpotError(
            f"{where}.address: {text} opens a whole network. Name the address of the service, "
            f"or a network of /{_SHORTEST[network.version]} or smaller; egress_mode: open is what opens everything."
        )
    if first.is_unspecified or first.is_multicast:
        raise LobsterpotError(f"{where}.address: {text} is not the address of a service.")
    if network.num_addresses > 1 and (inside := next((address for address in _METADATA if address in network), None)):
        raise LobsterpotError(f"{where}.address: {text} holds the metadata service {inside}, which can give away the machine's identity.")
    return network


def exceptions(wanted: object) -> list[dict[str, Any]]:
    """Return the exceptions in the words of nftables: family `ip` or `ip6`, address, protocol, port, comment.

    Raises LobsterpotError with the path of the variable that is wrong, and how to put it right.
    """
    if not isinstance(wanted, Sequence) or isinstance(wanted, str):
        raise LobsterpotError(f"{_EXCEPTIONS} must be a list, such as [{_EXAMPLE}].")
    found = []
    for number, item in enumerate(wanted):
        where = f"{_EXCEPTIONS}[{number}]"
        fields = _fields(item, where)
        network = _network(str(fields["address"]), where)
        port, protocol, comment = str(fields["port"]), fields["protocol"], str(fields["comment"])
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT):
            raise LobsterpotError(f"{where}.port: {port!r} must be one port, from 1 to {_LAST_PORT}.")
        if protocol not in ("tcp", "udp"):
            raise LobsterpotError(f"{where}.protocol: {protocol!r} must be tcp or udp.")
        if not _COMMENT.fullmatch(comment):
            raise LobsterpotError(
                f"{where}.comment must say in one line, of up to 100 characters without quotes, what the exception is for."
            )
        family = "ip" if network.version == 4 else "ip6"  # noqa: PLR2004 - the version's number
        address = str(network.network_address) if network.num_addresses == 1 else str(network)
        found.append({"family": family, "address": address, "port": int(port), "protocol": protocol, "comment": comment})
    return found


def _domain(text: str, where: str) -> str:
    """Return a domain in the form of squid's dstdomain: with a dot in front where its subdomains are meant too."""
    name = text.lower().removesuffix(".")
    wildcard = name.startswith("*.")
    name = name.removeprefix("*.")
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise LobsterpotError(
            f"{where}: {text!r} is no domain. Write api.example.com, or *.example.com for it and all below: no scheme, "
            "port, path or address, and a domain with other letters in its xn-- form."
        )
    if len(labels) == 1:
        raise LobsterpotError(
            f"{where}: {text!r} opens a whole top-level domain, in which anybody can have a name. Name the domain you need."
        )
    registry = len(labels) == _COUNTRY and len(labels[1]) == _COUNTRY and labels[0] in _REGISTRY_LABELS
    if wildcard and registry:
        raise LobsterpotError(f"{where}: {text!r} opens a registry's domain, in which anybody can have a name. Name the domain you need.")
    return f".{name}" if wildcard else name


def domains(wanted: object) -> list[str]:
    """Return the domains for squid, sorted; one that another covers is left out, as squid does not take it.

    Raises LobsterpotError with the path of the variable that is wrong, and how to put it right.
    """
    if not isinstance(wanted, Sequence) or isinstance(wanted, str):
        raise LobsterpotError(f"{_DOMAINS} must be a list, such as [api.anthropic.com, '*.example.com'].")
    found = {_domain(str(text), f"{_DOMAINS}[{number}]") for number, text in enumerate(wanted)}
    trees = [name for name in found if name.startswith(".")]
    return sorted(name for name in found if not any(f".{name.lstrip('.')}".endswith(tree) and name != tree for tree in trees))


def policy(mode: object, wanted_exceptions: object, wanted_domains: object) -> dict[str, Any]:
    """Check the three variables together. Raises LobsterpotError."""
    if mode not in MODES:
        raise LobsterpotError(
            f"egress_mode: {mode!r} is none of {', '.join(MODES)}. guarded reaches the public internet and nothing private, "
            "allowlist the domains in egress_domains, open everything."
        )
    names = domains(wanted_domains)
    if mode == "allowlist" and not names:
        raise LobsterpotError(
            "egress_domains: egress_mode is allowlist and no domain is named, so the gateway would reach no model at all."
        )
    return {"mode": mode, "exceptions": exceptions(wanted_exceptions), "domains": names}
