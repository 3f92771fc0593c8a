"""Carts under load while something fails: every add is noted, and held against what is stored.

Each add is of a SKU of its own, so that the stored cart tells of each whether it is there, and by
its position which of several lives of the cart it belongs to.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from ecart import AsyncCart, Cart, Rules
from engines import eventually
from waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 8
PAUSE = 0.002
"""Seconds between two adds of one worker, so that the engines have their share of the machine."""
RULES = Rules(max_lines=10_000)


@dataclass(frozen=True)
class Opened:
    """A store on a topology, and what closes it; for asyncio, both belong to one event loop."""

    store: Any
    close: Callable[[], Any]

    def cart(self, cart_id: str, runner: asyncio.Runner) -> Any:
        """A cart, behind the face of the sync one."""
        if self._is_async:
            return Waiting(AsyncCart(cart_id, self.store), runner)
        return Cart(cart_id, self.store)

    def end(self, runner: asyncio.Runner) -> None:
        """Closes what was opened, in the loop where it was used."""
        if self._is_async:
            runner.run(self.close())
        else:
            self.close()

    @property
    def _is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.close)


@dataclass(frozen=True)
class Way:
    """How a caller comes to the store: which client, sync or asyncio."""

    name: str
    is_async: bool
    open: Callable[[], Opened]


@dataclass(frozen=True)
class Add:
    """One add as its caller saw it. `position` is that of the line, once acknowledged."""

    cart_id: str
    sku: str
    began: float
    ended: float
    position: int = 0
    error: BaseException | None = None


class Load:
    """What several callers do to some carts at once."""

    def __init__(self, cart_ids: Sequence[str]) -> None:
        self.cart_ids = cart_ids
        self.adds: list[Add] = []
        self._over = threading.Event()
        self._numbers = count()

    @property
    def acknowledged(self) -> list[Add]:
        return [add for add in self.adds if add.error is None]

    @property
    def errors(self) -> list[BaseException]:
        return [add.error for add in self.adds if add.error is not None]

    @property
    def longest_stall(self) -> float:
        """Seconds that the slowest call took."""
        return max(add.ended - add.began for add in self.adds)

    def wait_for(self, adds: int) -> None:
        """Until so many more adds have ended."""
        enough = len(self.adds) + adds
        assert eventually(lambda: len(self.adds) >= enough, 40), "the callers are stuck"

    @contextlib.contextmanager
    def running(self, way: Way) -> Iterator[None]:
        """The callers at work; at the end each finishes what it has begun."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            work = [pool.submit(asyncio.run, self._tasks(way))] if way.is_async else []
            opened = None if way.is_async else way.open()
            if opened:
                work += [pool.submit(self._work, opened.store, n) for n in range(AT_ONCE)]
            try:
                yield
            finally:
                self._over.set()
                for one in work:
                    one.result()
                if opened:
                    opened.close()

    def _work(self, store: Any, number: int) -> None:
        for cart_id, sku in self._next(number):
            began = time.monotonic()
            try:
                change = Cart(cart_id, store, rules=RULES).add(sku, unit_price="0.01")
            except Exception as error:
                self._note(cart_id, sku, began, error)
            else:
                self._note(cart_id, sku, began, change)
            time.sleep(PAUSE)

    async def _tasks(self, way: Way) -> None:
        opened = way.open()
        await asyncio.gather(*(self._task(opened.store, n) for n in range(AT_ONCE)))
        await opened.close()

    async def _task(self, store: Any, number: int) -> None:
        for cart_id, sku in self._next(number):
            began = time.monotonic()
            try:
                change = await AsyncCart(cart_id, store, rules=RULES).add(sku, unit_price="0.01")
            except Exception as error:
                self._note(cart_id, sku, began, error)
            else:
                self._note(cart_id, sku, began, change)
            await asyncio.sleep(PAUSE)

    def _next(self, number: int) -> Iterator[tuple[str, str]]:
        turn = number
        while not self._over.is_set():
            yield self.cart_ids[turn % len(self.cart_ids)], f"sku-{next(self._numbers)}"
            turn += 1

    def _note(self, cart_id: str, sku: str, began: float, outcome: Any) -> None:
        ended = time.monotonic()
        if isinstance(outcome, Exception):
            self.adds.append(Add(cart_id, sku, began, ended, error=outcome))
        else:
            self.adds.append(Add(cart_id, sku, began, ended, outcome.line.position))


@dataclass(frozen=True)
class Verdict:
    """What became of the adds: `lost` were acknowledged and are not stored."""

    acknowledged: int
    lost: list[Add]
    wrong: list[str]


def judge(load: Load, store: Any) -> Verdict:
    """Holds what was acknowledged against the carts as they are stored."""
    lost, wrong = [], []
    for cart_id in load.cart_ids:
        cart = Cart(cart_id, store).get()
        lines = {line.sku: line for line in cart.lines}
        begun = {add.sku for add in load.adds if add.cart_id == cart_id}
        wrong += [f"{cart_id}: {sku} is nobody's" for sku in lines.keys() - begun]
        wrong += [
            f"{cart_id}: {s} × {line.quantity}" for s, line in lines.items() if line.quantity != 1
        ]
        if sorted(line.position for line in cart.lines) != list(range(1, cart.version + 1)):
            wrong.append(f"{cart_id}: a hole in {cart.version} versions")
        for add in load.acknowledged:
            if add.cart_id == cart_id and add.sku not in lines:
                lost.append(add)
            elif add.cart_id == cart_id and lines[add.sku].position != add.position:
                wrong.append(f"{cart_id}: {add.sku} is not where its caller was told")
    return Verdict(len(load.acknowledged), lost, wrong)
