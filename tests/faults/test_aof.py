"""The append-only file: what was acknowledged is in it, and wherever it ends, it is a true past."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore
from engines import KINDS
from faults.soak import IS_SOAK, TIMEOUT, rounds
from invariants import violations

if TYPE_CHECKING:
    import random
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from engines import Engine, Engines

ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")
TAIL = 8192
ADDS = 6000

State = dict[bytes, dict[bytes, bytes]]


@pytest.mark.timeout(TIMEOUT)
def test_kill_after_kill(
    engines: Engines,
    start: Callable[..., subprocess.Popen[str]],
    finish: Callable[[Any], str],
    chance: random.Random,
    tmp_path: Path,
) -> None:
    """kill -9 and start, again and again under load: no error, and every add is there once.

    What was done and not answered is known again by the record that came back with the cart.
    """
    engine = engines.acquire_own("valkey9", *ALWAYS)
    adds = rounds(ADDS, 10 * ADDS)
    logs = {mode: tmp_path / mode for mode in ("sync", "async")}
    adding = [
        start("adding.py", mode, engine.url, "c", mode, adds, log) for mode, log in logs.items()
    ]
    kills = 0
    while any(process.poll() is None for process in adding):
        time.sleep(chance.uniform(0.05, 0.3))
        if all(log.exists() and log.stat().st_size > 20 for log in logs.values()):
            engine.kill()
            engine.start()
            kills += 1

    assert [finish(process) for process in adding] == ["[]", "[]"]
    print(f"{kills} kills")
    assert kills >= 2
    store = RedisStore(engine.url)
    cart = Cart("c", store).get()
    assert {line.sku: line.quantity for line in cart.lines} == {"sync": adds, "async": adds}
    assert cart.version == 2 * adds
    store.close()


class Recorded:
    """A store that notes what the engine holds after each operation."""

    def __init__(self, engine: Engine, client: Any) -> None:
        self._store = RedisStore(engine.url)
        self._client = client
        self.states: list[State] = [{}]

    def execute(self, cart_id: str, operation: Any) -> Any:
        result = self._store.execute(cart_id, operation)
        state = stored(self._client)
        if state != self.states[-1]:
            self.states.append(state)
        return result

    def close(self) -> None:
        self._store.close()


def stored(client: Any) -> State:
    return {key: client.hgetall(key) for key in client.keys("*:cart:*")}


def shop(store: Any, chance: random.Random) -> None:
    """Some of everything that can be done to carts."""
    one, two = Cart("one", store), Cart("two", store)
    for number in range(12):
        one.add(f"sku-{chance.randrange(6)}", 1 + number % 3, unit_price="1.25")
        two.add(f"sku-{chance.randrange(6)}", unit_price="0.75", operation_id=f"key-{number}")
    one.set_quantity(one.get().lines[0].line_id, 7)
    two.remove(two.get().lines[0].line_id)
    held = one.begin_checkout()
    one.release_checkout(held.checkout_id)
    held = two.begin_checkout()
    two.complete_checkout(held.checkout_id, "order-1")
    one.set_ttl(1000)
    for number in range(4):
        two.add(f"sku-{number}", unit_price="0.75", details={"note": "x" * 200})
    one.merge_from("two")
    one.copy_to("three")
    Cart("three", store).clear()
    one.destroy()
    Cart("three", store).purge()
    Cart("four", store).add("apple")


@pytest.mark.timeout(TIMEOUT)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere(kind: str, engines: Engines, chance: random.Random) -> None:
    """All carts are then as they were at one moment, and a longer file tells of a later one."""
    engine = engines.acquire_own(kind, *ALWAYS)
    with engine.connected() as client:
        store = Recorded(engine, client)
        shop(store, chance)
        store.close()
    engine.kill()
    file = appended(engine.folder)
    whole = file.read_bytes()
    first = max(0, len(whole) - TAIL)
    sizes = range(first, len(whole)) if IS_SOAK else chance.sample(range(first, len(whole)), 40)

    moments = []
    for size in [*sorted(sizes), len(whole)]:
        file.write_bytes(whole[:size])
        engine.start()
        with engine.connected() as client:
            state, wrong = stored(client), violations(client)
        engine.kill()
        assert (wrong, state in store.states) == ([], True), f"cut at {size} of {len(whole)}"
        moments.append(store.states.index(state))

    print(f"{len(whole)} bytes, {len(store.states)} states, seen {len(set(moments))}")
    assert moments == sorted(moments)
    assert moments[-1] == len(store.states) - 1
    assert len(set(moments)) > 5


def appended(folder: Path) -> Path:
    """The file that changes are appended to, by the name of either layout."""
    (file,) = [*folder.glob("appendonlydir/*.incr.aof"), *folder.glob("appendonly.aof")]
    return file
