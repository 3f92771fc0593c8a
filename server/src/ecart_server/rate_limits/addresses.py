"""Groups client addresses that one customer controls: an IPv4 address, or an IPv6 /64 network."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

import msgspec

_MAX_LENGTH = 64


class ClientAddress(msgspec.Struct, frozen=True):
    """The address or network by which a client is counted. Loopback is this machine."""

    name: str
    is_loopback: bool = False


@lru_cache(maxsize=8192)
def client_address(address: str) -> ClientAddress:
    """The address or network of a client.

    An IPv6 network has 64 bits for its hosts (RFC 4291 §2.5.1), so one customer may have 2^64
    addresses, and the network counts as one. A text that is no address comes from a trusted proxy,
    and counts as a name. No text, as from a Unix socket, is this machine.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ClientAddress(address[:_MAX_LENGTH], is_loopback=not address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            network = ipaddress.IPv6Network((ip, 64), strict=False)
            return ClientAddress(str(network), is_loopback=ip.is_loopback)
        ip = ip.ipv4_mapped
    return ClientAddress(str(ip), is_loopback=ip.is_loopback)
