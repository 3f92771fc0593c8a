"""Handles, processes and tasks come and go: nothing is deleted, closed, torn or counted twice."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from typing import TYPE_CHECKING, Any

import pytest
import redis.asyncio

from ecart import AsyncCart, AsyncRedisStore, Cart, RedisStore
from ecart.errors import InvalidInputError
from ecart.stores.redis.deduplication import acquire_lane, release_lane
from ecart.stores.redis.keys import Keyspace

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from engines import Engine

KEY = "ecart:{%d}:cart:c"


def test_garbage_collection_deletes_nothing(engine: Engine) -> None:
    """Handles and stores vanish; the cart and the caller's client stay."""
    with engine.connected() as client:
        cart = Cart("c", client)
        cart.add("apple")
        store = RedisStore(client)
        Cart("c", store).add("apple")
        del cart, store
        gc.collect()

        assert client.ping()
        assert Cart("c", client).summary().total_quantity == 2


def test_a_failed_construction_deletes_nothing(engine: Engine) -> None:
    """A handle that could not be made has touched nothing and closed nothing."""
    with engine.connected() as client:
        Cart("c", client).add("apple")

        for options in ({"ttl": -1}, {"currency": "XXX"}):
            with pytest.raises(InvalidInputError):
                Cart("c", client, **options)
        with pytest.raises(InvalidInputError):
            Cart("", client)
        gc.collect()

        assert client.ping()
        assert Cart("c", client).contains("apple")


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "os._exit(0)", "del cart; gc.collect()"])
def test_the_interpreters_end_deletes_nothing(
    end: str,
    engine: Engine,
    start: Callable[..., subprocess.Popen[str]],
    finish: Callable[[Any], str],
) -> None:
    """However a program ends, silently, its carts stay."""
    program = f"""
import gc, os, sys
from ecart import Cart
from ecart.ecart import Cart as OldCart
cart = Cart("c", sys.argv[1])
cart.add("apple")
old = OldCart("c", sys.argv[1])
old.add("pear", 1)
print("added", flush=True)
{end}
"""
    assert finish(start(program, engine.url)) == "added"

    assert Cart("c", engine.url).summary().line_count == 2


def test_an_asyncio_programs_end_deletes_nothing(
    engine: Engine, start: Callable[..., subprocess.Popen[str]], finish: Callable[[Any], str]
) -> None:
    """A loop that ends with a URL's connections open says nothing and loses nothing."""
    program = """
import asyncio, sys
from ecart import AsyncCart
async def main():
    await AsyncCart("c", sys.argv[1]).add("apple")
asyncio.run(main())
asyncio.run(main())
print("added")
"""
    process = start(program, engine.url)

    assert process.communicate(timeout=30)[0] == "added\n"
    assert process.returncode == 0
    assert Cart("c", engine.url).summary().total_quantity == 2


def test_a_forked_child_is_a_writer_of_its_own(
    engine: Engine, start: Callable[..., subprocess.Popen[str]], finish: Callable[[Any], str]
) -> None:
    """Parent and children add through what they inherited: every unit once, a lane for each."""
    program = """
import os, sys
from ecart import Cart
cart = Cart("c", sys.argv[1])
cart.add("apple")
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        for _ in range(100):
            cart.add("apple")
        os._exit(0)
    children.append(child)
for _ in range(100):
    cart.add("apple")
print([os.waitpid(child, 0)[1] for child in children])
"""
    assert finish(start(program, engine.url)) == "[0, 0, 0]"

    assert Cart("c", engine.url).summary().total_quantity == 401
    with engine.connected() as client:
        (key,) = client.keys("*:cart:*")
        writers = {name[:12] for name in client.hkeys(key) if name[:1] == b"~"}
        assert len(writers) == 4


def test_a_fork_in_the_middle_of_a_change(
    engine: Engine, start: Callable[..., subprocess.Popen[str]], finish: Callable[[Any], str]
) -> None:
    """A lane held while the process forks stays with the parent; the child gives nothing back."""
    program = """
import os
from ecart.stores.redis.deduplication import release_lane, acquire_lane
held = acquire_lane("k")
child = os.fork()
own = acquire_lane("k") if not child else None
release_lane(held)
again = acquire_lane("k")
if not child:
    os._exit(0 if again is not held and again.producer is own.producer else 1)
print(again is held, os.waitpid(child, 0)[1])
"""
    assert finish(start(program)) == "True 0"


async def test_cancelled_tasks(engine: Engine) -> None:
    """Adds cancelled at random moments: each is done once or not at all, and others go on."""
    chance = random.Random(5)
    client = redis.asyncio.Redis(unix_socket_path=str(engine.socket))
    cart = AsyncCart("c", client)
    await cart.add("apple", unit_price="0.1")
    done = 1
    for _ in range(30):
        tasks = [asyncio.create_task(cart.add("apple")) for _ in range(8)]
        await asyncio.sleep(chance.uniform(0, 0.004))
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results
                   if isinstance(result, BaseException))  # fmt: skip
        done += sum(not isinstance(result, BaseException) for result in results)

    summary = await cart.summary()
    assert done <= summary.total_quantity <= 1 + 30 * 8
    assert summary.version == summary.total_quantity
    await client.aclose()


async def test_a_cancelled_change_retires_its_lane(own_engine: Engine) -> None:
    """Nobody knows whether it was done: its lane makes no other change, so that it can be told."""
    store = AsyncRedisStore(own_engine.url)
    cart = AsyncCart("c", store)
    await cart.add("apple")
    held = acquire_lane(Keyspace().cart("c"))
    release_lane(held)
    with own_engine.frozen():
        task = asyncio.create_task(cart.add("apple"))
        await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    free = acquire_lane(Keyspace().cart("c"))
    assert free is not held
    release_lane(free)
    assert (await cart.add("apple")).summary.total_quantity in (2, 3)
    await store.close()


async def test_a_time_out_of_the_callers_is_a_cancellation(own_engine: Engine) -> None:
    """`asyncio.timeout` around a call is heeded at once, and the cart is whole."""
    store = AsyncRedisStore(own_engine.url)
    cart = AsyncCart("c", store)
    await cart.add("apple")
    with own_engine.frozen(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await cart.add("apple")

    assert (await cart.summary()).total_quantity in (1, 2)
    await store.close()
