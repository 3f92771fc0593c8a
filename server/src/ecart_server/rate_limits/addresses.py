"""Whose an address is, as far as it can be told: what one customer has is one."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

import msgspec

_LONGEST = 64


class Origin(msgspec.Struct, frozen=True):
    """Where a request comes from. `is_here` tells that it comes from this machine."""

    name: str
    is_here: bool = False


@lru_cache(maxsize=8192)
def origin_of(address: str) -> Origin:
    """An IPv4 address, or the /64 of an IPv6 one, of which whoever has it has 2^64 addresses.

    What is no address was said by a proxy that is trusted, and is taken as a name.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return Origin(address[:_LONGEST], is_here=not address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            network = ipaddress.IPv6Network((ip, 64), strict=False)
            return Origin(str(network), is_here=ip.is_loopback)
        ip = ip.ipv4_mapped
    return Origin(str(ip), is_here=ip.is_loopback)
