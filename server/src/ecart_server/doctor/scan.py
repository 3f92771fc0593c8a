"""Reading the keys of an engine, a bounded number of bytes at a time."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ecart.stores.redis.failures import Failure, classify
from ecart_server.doctor.carts import READ_LIMIT, Held
from ecart_server.redis_admin.connections import Node

_SAMPLES = 1000
"""Fields that are measured for the size of a key: all of them, in a cart that is in order."""

_BATCH_BYTES = 2 * READ_LIMIT


class Unread(msgspec.Struct, frozen=True):
    """A key that was not read, and the code of the finding that says why."""

    key: bytes
    code: str
    detail: str


def read_carts(node: Node, keys: list[bytes]) -> Iterator[Held | Unread]:
    """What is under these keys; nothing for those that have gone meanwhile."""
    sizes = node.pipeline([("MEMORY", "USAGE", key, "SAMPLES", _SAMPLES) for key in keys])
    batch: dict[bytes, int] = {}
    for key, size in zip(keys, sizes, strict=True):
        known = size if isinstance(size, int) else 0
        if known > READ_LIMIT:
            yield Unread(key, "oversize_cart", f"{known} bytes")
            continue
        if sum(batch.values()) + known > _BATCH_BYTES:
            yield from _read(node, batch)
            batch = {}
        batch[key] = known
    yield from _read(node, batch)


def _read(node: Node, batch: dict[bytes, int]) -> Iterator[Held | Unread]:
    if not batch:
        return
    asked = [part for key in batch for part in (("PTTL", key), ("HGETALL", key))]
    (seconds, micros), *replies = node.pipeline([("TIME",), *asked])
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    for i, (key, size) in enumerate(batch.items()):
        pttl, fields = replies[2 * i], replies[2 * i + 1]
        if isinstance(fields, Exception):
            yield _unread(node, key, fields)
        elif fields:
            yield Held(key.decode(), fields, int(pttl), now_ms, size)


def read_at_once(node: Node, held: Held) -> Held | None:
    """The key again, all of one moment; None if it is not there any more."""
    key = held.key
    replies = node.pipeline([("TIME",), ("PTTL", key), ("HGETALL", key)], atomic=True)
    (seconds, micros), pttl, fields = replies
    if not fields or isinstance(fields, Exception):
        return None
    return Held(key, fields, int(pttl), int(seconds) * 1000 + int(micros) // 1000, held.size)


def _unread(node: Node, key: bytes, error: Exception) -> Unread:
    if classify(error) is not Failure.WRONG_TYPE:
        return Unread(key, "moved_meanwhile", str(error))
    kind = node.call("TYPE", key)
    return Unread(key, "wrong_type", f"a {kind.decode() if isinstance(kind, bytes) else kind}")
