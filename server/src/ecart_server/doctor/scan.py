"""Reads the hashes of an engine, a bounded number of bytes at a time."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ecart.stores.redis.failures import Failure, classify
from ecart_server.doctor.carts import READ_LIMIT, StoredHash
from ecart_server.redis_admin.connections import Node

_SAMPLES = 1000
"""Fields that MEMORY USAGE measures of a key: all of them, in a cart of usual size."""

_BATCH_BYTES = 2 * READ_LIMIT


class Unread(msgspec.Struct, frozen=True):
    """A key that was not read, and the code of the finding that says why."""

    key: bytes
    code: str
    detail: str


def read_carts(node: Node, keys: list[bytes]) -> Iterator[StoredHash | Unread]:
    """The hashes under these keys; keys that no longer exist are left out."""
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


def _read(node: Node, batch: dict[bytes, int]) -> Iterator[StoredHash | Unread]:
    if not batch:
        return
    commands = [part for key in batch for part in (("PTTL", key), ("HGETALL", key))]
    (seconds, micros), *replies = node.pipeline([("TIME",), *commands])
    now_ms = int(seconds) * 1000 + int(micros) // 1000
    for i, (key, size) in enumerate(batch.items()):
        pttl, fields = replies[2 * i], replies[2 * i + 1]
        if isinstance(fields, Exception):
            yield _unread(node, key, fields)
        elif fields:
            yield StoredHash(key.decode(), fields, int(pttl), now_ms, size)


def read_atomically(node: Node, stored: StoredHash) -> StoredHash | None:
    """Reads the hash again, with its expiry, in one transaction; None if it no longer exists."""
    key = stored.key
    replies = node.pipeline([("TIME",), ("PTTL", key), ("HGETALL", key)], atomic=True)
    (seconds, micros), pttl, fields = replies
    if not fields or isinstance(fields, Exception):
        return None
    return StoredHash(
        key, fields, int(pttl), int(seconds) * 1000 + int(micros) // 1000, stored.size
    )


def _unread(node: Node, key: bytes, error: Exception) -> Unread:
    if classify(error) is not Failure.WRONG_TYPE:
        return Unread(key, "moved_meanwhile", str(error))
    kind = node.call("TYPE", key)
    return Unread(key, "wrong_type", f"a {kind.decode() if isinstance(kind, bytes) else kind}")
