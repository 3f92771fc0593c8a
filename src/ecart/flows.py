"""What needs several steps, written once for sync and async: generators that yield their steps.

A flow yields steps and is sent their results; an error of a step is thrown into it. Nothing here
does I/O: `run` and `run_async` in `ecart.store` perform the steps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ecart.errors import (
    CartMergedError,
    CartMergingError,
    CheckoutNotOpenError,
    InvalidTtlError,
    MergeRefusedError,
    RefusedError,
    VersionConflictError,
)
from ecart.model import CartChange, Checkout, Merge, MergePolicy, MergeReport, check_cart_id
from ecart.operations import (
    BeginCheckout,
    BeginMerge,
    EndMerge,
    GetCart,
    GetLine,
    GetMergeSource,
    GetSummary,
    GetTtl,
    MergeLines,
    Operation,
    Purge,
    PutLines,
    Rules,
    check_policy,
    handed_over,
    new_token,
    short_digest,
    ttl_milliseconds,
)

if TYPE_CHECKING:  # who has no HTTP needs no catalog
    from ecart.catalog import Products

_Result = TypeVar("_Result")
Flow = Generator[Any, Any, _Result]

MAX_FOREIGN_MERGES = 8
"""How often a flow goes on after a merge of others that stood in its way; each was another one."""


class Perform(msgspec.Struct, frozen=True):
    """The step that has the store execute an operation."""

    cart_id: str
    operation: Operation[Any]


class Quote(msgspec.Struct, frozen=True):
    """The step that has the catalog look up SKUs."""

    skus: tuple[str, ...]


def perform(cart_id: str, operation: Operation[_Result]) -> Flow[_Result]:
    """Yields the step and returns the operation's result, typed.

    A half-done merge in its way is finished first, even another process's.
    """
    for _ in range(MAX_FOREIGN_MERGES):
        try:
            result: _Result = yield Perform(cart_id, operation)
            return result
        except CartMergingError as error:
            yield from finish_foreign_merge(cart_id, error.merge, operation.rules)
    return (yield from _step(cart_id, operation))


def quote(*skus: str) -> Flow[Products]:
    """Yields the step and returns the products of those SKUs that are sold."""
    products: Products = yield Quote(skus)
    return products


def has_line(cart_id: str, line: GetLine) -> Flow[bool]:
    """Whether the cart has the line."""
    return (yield from perform(cart_id, line)) is not None


def seconds_to_live(cart_id: str, rules: Rules) -> Flow[int | None]:
    """Whole seconds until the cart expires, rounded up; 0 for no cart, None for never."""
    milliseconds = yield from perform(cart_id, GetTtl(rules=rules))
    if milliseconds == -1:
        return None
    return -(-max(milliseconds, 0) // 1000)


def purge(cart_id: str, **arguments: Any) -> Flow[CartChange]:
    """Erases the cart that is there now: by its epoch, so that a repeat spares the next cart."""
    summary = yield from perform(cart_id, GetSummary(rules=arguments["rules"]))
    return (yield from perform(cart_id, Purge(epoch=summary.epoch, **arguments)))


def copy(source_id: str, target: str | int, rules: Rules) -> Flow[CartChange | None]:
    """Puts the source's lines into the target: one read, one write. Onto itself: nothing."""
    target_id = check_cart_id(target)
    if source_id == target_id:
        return None
    source = yield from perform(source_id, GetCart(rules=rules))
    put = PutLines(lines=source.lines, currency=source.currency, other=source.other, rules=rules)
    return (yield from perform(target_id, put))


def begin_checkout(
    cart_id: str, hold: int | timedelta, keep_additions: bool, terms: dict[str, Any]
) -> Flow[Checkout]:
    """Begins a check-out and hands over what it holds. A repeat hands over the same."""
    if hold is None:
        raise InvalidTtlError("a check-out holds the cart for seconds or a timedelta")
    operation_id = terms["operation_id"]
    mark = new_token() if operation_id is None else short_digest(operation_id)
    begin = BeginCheckout(
        checkout_id=new_token() + mark,
        hold_ms=ttl_milliseconds(hold),
        keeps_additions=keep_additions,
        **{**terms, "want_cart": True},
    )
    begun = yield from perform(cart_id, begin)
    lock = begun.cart.lock
    if lock is None or not lock.checkout_id.endswith(mark):  # a late repeat of one that has ended
        raise CheckoutNotOpenError
    return Checkout(lock.checkout_id, lock.deadline, handed_over(begun.cart), begun.replayed)


def merge(
    source: str | int, target_id: str, policy: MergePolicy, rules: Rules
) -> Flow[MergeReport]:
    """Moves the source's lines into the target, once, and ends the source.

    Onto itself, or from an empty cart, nothing is changed. A source that was merged into this
    target before is reported again; into another one, `CartMergedError`.
    """
    check_policy(policy)
    source_id = check_cart_id(source)
    if source_id == target_id:
        return MergeReport()
    for _ in range(MAX_FOREIGN_MERGES):
        with contextlib.suppress(CartMergingError, MergeRefusedError, VersionConflictError):
            return (yield from _merge(source_id, target_id, policy, rules))
    return (yield from _merge(source_id, target_id, policy, rules))


def _merge(source_id: str, target_id: str, policy: MergePolicy, rules: Rules) -> Flow[MergeReport]:
    """One try, which fails if either cart turns out to be in another merge, or the target new."""
    target = yield from _step(target_id, GetSummary(rules=rules))
    if target.state == "merging" and target.merge:
        yield from finish_foreign_merge(target_id, target.merge, rules)
    begin = BeginMerge(merge=Merge(new_token(), policy, target_id), rules=rules)
    source = (yield from _step(source_id, begin)).summary
    if source.merge is None:
        return MergeReport()
    if source.merge.target_id == target_id:
        return (yield from finish_merge(source_id, source.merge, target.epoch, rules))
    if source.state == "merged":
        raise CartMergedError(source.merge.target_id)
    yield from finish_foreign_merge(source_id, source.merge, rules)
    raise CartMergingError(source.merge)


def finish_foreign_merge(source_id: str, merge: Merge, rules: Rules) -> Flow[None]:
    """Finishes a half-done merge of another caller: completes it, or undoes it if refused."""
    target = yield from _step(merge.target_id, GetSummary(rules=rules))
    with contextlib.suppress(RefusedError):  # then the source is open again, or to be tried again
        yield from finish_merge(source_id, merge, target.epoch, rules)


def finish_merge(source_id: str, merge: Merge, epoch: str, rules: Rules) -> Flow[MergeReport]:
    """The steps of a merge that come after the first; each may have been taken before.

    `epoch` is the target's, read before: later than it, the source is seen to be in the merge.
    """
    read = yield from _step(source_id, GetMergeSource(rules=rules))
    source = read.cart
    if source.merge is None or source.merge.merge_id != merge.merge_id:
        raise MergeRefusedError  # the lines are those of a cart that is not in this merge
    lines = MergeLines(
        merge_id=merge.merge_id,
        epoch=epoch,
        policy=merge.policy,
        lines=source.lines,
        currency=source.currency,
        other=source.other,
        records=dict(sorted(read.records.items(), key=lambda record: -record[1].time_ms)),
        rules=rules,
    )
    try:
        report = (yield from _step(merge.target_id, lines)).report
    except VersionConflictError:  # a target made meanwhile: nothing is decided
        raise
    except RefusedError:
        yield from _step(source_id, EndMerge(merge_id=merge.merge_id, is_merged=False, rules=rules))
        raise
    yield from _step(source_id, EndMerge(merge_id=merge.merge_id, is_merged=True, rules=rules))
    return report or MergeReport()


def _step(cart_id: str, operation: Operation[_Result]) -> Flow[_Result]:
    result: _Result = yield Perform(cart_id, operation)
    return result
