"""`Cart` and `AsyncCart`, side by side: signatures, and one line for each.

What is shared is above; what a method means is in `ecart.operations`, and in `ecart.flows` where
it takes several steps. A handle is cheap: make one per request. It holds no connection and no
state; what is worth keeping is found again for the same client or URL.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ecart import flows
from ecart.errors import CartMergingError
from ecart.flows import Flow
from ecart.model import (
    CartChange,
    CartSnapshot,
    CartSummary,
    Checkout,
    Details,
    LineItem,
    MergePolicy,
    MergeReport,
    Options,
    check_cart_id,
    line_id_for,
)
from ecart.money import Amount
from ecart.operations import (
    QUARTER_HOUR,
    WEEK,
    AddItem,
    Clear,
    CompleteCheckout,
    Destroy,
    GetCart,
    GetLine,
    GetOperation,
    GetSummary,
    Operation,
    ReleaseCheckout,
    RemoveLine,
    Rules,
    SetQuantity,
    SetTtl,
    Ttl,
    Version,
    make_add_item,
    ttl_milliseconds,
)
from ecart.store import (
    AsyncStore,
    Store,
    run,
    run_async,
    steps_on,
)
from ecart.stores.redis import Client, async_store_for, store_for

if TYPE_CHECKING:
    from ecart.catalog import Product

_Result = TypeVar("_Result")


def _id(line_id: str, options: Options | None) -> str:
    return line_id_for(line_id, options) if options else line_id


def _terms(
    rules: Rules, expected_version: Version | None, operation_id: str | None
) -> dict[str, Any]:
    expected = () if expected_version is None else (expected_version,)
    return {"rules": rules, "expected": expected, "operation_id": operation_id}


def _sale(
    product: Product,
    quantity: int,
    options: Options | None,
    details: Details | None,
    rules: Rules,
    expected_version: Version | None,
    operation_id: str | None,
) -> AddItem:
    # Imported with the first product: who has no catalog needs none.
    from ecart.catalog.product import check_choice, limited

    check_choice(product, {} if options is None else options)
    return make_add_item(
        product.sku,
        quantity,
        product.unit_price,
        product.title,
        options,
        limited(rules, product),
        () if expected_version is None else (expected_version,),
        operation_id,
        details,
        product.currency,
    )


class Cart:
    """One cart, by its id, in a store.

    `store` is a redis-py or valkey-py client, `RedisStore`, a URL in one of its forms, or
    `MemoryStore`. `ttl` is how long the cart lives after each change: seconds, a
    `timedelta`, or None for ever. `currency` is that of the prices given here. `rules` replaces
    both and sets the limits too.

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

    def resolve(self, operation_id: str) -> datetime | None:
        """When the change of this name took effect (UTC), or None: not so far.

        `operation_id` is your own, remembered for 24 hours, or that of an `OutcomeUnknownError`,
        remembered for 10 minutes. While None, the change may still be under way; to have it for
        certain, repeat it with the same `operation_id`.
        """
        return self.perform(GetOperation(operation_id=operation_id, rules=self.rules))

    def add(
        self,
        sku: str,
        quantity: int = 1,
        *,
        unit_price: Amount | None = None,
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
            LineTooLargeError, CartTooLargeError: the line or the cart would have too many bytes.
            CurrencyMismatchError: the cart holds lines in another currency.
            AmountOutOfRangeError: the subtotal would pass what is added up exactly.
        """
        return self.perform(
            make_add_item(
                sku,
                quantity,
                unit_price,
                title,
                options,
                self.rules,
                () if expected_version is None else (expected_version,),
                operation_id,
                details,
            )
        )

    def add_product(
        self,
        product: Product,
        quantity: int = 1,
        *,
        options: Options | None = None,
        details: Details | None = None,
        expected_version: Version | None = None,
        operation_id: str | None = None,
    ) -> CartChange:
        """Adds units of a product of a catalog, with its price, currency, title and limit.

        Raises:
            InvalidOptionsError: the product does not have these options.
            QuantityLimitExceededError: the line would hold more than the product's `max_quantity`,
                or than the limit of the rules.
            CurrencyMismatchError: the cart holds lines in another currency.
        """
        return self.perform(
            _sale(product, quantity, options, details, self.rules, expected_version, operation_id)
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

    def merge_from(self, source_id: str | int, policy: MergePolicy = "sum") -> MergeReport:
        """Moves the lines of another cart of this store into this one, and ends that cart.

        It happens once, however often it is called and wherever it was interrupted. Of a line that
        both have, `sum` adds the units up to the limit, `max` takes the larger number,
        `keep_target` leaves this cart's line, `replace` takes the other's.

        Raises:
            CurrencyMismatchError: both hold lines, in different currencies; nothing was moved.
            CartLockedError: a check-out holds one of the carts; nothing was moved.
            CartMergedError: the source was merged into a third cart.
        """
        return self._run(flows.merge(source_id, self.cart_id, policy, self.rules))

    def copy_to(self, target_id: str | int) -> CartChange | None:
        """Puts this cart's lines, as they are, into another; its other lines stay. Self: None."""
        return self._run(flows.copy(self.cart_id, target_id, self.rules))

    def begin_checkout(
        self,
        expected_version: Version | None = None,
        *,
        hold: int | timedelta = QUARTER_HOUR,
        keep_additions: bool = False,
        operation_id: str | None = None,
    ) -> Checkout:
        """Holds the cart and hands it over to be ordered.

        `hold` is how long: seconds or a `timedelta`. While it lasts, changes are refused as
        `cart_locked`; with `keep_additions`, what is added stays in the cart for the next order.

        Raises:
            CartEmptyError: there is nothing to order.
            CartLockedError: another check-out holds the cart.
        """
        terms = _terms(self.rules, expected_version, operation_id)
        return self._run(flows.begin_checkout(self.cart_id, hold, keep_additions, terms))

    def complete_checkout(self, checkout_id: str, order_id: str) -> CartChange:
        """Takes what was ordered out of the cart, and only that. A repeat changes nothing.

        Raises:
            CheckoutNotOpenError: this check-out was released, or another came after its deadline.
            IdempotencyKeyReusedError: it was completed as another order.
        """
        return self.perform(
            CompleteCheckout(checkout_id=checkout_id, order_id=order_id, rules=self.rules)
        )

    def release_checkout(self, checkout_id: str) -> CartChange:
        """Opens the cart again, as it is. A repeat changes nothing.

        Raises:
            CheckoutNotOpenError: this check-out does not hold the cart.
        """
        return self.perform(ReleaseCheckout(checkout_id=checkout_id, rules=self.rules))

    def perform(self, operation: Operation[_Result]) -> _Result:
        """Executes an operation of `ecart.operations` on this cart; the methods above all do."""
        try:
            return self.store.execute(self.cart_id, operation)
        except CartMergingError:
            return self._run(flows.perform(self.cart_id, operation))

    def _run(self, flow: Flow[_Result]) -> _Result:
        return run(flow, steps_on(self.store))


class AsyncCart:
    """One cart for asyncio, by its id, in a store.

    `store` is a redis-py or valkey-py asyncio client, `AsyncRedisStore`, a URL in one of its
    forms, or `AsyncMemoryStore`. `ttl` is how long the cart lives after each
    change: seconds, a `timedelta`, or None for ever. `currency` is that of the prices given here.
    `rules` replaces both and sets the limits too.

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

    async def resolve(self, operation_id: str) -> datetime | None:
        """When the change of this name took effect (UTC), or None: not so far.

        `operation_id` is your own, remembered for 24 hours, or that of an `OutcomeUnknownError`,
        remembered for 10 minutes. While None, the change may still be under way; to have it for
        certain, repeat it with the same `operation_id`.
        """
        return await self.perform(GetOperation(operation_id=operation_id, rules=self.rules))

    async def add(
        self,
        sku: str,
        quantity: int = 1,
        *,
        unit_price: Amount | None = None,
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
            LineTooLargeError, CartTooLargeError: the line or the cart would have too many bytes.
            CurrencyMismatchError: the cart holds lines in another currency.
            AmountOutOfRangeError: the subtotal would pass what is added up exactly.
        """
        return await self.perform(
            make_add_item(
                sku,
                quantity,
                unit_price,
                title,
                options,
                self.rules,
                () if expected_version is None else (expected_version,),
                operation_id,
                details,
            )
        )

    async def add_product(
        self,
        product: Product,
        quantity: int = 1,
        *,
        options: Options | None = None,
        details: Details | None = None,
        expected_version: Version | None = None,
        operation_id: str | None = None,
    ) -> CartChange:
        """Adds units of a product of a catalog, with its price, currency, title and limit.

        Raises:
            InvalidOptionsError: the product does not have these options.
            QuantityLimitExceededError: the line would hold more than the product's `max_quantity`,
                or than the limit of the rules.
            CurrencyMismatchError: the cart holds lines in another currency.
        """
        return await self.perform(
            _sale(product, quantity, options, details, self.rules, expected_version, operation_id)
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

    async def merge_from(self, source_id: str | int, policy: MergePolicy = "sum") -> MergeReport:
        """Moves the lines of another cart of this store into this one, and ends that cart.

        It happens once, however often it is called and wherever it was interrupted. Of a line that
        both have, `sum` adds the units up to the limit, `max` takes the larger number,
        `keep_target` leaves this cart's line, `replace` takes the other's.

        Raises:
            CurrencyMismatchError: both hold lines, in different currencies; nothing was moved.
            CartLockedError: a check-out holds one of the carts; nothing was moved.
            CartMergedError: the source was merged into a third cart.
        """
        return await self._run(flows.merge(source_id, self.cart_id, policy, self.rules))

    async def copy_to(self, target_id: str | int) -> CartChange | None:
        """Puts this cart's lines, as they are, into another; its other lines stay. Self: None."""
        return await self._run(flows.copy(self.cart_id, target_id, self.rules))

    async def begin_checkout(
        self,
        expected_version: Version | None = None,
        *,
        hold: int | timedelta = QUARTER_HOUR,
        keep_additions: bool = False,
        operation_id: str | None = None,
    ) -> Checkout:
        """Holds the cart and hands it over to be ordered.

        `hold` is how long: seconds or a `timedelta`. While it lasts, changes are refused as
        `cart_locked`; with `keep_additions`, what is added stays in the cart for the next order.

        Raises:
            CartEmptyError: there is nothing to order.
            CartLockedError: another check-out holds the cart.
        """
        terms = _terms(self.rules, expected_version, operation_id)
        return await self._run(flows.begin_checkout(self.cart_id, hold, keep_additions, terms))

    async def complete_checkout(self, checkout_id: str, order_id: str) -> CartChange:
        """Takes what was ordered out of the cart, and only that. A repeat changes nothing.

        Raises:
            CheckoutNotOpenError: this check-out was released, or another came after its deadline.
            IdempotencyKeyReusedError: it was completed as another order.
        """
        return await self.perform(
            CompleteCheckout(checkout_id=checkout_id, order_id=order_id, rules=self.rules)
        )

    async def release_checkout(self, checkout_id: str) -> CartChange:
        """Opens the cart again, as it is. A repeat changes nothing.

        Raises:
            CheckoutNotOpenError: this check-out does not hold the cart.
        """
        return await self.perform(ReleaseCheckout(checkout_id=checkout_id, rules=self.rules))

    async def perform(self, operation: Operation[_Result]) -> _Result:
        """Executes an operation of `ecart.operations` on this cart; the methods above all do."""
        try:
            return await self.store.execute(self.cart_id, operation)
        except CartMergingError:
            return await self._run(flows.perform(self.cart_id, operation))

    async def _run(self, flow: Flow[_Result]) -> _Result:
        return await run_async(flow, steps_on(self.store))
