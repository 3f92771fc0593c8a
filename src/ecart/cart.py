"""`Cart` and `AsyncCart`, side by side: signatures, and one line for each.

What is shared is above; what a method means is in `ecart.operations`, and in `ecart.flows` where
it takes several steps. A handle is cheap: make one per request. It holds no connection and no
state; what is worth keeping is found again for the same client or URL.
"""

from __future__ import annotations

from typing import Any, TypeVar

from ecart import flows
from ecart.flows import Flow
from ecart.model import (
    CartChange,
    CartSnapshot,
    CartSummary,
    Details,
    LineItem,
    Options,
    check_cart_id,
    line_id_for,
)
from ecart.money import Amount, parse_amount
from ecart.operations import (
    WEEK,
    AddItem,
    Clear,
    Destroy,
    GetCart,
    GetLine,
    GetSummary,
    Operation,
    RemoveLine,
    Rules,
    SetQuantity,
    SetTtl,
    Ttl,
    Version,
    ttl_milliseconds,
)
from ecart.store import AsyncStore, Store, run, run_async, steps_on
from ecart.stores.redis import Client, async_store_for, store_for

Result = TypeVar("Result")


def _id(line_id: str, options: Options | None) -> str:
    return line_id_for(line_id, options) if options else line_id


def _terms(
    rules: Rules, expected_version: Version | None, operation_id: str | None
) -> dict[str, Any]:
    expected = () if expected_version is None else (expected_version,)
    return {"rules": rules, "expected": expected, "operation_id": operation_id}


class Cart:
    """One cart, by its id, in a store.

    `store` is a redis-py or valkey-py client, a URL (`redis://`, `rediss://`, `unix://`,
    `valkey://`), a `RedisStore` or a `MemoryStore`. `ttl` is how long the cart lives after
    each change: seconds, a `timedelta`, or None for ever. `currency` is that of the prices given
    here. `rules` replaces both and sets the limits too.

    Every change takes effect once, however often the network repeats it, and takes
    `expected_version` (a version number or a snapshot's `etag`: refuse if the cart has moved on)
    and `operation_id` (your own name for this very change, remembered for 24 hours: a repeat
    changes nothing). `line_id` is the SKU, for a line without options; with `options` given, it
    is taken as the SKU of the line that has them.

    Raises, beside what each method names:
        InvalidInputError: an argument that can never work.
        VersionConflictError: the cart is not at `expected_version`.
        IdempotencyKeyReusedError: `operation_id` was used for something else.
        StoreUnavailableError: not executed; the engine cannot be reached or does not serve.
        OutcomeUnknownError: sent, and no answer came; repeat with the same `operation_id`.
        CorruptCartError: something else is stored under the cart's key; it was left alone.
    """

    def __init__(
        self,
        cart_id: str | int,
        store: Store | Client | str,
        *,
        ttl: Ttl = WEEK,
        currency: str = "USD",
        rules: Rules | None = None,
    ) -> None:
        self.cart_id = check_cart_id(cart_id)
        self.rules = rules or Rules(ttl_ms=ttl_milliseconds(ttl), currency=currency)
        self.store: Store = store_for(store)

    def __repr__(self) -> str:
        return f"Cart({self.cart_id!r})"

    def get(self) -> CartSnapshot:
        """The cart with its lines, all of one moment. A cart that does not exist reads as empty."""
        return self.perform(GetCart(rules=self.rules))

    def summary(self) -> CartSummary:
        """Line count, total quantity, subtotal and version, without loading the lines."""
        return self.perform(GetSummary(rules=self.rules))

    def line(self, line_id: str, *, options: Options | None = None) -> LineItem | None:
        """The line, or None."""
        return self.perform(GetLine(line_id=_id(line_id, options), rules=self.rules))

    def contains(self, line_id: str, *, options: Options | None = None) -> bool:
        """Whether the cart has the line."""
        return self._run(flows.has_line(self.cart_id, GetLine(line_id=_id(line_id, options))))

    def ttl(self) -> int | None:
        """Seconds until the cart expires unless it is changed; 0 for no cart, None for never."""
        return self._run(flows.seconds_to_live(self.cart_id, self.rules))

    def add(
        self,
        sku: str,
        unit_price: Amount | None = None,
        quantity: int = 1,
        *,
        options: Options | None = None,
        details: Details | None = None,
        title: str | None = None,
        expected_version: Version | None = None,
        operation_id: str | None = None,
    ) -> CartChange:
        """Adds `quantity` units to the line of this SKU and these options, making it if needed.

        `unit_price`, `title` and `details`, where given, replace what the line had.

        Raises:
            QuantityLimitExceededError, LineLimitExceededError: the line or the cart is full.
            CurrencyMismatchError: the cart holds lines in another currency.
            AmountOutOfRangeError: the subtotal would pass what is added up exactly.
        """
        return self.perform(
            AddItem(
                sku=sku,
                quantity=quantity,
                unit_price=None if unit_price is None else parse_amount(unit_price),
                title=title,
                options={} if options is None else options,
                details=details,
                **_terms(self.rules, expected_version, operation_id),
            )
        )

    def set_quantity(
        self,
        line_id: str,
        quantity: int,
        *,
        options: Options | None = None,
        expected_version: Version | None = None,
        operation_id: str | None = None,
    ) -> CartChange:
        """Replaces the line's quantity; 0 removes the line.

        Raises:
            LineNotFoundError: the cart has no such line.
            QuantityLimitExceededError: more than a line may hold.
        """
        terms = _terms(self.rules, expected_version, operation_id)
        return self.perform(SetQuantity(line_id=_id(line_id, options), quantity=quantity, **terms))

    def remove(
        self,
        line_id: str,
        *,
        options: Options | None = None,
        expected_version: Version | None = None,
        operation_id: str | None = None,
    ) -> CartChange:
        """Takes the line out of the cart, whatever its quantity.

        Raises:
            LineNotFoundError: the cart has no such line.
        """
        terms = _terms(self.rules, expected_version, operation_id)
        return self.perform(RemoveLine(line_id=_id(line_id, options), **terms))

    def clear(
        self, *, expected_version: Version | None = None, operation_id: str | None = None
    ) -> CartChange:
        """Removes every line. The cart stays, with its id and version."""
        return self.perform(Clear(**_terms(self.rules, expected_version, operation_id)))

    def set_ttl(
        self,
        ttl: Ttl,
        *,
        expected_version: Version | None = None,
        operation_id: str | None = None,
    ) -> CartChange:
        """Gives this cart a life of its own after each change; later changes keep it.

        A cart that does not exist is not made.
        """
        terms = _terms(self.rules, expected_version, operation_id)
        return self.perform(SetTtl(ttl_ms=ttl_milliseconds(ttl), **terms))

    def destroy(
        self, *, expected_version: Version | None = None, operation_id: str | None = None
    ) -> CartChange:
        """Ends the cart; for 15 minutes a trace of it keeps late repeats from reviving it."""
        return self.perform(Destroy(**_terms(self.rules, expected_version, operation_id)))

    def purge(
        self, *, expected_version: Version | None = None, operation_id: str | None = None
    ) -> CartChange:
        """Erases the cart and every trace of it, for instance on a request to be forgotten.

        No record remains by which `operation_id` could be known again.
        """
        terms = _terms(self.rules, expected_version, operation_id)
        return self._run(flows.purge(self.cart_id, **terms))

    def perform(self, operation: Operation[Result]) -> Result:
        """Executes an operation of `ecart.operations` on this cart; the methods above all do."""
        return self.store.execute(self.cart_id, operation)

    def _run(self, flow: Flow[Result]) -> Result:
        return run(flow, steps_on(self.store))


class AsyncCart:
    """One cart for asyncio, by its id, in a store.

    `store` is a redis-py or valkey-py asyncio client, a URL (`redis://`, `rediss://`, `unix://`,
    `valkey://`), an `AsyncRedisStore` or an `AsyncMemoryStore`. `ttl` is how long the cart lives
    after each change: seconds, a `timedelta`, or None for ever. `currency` is that of the prices
    given here. `rules` replaces both and sets the limits too.

    Every change takes effect once, however often the network repeats it, and takes
    `expected_version` (a version number or a snapshot's `etag`: refuse if the cart has moved on)
    and `operation_id` (your own name for this very change, remembered for 24 hours: a repeat
    changes nothing). `line_id` is the SKU, for a line without options; with `options` given, it
    is taken as the SKU of the line that has them.

    Raises, beside what each method names:
        InvalidInputError: an argument that can never work.
        VersionConflictError: the cart is not at `expected_version`.
        IdempotencyKeyReusedError: `operation_id` was used for something else.
        StoreUnavailableError: not executed; the engine cannot be reached or does not serve.
        OutcomeUnknownError: sent, and no answer came; repeat with the same `operation_id`.
        CorruptCartError: something else is stored under the cart's key; it was left alone.
    """

    def __init__(
        self,
        cart_id: str | int,
        store: AsyncStore | Client | str,
        *,
        ttl: Ttl = WEEK,
        currency: str = "USD",
        rules: Rules | None = None,
    ) -> None:
        self.cart_id = check_cart_id(cart_id)
        self.rules = rules or Rules(ttl_ms=ttl_milliseconds(ttl), currency=currency)
        self.store: AsyncStore = async_store_for(store)

    def __repr__(self) -> str:
        return f"AsyncCart({self.cart_id!r})"

    async def get(self) -> CartSnapshot:
        """The cart with its lines, all of one moment. A cart that does not exist reads as empty."""
        return await self.perform(GetCart(rules=self.rules))

    async def summary(self) -> CartSummary:
        """Line count, total quantity, subtotal and version, without loading the lines."""
        return await self.perform(GetSummary(rules=self.rules))

    async def line(self, line_id: str, *, options: Options | None = None) -> LineItem | None:
        """The line, or None."""
        return await self.perform(GetLine(line_id=_id(line_id, options), rules=self.rules))

    async def contains(self, line_id: str, *, options: Options | None = None) -> bool:
        """Whether the cart has the line."""
        return await self._run(flows.has_line(self.cart_id, GetLine(line_id=_id(line_id, options))))

    async def ttl(self) -> int | None:
        """Seconds until the cart expires unless it is changed; 0 for no cart, None for never."""
        return await self._run(flows.seconds_to_live(self.cart_id, self.rules))

    async def add(
        self,
        sku: str,
        unit_price: Amount | None = None,
        quantity: int = 1,
        *,
        options: Options | None = None,
        details: Details | None = None,
        title: str | None = None,
        expected_version: Version | None = None,
        operation_id: str | None = None,
    ) -> CartChange:
        """Adds `quantity` units to the line of this SKU and these options, making it if needed.

        `unit_price`, `title` and `details`, where given, replace what the line had.

        Raises:
            QuantityLimitExceededError, LineLimitExceededError: the line or the cart is full.
            CurrencyMismatchError: the cart holds lines in another currency.
            AmountOutOfRangeError: the subtotal would pass what is added up exactly.
        """
        return await self.perform(
            AddItem(
                sku=sku,
                quantity=quantity,
                unit_price=None if unit_price is None else parse_amount(unit_price),
                title=title,
                options={} if options is None else options,
                details=details,
                **_terms(self.rules, expected_version, operation_id),
            )
        )

    async def set_quantity(
        self,
        line_id: str,
        quantity: int,
        *,
        options: Options | None = None,
        expected_version: Version | None = None,
        operation_id: str | None = None,
    ) -> CartChange:
        """Replaces the line's quantity; 0 removes the line.

        Raises:
            LineNotFoundError: the cart has no such line.
            QuantityLimitExceededError: more than a line may hold.
        """
        terms = _terms(self.rules, expected_version, operation_id)
        return await self.perform(
            SetQuantity(line_id=_id(line_id, options), quantity=quantity, **terms)
        )

    async def remove(
        self,
        line_id: str,
        *,
        options: Options | None = None,
        expected_version: Version | None = None,
        operation_id: str | None = None,
    ) -> CartChange:
        """Takes the line out of the cart, whatever its quantity.

        Raises:
            LineNotFoundError: the cart has no such line.
        """
        terms = _terms(self.rules, expected_version, operation_id)
        return await self.perform(RemoveLine(line_id=_id(line_id, options), **terms))

    async def clear(
        self, *, expected_version: Version | None = None, operation_id: str | None = None
    ) -> CartChange:
        """Removes every line. The cart stays, with its id and version."""
        return await self.perform(Clear(**_terms(self.rules, expected_version, operation_id)))

    async def set_ttl(
        self,
        ttl: Ttl,
        *,
        expected_version: Version | None = None,
        operation_id: str | None = None,
    ) -> CartChange:
        """Gives this cart a life of its own after each change; later changes keep it.

        A cart that does not exist is not made.
        """
        terms = _terms(self.rules, expected_version, operation_id)
        return await self.perform(SetTtl(ttl_ms=ttl_milliseconds(ttl), **terms))

    async def destroy(
        self, *, expected_version: Version | None = None, operation_id: str | None = None
    ) -> CartChange:
        """Ends the cart; for 15 minutes a trace of it keeps late repeats from reviving it."""
        return await self.perform(Destroy(**_terms(self.rules, expected_version, operation_id)))

    async def purge(
        self, *, expected_version: Version | None = None, operation_id: str | None = None
    ) -> CartChange:
        """Erases the cart and every trace of it, for instance on a request to be forgotten.

        No record remains by which `operation_id` could be known again.
        """
        terms = _terms(self.rules, expected_version, operation_id)
        return await self._run(flows.purge(self.cart_id, **terms))

    async def perform(self, operation: Operation[Result]) -> Result:
        """Executes an operation of `ecart.operations` on this cart; the methods above all do."""
        return await self.store.execute(self.cart_id, operation)

    async def _run(self, flow: Flow[Result]) -> Result:
        return await run_async(flow, steps_on(self.store))
