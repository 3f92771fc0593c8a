"""What proxies tell of a request: the client's address, its scheme, and the path they serve below.

Each proxy appends the address that it was called from to `X-Forwarded-For`, and the scheme to
`X-Forwarded-Proto`, or both to `Forwarded` (RFC 7239). Whoever calls the first proxy can send such
headers, too. So they count only if the peer is trusted, and are read from the right: as long as an
address is that of a trusted proxy, the one before it is believed. The first other address is the
client's. The scheme is the one that was appended together with it; a proxy that replaces the header
leaves a single one.

Where `X-Forwarded-For` or `-Proto` is there, `Forwarded` is not read: a proxy that writes the one
passes the other on as the client sent it.

A proxy that takes a path off, such as `/shop`, says so in `X-Forwarded-Prefix`. Where none does,
the setting names the path that requests begin with.
"""

from __future__ import annotations

import ipaddress
import os
import re
from functools import lru_cache
from typing import Any

import msgspec

from ecart.integrations.asgi_messages import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FOR, _PROTO, _FORWARDED = b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"
_PREFIX = b"x-forwarded-prefix"
_NAMES = frozenset((_FOR, _PROTO, _FORWARDED, _PREFIX))
_SEGMENTS = re.compile(r"(?:/[\w.~%-]+)*", re.ASCII)
_PAIR = re.compile(r'\s*([\w!#$%&\'*+.^`|~-]+)=("(?:[^"\\]|\\.)*"|[^\s;,"]*)\s*')


class Hop(msgspec.Struct, frozen=True):
    """What one proxy appended: the address that called it, and by which scheme, as far as told."""

    address: str
    scheme: str = ""


class ForwardedHeaders:
    """Reads the headers of trusted proxies.

    `trusted` are addresses and networks with commas, or `*`; None: `FORWARDED_ALLOW_IPS`, else
    127.0.0.1. `prefix` is the path below which the service is, where no proxy names one.

    Raises:
        ValueError: `trusted` or `prefix` cannot be read.
    """

    def __init__(self, trusted: str | None = None, prefix: str = "") -> None:
        if trusted is None:
            trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
        names = [name.strip() for name in trusted.split(",") if name.strip()]
        self._trusts_all = "*" in names
        self._networks = tuple(ipaddress.ip_network(name) for name in names if name != "*")
        self._prefix = checked_prefix(prefix)
        self._is_trusted = lru_cache(maxsize=4096)(self._is_in_networks)

    def read(self, scope: Scope) -> tuple[Scope, str]:
        """The scope as if the client had come without proxies, and the prefix."""
        found = {name: value for name, value in scope["headers"] if name in _NAMES}
        peer = scope["client"][0] if scope.get("client") else ""
        if found and self._is_trusted(peer):
            scope = {**scope, **self._client_and_scheme(scope)}
            told = _prefix_in(_values(scope, _PREFIX))
            if told:
                return scope, told
        return (_below(scope, self._prefix) if self._prefix else scope), self._prefix

    def _client_and_scheme(self, scope: Scope) -> dict[str, Any]:
        addresses, schemes = _values(scope, _FOR), _values(scope, _PROTO)
        if addresses or schemes:
            hops = _aligned(addresses, schemes)
        else:
            hops = _elements(",".join(_lines(scope, _FORWARDED)))
        chosen = Hop("")
        for chosen in reversed(hops):
            if not self._is_trusted(chosen.address):
                break
        told: dict[str, Any] = {}
        if chosen.address:
            told["client"] = (chosen.address, 0)
        if chosen.scheme in ("http", "https"):
            told["scheme"] = chosen.scheme
        return told

    def _is_in_networks(self, address: str) -> bool:
        if self._trusts_all:
            return True
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        return any(ip in network for network in self._networks)


def checked_prefix(prefix: str) -> str:
    """A prefix without the slash at its end.

    Raises:
        ValueError: it is no path of plain segments.
    """
    prefix = prefix.rstrip("/")
    if not _SEGMENTS.fullmatch(prefix):
        raise ValueError("a root path is like /shop: letters, digits and .~_%- between slashes")
    return prefix


def _values(scope: Scope, wanted: bytes) -> list[str]:
    """The elements of a list that may come in several lines (RFC 9110 §5.3)."""
    lines = _lines(scope, wanted)
    return [element.strip() for element in ",".join(lines).split(",")] if lines else []


def _lines(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def _aligned(addresses: list[str], schemes: list[str]) -> list[Hop]:
    """Both lists end with what the nearest proxy appended; of schemes there may be fewer."""
    if not addresses:
        return [Hop("", schemes[0].lower())]
    missing = len(addresses) - len(schemes)
    aligned = [schemes[0]] * missing + schemes if schemes else [""] * len(addresses)
    return [
        Hop(_address_in(address), scheme.lower())
        for address, scheme in zip(addresses, aligned[-len(addresses) :], strict=True)
    ]


def _elements(header: str) -> list[Hop]:
    """The elements of `Forwarded`; those from the first that cannot be read on are left out."""
    hops: list[Hop] = []
    pairs: dict[str, str] = {}
    position = 0
    while position < len(header):
        match = _PAIR.match(header, position)
        if match is None:
            return []
        value = match[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        pairs[match[1].lower()] = value
        position = match.end()
        if header[position : position + 1] in (",", ""):
            hops.append(Hop(_address_in(pairs.get("for", "")), pairs.get("proto", "").lower()))
            pairs = {}
        elif header[position] != ";":
            return []
        position += 1
    return hops


def _address_in(text: str) -> str:
    """An address without its port and brackets; a name as it is."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _prefix_in(values: list[str]) -> str:
    """What several proxies have taken off, one after the other."""
    prefix = "".join(value.rstrip("/") for value in values)
    return prefix if _SEGMENTS.fullmatch(prefix) else ""


def _below(scope: Scope, prefix: str) -> Scope:
    """The scope with the path below the prefix, where it begins with that."""
    path: str = scope["path"]
    if path == prefix or path.startswith(f"{prefix}/"):
        return {**scope, "path": path.removeprefix(prefix) or "/"}
    return scope
