"""A process that adds to a cart, as users write it: run by the tests of this folder.

    adding.py sync|async PORT|URL CART SKU ADDS [LOG]

A number is the port of a client as users make it, `redis.Redis(host, port)`, with its own
retries; a URL is opened by ecart. What went wrong is printed as JSON. With LOG, each add writes a
byte there before it begins and one after it was acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
import redis.asyncio

from ecart import AsyncCart, AsyncRedisStore, Cart, RedisStore

AT_ONCE = 8


def main(mode: str, target: str, cart_id: str, sku: str, adds: str, log: str = "") -> None:
    note = _Log(log)
    if mode == "sync":
        errors = _add_in_threads(target, cart_id, sku, int(adds), note)
    else:
        errors = asyncio.run(_add_in_tasks(target, cart_id, sku, int(adds), note))
    print(json.dumps(errors))


class _Log:
    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if path else None

    def __call__(self, what: bytes) -> None:
        if self._file is not None:
            os.write(self._file, what)


def _add_in_threads(target: str, cart_id: str, sku: str, adds: int, note: _Log) -> list[str]:
    client: Any = redis.Redis(host="127.0.0.1", port=int(target)) if target.isdigit() else None
    store = RedisStore(client or target)

    turns = iter(range(adds))
    errors = []

    def work(_: int) -> None:
        for _ in turns:
            note(b"s")
            try:
                Cart(cart_id, store).add(sku, unit_price="0.01")
            except Exception as error:
                errors.append(repr(error))
            else:
                note(b"a")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(work, range(AT_ONCE)))
    (client or store).close()
    return errors


async def _add_in_tasks(target: str, cart_id: str, sku: str, adds: int, note: _Log) -> list[str]:
    client: Any = None
    if target.isdigit():
        client = redis.asyncio.Redis(host="127.0.0.1", port=int(target))
    store = AsyncRedisStore(client or target)
    turns = iter(range(adds))
    errors = []

    async def work() -> None:
        for _ in turns:
            note(b"s")
            try:
                await AsyncCart(cart_id, store).add(sku, unit_price="0.01")
            except Exception as error:
                errors.append(repr(error))
            else:
                note(b"a")

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    await (client.aclose() if client else store.close())
    return errors


if __name__ == "__main__":
    main(*sys.argv[1:])
