"""Whoever calls: the library's two handles and the HTTP contract, behind one face.

What came of a call is a word: "ok", or the code of the error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clients.flask import FlaskShop
from clients.shop import Setup
from clients.starlette import StarletteShop
from ecart import AsyncCart, AsyncRedisStore, Cart, RedisStore, StoreError
from waiting import Waiting

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Library:
    """One handle, sync or asyncio, on a URL."""

    def __init__(self, url: str, deadline: float, runner: asyncio.Runner | None = None) -> None:
        self._runner = runner
        self._store: Any
        if runner is None:
            self._store = RedisStore(url, deadline=deadline)
            self.cart: Any = Cart("c", self._store)
        else:
            self._store = AsyncRedisStore(url, deadline=deadline)
            self.cart = Waiting(AsyncCart("c", self._store), runner)

    def add(self) -> str:
        return self._word(lambda: self.cart.add("apple", unit_price="1.5"))

    def remove(self) -> str:
        return self._word(lambda: self.cart.remove("apple"))

    def read(self) -> str:
        return self._word(self.cart.get)

    def units(self) -> int:
        units: int = self.cart.summary().total_quantity
        return units

    def close(self) -> None:
        closed = self._store.close()
        if self._runner is not None:
            self._runner.run(closed)

    def _word(self, call: Callable[[], object]) -> str:
        try:
            call()
        except StoreError as error:
            return error.code
        return "ok"


class Web:
    """One visitor of a shop."""

    def __init__(self, shop: type[StarletteShop | FlaskShop], url: str, deadline: float) -> None:
        self._shop = shop(Setup(url=url, patience=deadline))
        self._shopper = self._shop.shopper()

    def add(self) -> str:
        return self._word(self._shopper.post("/cart/items", json={"sku": "apple"}))

    def remove(self) -> str:
        return self._word(self._shopper.delete("/cart/items/apple"))

    def read(self) -> str:
        return self._word(self._shopper.get("/cart"))

    def units(self) -> int:
        units: int = self._shopper.get("/cart/summary").json["total_quantity"]
        return units

    def close(self) -> None:
        self._shop.close()

    def _word(self, answer: Any) -> str:
        if answer.status == 200:
            return "ok"
        assert (answer.status, answer.code) in (
            (503, "store_unavailable"),
            (504, "outcome_unknown"),
        )
        code: str = answer.code
        return code


Caller = Library | Web
CALLERS: dict[str, Callable[[str, float, asyncio.Runner], Caller]] = {
    "sync": lambda url, deadline, runner: Library(url, deadline),
    "async": Library,
    "starlette": lambda url, deadline, runner: Web(StarletteShop, url, deadline),
    "flask": lambda url, deadline, runner: Web(FlaskShop, url, deadline),
}
