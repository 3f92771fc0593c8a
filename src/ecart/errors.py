"""Every error of ecart, each with the one code that Lua, Python, HTTP and the docs spell alike.

Four families, by what a caller can do:

- `InvalidInputError`: the value can never work; correct the call.
- `RefusedError`: the cart's state or limits do not allow it; nothing was changed.
- `StoreError`: the engine or its data; see each class for what is known of the change.
- `CatalogError`, `EngineError`: the parts beside the cart.
"""

from __future__ import annotations

from typing import Any, ClassVar


class EcartError(Exception):
    """The root of all errors that ecart raises on purpose.

    Its `args` are those it was made with, so that it crosses processes as it is: `pickle`, `copy`,
    multiprocessing, and job queues, which make it again of its class and its `args`.
    """

    code: ClassVar[str] = "ecart_error"
    message: ClassVar[str] = ""
    """What it says, with the names of its attributes in braces; empty: its first argument."""

    def __str__(self) -> str:
        if self.message:
            return self.message.format_map(vars(self))
        return str(self.args[0]) if self.args else ""


class InvalidInputError(EcartError, ValueError):
    """A value that no cart can take. Nothing was sent to the store."""

    code = "invalid_input"


class InvalidCartIdError(InvalidInputError):
    """Not a `str` or `int`, empty, longer than 256 characters, or not encodable as UTF-8."""

    code = "invalid_cart_id"


class InvalidSkuError(InvalidInputError):
    """Not a `str` of 1 to 128 characters without control characters or outer white space."""

    code = "invalid_sku"


class InvalidLineIdError(InvalidInputError):
    """Not the id that any line could have."""

    code = "invalid_line_id"


class InvalidQuantityError(InvalidInputError):
    """Not an `int` in the accepted range; `bool` and `float` are refused."""

    code = "invalid_quantity"


class InvalidAmountError(InvalidInputError):
    """Not an amount of the form `digits[.up to 9 digits]`, or not finite, or negative."""

    code = "invalid_amount"


class InvalidCurrencyError(InvalidInputError):
    """Not an active ISO 4217 alphabetic code."""

    code = "invalid_currency"


class InvalidTitleError(InvalidInputError):
    """Not a `str` of at most 256 characters that UTF-8 can encode."""

    code = "invalid_title"


class InvalidOptionsError(InvalidInputError):
    """Not a small mapping of names to strings, integers, booleans or null."""

    code = "invalid_options"


class InvalidDetailsError(InvalidInputError):
    """Not a JSON object, or longer than the limit (1 KiB by default)."""

    code = "invalid_details"


class InvalidTtlError(InvalidInputError):
    """Not whole seconds (or a `timedelta`) from 1 second to 365 days, nor `None` for never."""

    code = "invalid_ttl"


class InvalidOperationIdError(InvalidInputError):
    """Not a `str` of 1 to 255 characters without control characters."""

    code = "invalid_operation_id"


class InvalidPolicyError(InvalidInputError):
    """A merge policy other than `sum`, `max`, `keep_target`, `replace`."""

    code = "invalid_policy"


class InvalidUrlError(InvalidInputError):
    """A store URL of a scheme that is not known, or that cannot be read."""

    code = "invalid_url"


class InvalidVersionError(InvalidInputError):
    """An `expected_version` that is neither a version number nor an entity tag."""

    code = "invalid_version"


class RefusedError(EcartError):
    """The cart as it stands does not allow the operation. Nothing was changed."""

    code = "refused"


class LineNotFoundError(RefusedError, LookupError):
    """The cart has no line with this id."""

    code = "line_not_found"
    message = "the cart has no line {line_id!r}"

    def __init__(self, line_id: str = "") -> None:
        super().__init__(line_id)
        self.line_id = line_id


class QuantityLimitExceededError(RefusedError):
    """The line would hold more units than the limit allows."""

    code = "quantity_limit_exceeded"
    message = "a line holds at most {limit} units"

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class LineLimitExceededError(RefusedError):
    """The cart would hold more lines than the limit allows."""

    code = "line_limit_exceeded"
    message = "a cart holds at most {limit} lines"

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class LineTooLargeError(RefusedError):
    """The line's title, options and details together have more bytes than the limit allows."""

    code = "line_too_large"
    message = "title, options and details of a line are at most {limit} bytes"

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class CartTooLargeError(RefusedError):
    """The lines of the cart would have more bytes than the limit allows."""

    code = "cart_too_large"
    message = "the lines of a cart are at most {limit} bytes"

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class AmountOutOfRangeError(RefusedError):
    """A product or a sum of amounts would pass what is computed exactly (2^53)."""

    code = "amount_out_of_range"
    message = "the amount is larger than the cart can add up exactly"


class CurrencyMismatchError(RefusedError):
    """The price is in another currency than the cart; a cart has one."""

    code = "currency_mismatch"
    message = "the cart is in {cart_currency}, the price in {currency}"

    def __init__(self, cart_currency: str, currency: str) -> None:
        super().__init__(cart_currency, currency)
        self.cart_currency = cart_currency
        self.currency = currency


class VersionConflictError(RefusedError):
    """The cart has moved on from the version that the caller expected."""

    code = "version_conflict"
    message = "the cart is at version {version}, not at the expected one"

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


class IdempotencyKeyReusedError(RefusedError):
    """This operation id has already named another operation on this cart."""

    code = "idempotency_key_reused"
    message = "this operation id was already used for another operation"


class StaleOperationError(RefusedError):
    """A straggler: the same caller has made later changes since; this attempt was abandoned."""

    code = "stale_operation"
    message = "a later change of the same caller has already been applied"


class TooManyOperationsError(RefusedError):
    """The cart holds as many young operation records as it may; nothing can be added to it.

    `retry_after` is the seconds until the oldest of them is forgotten.
    """

    code = "too_many_operations"
    message = "the cart has had too many distinct operations lately"

    def __init__(self, retry_after: int = 60) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class CartLockedError(RefusedError):
    """A check-out has begun on the cart."""

    code = "cart_locked"
    message = "the cart is locked by a check-out"


class CartEmptyError(RefusedError):
    """There is nothing in the cart to check out."""

    code = "cart_empty"
    message = "the cart is empty"


class CheckoutNotOpenError(RefusedError):
    """The cart is not held by this check-out: it was completed, released, or ran out of time."""

    code = "checkout_not_open"
    message = "this check-out does not hold the cart"


class CartMergingError(RefusedError):
    """A merge of the cart into another is half done; flows finish it and try again."""

    code = "cart_merging"
    message = "the cart is being merged into another"

    def __init__(self, merge: Any) -> None:
        super().__init__(merge)
        self.merge = merge


class MergeRefusedError(RefusedError):
    """This merge has been refused once and for all; the source is open again, or about to be."""

    code = "merge_refused"
    message = "the merge was refused; nothing was moved"


class CartMergedError(RefusedError):
    """The cart was merged into another one, named by `target_id`."""

    code = "cart_merged"
    message = "the cart was merged into {target_id!r}"

    def __init__(self, target_id: str = "") -> None:
        super().__init__(target_id)
        self.target_id = target_id


class SessionEndedError(RefusedError):
    """The user has logged out: what their session held is no longer opened by it."""

    code = "session_ended"
    message = "the user has logged out of this session"


class UnknownSkuError(RefusedError, LookupError):
    """The catalog does not sell this SKU."""

    code = "unknown_sku"
    message = "the catalog has no SKU {sku!r}"

    def __init__(self, sku: str) -> None:
        super().__init__(sku)
        self.sku = sku


class StoreError(EcartError):
    """The engine, the way to it, or the data in it."""

    code = "store_error"


class StoreUnavailableError(StoreError):
    """The operation was not executed: the engine could not be reached or would not serve."""

    code = "store_unavailable"


class OutcomeUnknownError(StoreError):
    """The change was sent and no answer came; it was applied once or not at all.

    `operation_id` names the change: the caller's own name, or the one it was given here. Repeat
    the call with it as `operation_id=` to have the change once for certain, or ask the cart to
    `resolve` it. A name given here is remembered for 10 minutes.
    """

    code = "outcome_unknown"

    def __init__(self, text: str, operation_id: str) -> None:
        super().__init__(text, operation_id)
        self.operation_id = operation_id


class CorruptCartError(StoreError):
    """What is stored under `key` is not a cart that this version can read; it was left alone."""

    code = "corrupt_cart"
    message = "{key!r} does not hold a readable cart (see {field!r})"

    def __init__(self, key: str, field: str) -> None:
        super().__init__(key, field)
        self.key = key
        self.field = field


class CatalogError(EcartError):
    """The catalog cannot be read or answered with something that is no product."""

    code = "catalog_unavailable"


class EngineError(EcartError):
    """The embedded engine cannot be found, started, or matched with its data folder."""

    code = "engine_error"
