"""The names of keys. A key is built here and nowhere else; scripts take it as it comes."""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from urllib.parse import quote, unquote

import msgspec

DEFAULT_PREFIX = "ecart"
DEFAULT_PARTITIONS = 1024

_MINUTE = re.compile(r":minutes:\d{1,12}", re.ASCII)
_CART = re.compile(r":\{\d{1,5}\}:cart:[A-Za-z0-9_.~%-]+", re.ASCII)
_INDEX = re.compile(r":\{\d{1,5}\}:index", re.ASCII)
_ENDED = re.compile(r":\{\d{1,5}\}:ended:[A-Za-z0-9_-]+", re.ASCII)
_PLAIN = re.compile(r"[\w.~-]+", re.ASCII)


def _key_of_cart(prefix: str, partitions: int, cart_id: str) -> str:
    name = cart_id.encode()
    partition = binascii.crc32(name) % partitions
    encoded = cart_id if _PLAIN.fullmatch(cart_id) else quote(name, safe="")
    return f"{prefix}:{{{partition}}}:cart:{encoded}"


# Cached for the carts in use; what walks through all carts calls a `Keyspace`.
key_of_cart = lru_cache(maxsize=8192)(_key_of_cart)


def place_in_index(key: str) -> tuple[str, str]:
    """The index that a cart's key belongs in, and what it is called there."""
    partition, _, member = key.rpartition(":cart:")
    return f"{partition}:index", member


def key_of_ended_session(key: str, session_id: str) -> str:
    """The key that is there once a session on the cart of this key has ended, in its slot."""
    return f"{key.partition(':cart:')[0]}:ended:{session_id}"


class Keyspace(msgspec.Struct, frozen=True):
    """Where the carts of one tenant or environment live.

    `prefix` keeps tenants apart. `partitions` is fixed for the life of a deployment: another
    number finds other keys. The braces make a partition one slot of a cluster.
    """

    prefix: str = DEFAULT_PREFIX
    partitions: int = DEFAULT_PARTITIONS

    def __post_init__(self) -> None:
        if not self.prefix or quote(self.prefix, safe="") != self.prefix:
            raise ValueError("a prefix is made of letters, digits and _.-~")
        if not 1 <= self.partitions <= 16_384:
            raise ValueError("there are 1 to 16,384 partitions")

    def cart(self, cart_id: str) -> str:
        """The key of a cart; no two ids share one."""
        return _key_of_cart(self.prefix, self.partitions, cart_id)

    @property
    def deployment(self) -> str:
        """The key of what was fixed for ever when this deployment began."""
        return f"{self.prefix}:deployment"

    def minute(self, number: int) -> str:
        """The key of what was counted in a minute, of those since 1970."""
        return f"{self.prefix}:minutes:{number}"

    def names_minute(self, key: str) -> bool:
        """Whether the key has the form of a minute's."""
        return key.startswith(self.prefix) and bool(_MINUTE.fullmatch(key, len(self.prefix)))

    @property
    def survey(self) -> str:
        """The key of the survey that the operator's view shows."""
        return f"{self.prefix}:survey"

    @property
    def survey_turn(self) -> str:
        """The key that one process holds while it takes a survey, or has lately."""
        return f"{self.prefix}:survey:turn"

    @property
    def sweep_turn(self) -> str:
        """The key that one process holds while it sweeps the indexes, or has lately."""
        return f"{self.prefix}:sweep:turn"

    def names_upkeep(self, key: str) -> bool:
        """Whether the service keeps something of its own under the key, for a while."""
        return key in (self.survey, self.survey_turn, self.sweep_turn)

    def names_ended_session(self, key: str) -> bool:
        """Whether the key has the form of one that says that a session has ended."""
        return _ENDED.fullmatch(key, len(self.prefix)) is not None and key.startswith(self.prefix)

    @property
    def pattern(self) -> str:
        """What `SCAN` takes to find every key of the prefix; a prefix holds no wildcard."""
        return f"{self.prefix}:*"

    def names_cart(self, key: str) -> bool:
        """Whether the key has the form of a cart's, in whatever partition."""
        return _CART.fullmatch(key, len(self.prefix)) is not None and key.startswith(self.prefix)

    def index(self, partition: int) -> str:
        """The key of a partition's index: a sorted set of its carts by their last activity."""
        return f"{self.prefix}:{{{partition}}}:index"

    def indexed(self, partition: int, member: str) -> str:
        """The key of the cart that an index has as this member."""
        return f"{self.prefix}:{{{partition}}}:cart:{member}"

    def partition(self, cart_id: str) -> int:
        """The partition that a cart is in."""
        return binascii.crc32(cart_id.encode()) % self.partitions

    def names_index(self, key: str) -> bool:
        """Whether the key has the form of an index's, in whatever partition."""
        return _INDEX.fullmatch(key, len(self.prefix)) is not None and key.startswith(self.prefix)

    def cart_id(self, key: str) -> str:
        """The cart id that a key was made of: the inverse of `cart`."""
        return unquote(key.split(":cart:", 1)[1], errors="strict")
