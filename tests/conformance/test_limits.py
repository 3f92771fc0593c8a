"""Limits: how much a line and a cart hold. A refusal changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from ecart import Rules
from ecart.errors import (
    CartTooLargeError,
    IdempotencyKeyReusedError,
    InvalidDetailsError,
    InvalidOperationIdError,
    LineLimitExceededError,
    LineTooLargeError,
    QuantityLimitExceededError,
    StaleOperationError,
    TooManyOperationsError,
)
from ecart.model import canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecart import Cart


def test_a_line_holds_9999_units(cart: Cart) -> None:
    """Unless told otherwise: the 10,000th is `quantity_limit_exceeded`, however it comes."""
    before = cart.add("apple", quantity=9_999).summary

    for attempt in (
        lambda: cart.add("apple"),
        lambda: cart.add("pear", quantity=10_000),
        lambda: cart.set_quantity("apple", 10_000),
    ):
        with pytest.raises(QuantityLimitExceededError) as refused:
            attempt()
        assert refused.value.code == "quantity_limit_exceeded"
        assert refused.value.limit == 9_999
    assert cart.summary() == before


def test_a_cart_holds_its_number_of_lines(make_cart: Callable[..., Cart]) -> None:
    """One line more is `line_limit_exceeded`; more units of the lines that are there is none."""
    cart = make_cart(rules=Rules(max_lines=2))
    cart.add("a")
    cart.add("b")

    with pytest.raises(LineLimitExceededError) as refused:
        cart.add("c")

    assert (refused.value.code, refused.value.limit) == ("line_limit_exceeded", 2)
    assert cart.add("a").summary.line_count == 2
    cart.remove("b")
    assert cart.add("c").summary.line_count == 2


def test_a_cart_holds_500_lines(cart: Cart) -> None:
    """Unless told otherwise."""
    for number in range(500):
        cart.add(f"sku-{number}", unit_price="0.01")

    with pytest.raises(LineLimitExceededError):
        cart.add("one-more")

    assert cart.summary().line_count == 500
    assert len(cart.get().lines) == 500
    assert cart.clear().summary.line_count == 0


def test_the_smallest_limits(make_cart: Callable[..., Cart]) -> None:
    """A cart for one unit of one thing."""
    cart = make_cart(rules=Rules(max_lines=1, max_quantity=1))
    cart.add("apple")

    with pytest.raises(QuantityLimitExceededError):
        cart.add("apple")
    with pytest.raises(LineLimitExceededError):
        cart.add("pear")


def test_a_million_units(make_cart: Callable[..., Cart]) -> None:
    """The highest limit there is works to its last unit."""
    cart = make_cart(rules=Rules(max_quantity=1_000_000))
    cart.add("apple", 999_999, unit_price="0.000000001")

    assert cart.add("apple").summary.total_quantity == 1_000_000
    with pytest.raises(QuantityLimitExceededError):
        cart.add("apple")


@pytest.mark.parametrize(
    "limits", [{"max_lines": 0}, {"max_quantity": 0}, {"max_quantity": 1_000_001}]
)
def test_limits_have_limits(limits: dict[str, int]) -> None:
    """Rules that no store could keep are refused when they are made."""
    with pytest.raises(ValueError, match="max_quantity is 1 to 1,000,000"):
        Rules(**limits)


def test_details_are_kept_small(make_cart: Callable[..., Cart]) -> None:
    """1 KiB of JSON a line, unless told otherwise."""
    cart = make_cart()
    cart.add("apple", details={"k": "x" * (1024 - len('{"k":""}'))})

    with pytest.raises(InvalidDetailsError) as refused:
        cart.add("apple", details={"k": "x" * (1025 - len('{"k":""}'))})

    assert refused.value.code == "invalid_details"
    assert cart.summary().version == 1
    larger = make_cart(rules=Rules(max_details_bytes=5000))
    assert larger.add("apple", details={"k": "x" * 4000}).version == 2


SIZED = Rules(max_cart_bytes=1000)


def sized(cart: Cart, sku: str, size: int, quantity: int = 1) -> None:
    """Adds a line that counts for so many bytes."""
    filler = size - len(f':{sku}|{{"d":{{"k":""}}}}')
    cart.add(sku, quantity, details={"k": "x" * filler})


def test_a_line_is_kept_small(make_cart: Callable[..., Cart]) -> None:
    """Title, options and details together: 2,048 bytes, or 1,024 more than details may have."""
    cart = make_cart()
    at_limit = {"title": "t" * 100, "options": {f"o{n:02}": "x" * 108 for n in range(16)}}
    size = len('"' + "t" * 100) + len(canonical_json({"o": at_limit["options"]}))
    at_limit["title"] += "t" * (2048 - size)
    cart.add("apple", **at_limit)

    with pytest.raises(LineTooLargeError) as refused:
        cart.add("apple", **{**at_limit, "title": at_limit["title"] + "t"})

    assert (refused.value.code, refused.value.limit) == ("line_too_large", 2048)
    assert cart.summary().version == 1
    wide, narrow = Rules(max_details_bytes=5000), Rules(max_line_bytes=200)
    make_cart(rules=wide).add("apple", details={"k": "x" * 4900}, title="t" * 256)
    with pytest.raises(LineTooLargeError):
        make_cart(rules=narrow).add("apple", title="t" * 200)


@pytest.mark.parametrize("character, size", [("t", 1), ("é", 2), ("|", 3), ("日", 3)])
def test_bytes_are_those_that_are_stored(
    make_cart: Callable[..., Cart], character: str, size: int
) -> None:
    """In UTF-8, and with what stores escape: exactly at the limit, and one over it."""
    limit = len(':apple"|') + 10 * size
    make_cart("at it", rules=Rules(max_cart_bytes=limit)).add("apple", title=character * 10)

    with pytest.raises(CartTooLargeError) as refused:
        make_cart("over", rules=Rules(max_cart_bytes=limit - 1)).add("apple", title=character * 10)

    assert (refused.value.code, refused.value.limit) == ("cart_too_large", limit - 1)


def test_a_full_cart_grows_no_more(make_cart: Callable[..., Cart]) -> None:
    """By new lines, titles, details; units and prices count for nothing."""
    cart = make_cart(rules=SIZED)
    for sku in "abcd":
        sized(cart, sku, 240)
    before = cart.get()

    for grow in (
        lambda: sized(cart, "e", 41),
        lambda: sized(cart, "a", 281),
        lambda: cart.add("a", title="t" * 40),
    ):
        with pytest.raises(CartTooLargeError):
            grow()

    assert cart.get() == before
    sized(cart, "a", 280, quantity=9000)
    assert cart.get().line("a").quantity == 9001
    cart.add("b", 500, unit_price="999999.999999999")
    cart.set_quantity("c", 9999)


def test_what_was_too_large_already_shrinks_and_ends(make_cart: Callable[..., Cart]) -> None:
    """A cart of before the limit: it is read, lowered, checked out, emptied; shorter texts go."""
    wide, cart = make_cart(rules=Rules(max_cart_bytes=5000)), make_cart(rules=SIZED)
    for sku in "abcdefgh":
        sized(wide, sku, 240, quantity=2)

    cart.add("a")  # more units of a line that is there
    cart.set_quantity("b", 1)
    cart.remove("c")
    sized(cart, "d", 100)
    with pytest.raises(CartTooLargeError):
        sized(cart, "new", 40)
    order = cart.begin_checkout(keep_additions=True)
    cart.add("a")
    cart.complete_checkout(order.checkout_id, "order 1")
    assert [(line.line_id, line.quantity) for line in cart.get()] == [("a", 1)]
    sized(cart, "new", 40)
    cart.clear()
    for sku in "abcd":
        sized(cart, sku, 250)


@pytest.mark.parametrize("policy", ["sum", "max", "replace"])
def test_a_merge_leaves_what_does_not_fit(make_cart: Callable[..., Cart], policy: str) -> None:
    """In the order of the source's lines; what fits behind them is still taken."""
    source, target = make_cart("visitor"), make_cart("user", rules=SIZED)
    sized(target, "own", 500)
    for sku, size in (("big", 400), ("bigger", 450), ("small", 71), ("one over", 30)):
        sized(source, sku, size)
    sized(source, "own", 600)

    report = target.merge_from(source.cart_id, policy=policy)

    assert [line.line_id for line in target.get()] == ["own", "big", "small"]
    assert (report.added, report.left) == (2, 2 if policy == "sum" else 3)
    assert target.get().line("own").quantity == (2 if policy == "sum" else 1)


def test_a_copy_is_refused_whole(make_cart: Callable[..., Cart]) -> None:
    """The target stays as it was."""
    source, target = make_cart("source", rules=SIZED), make_cart("target")
    sized(target, "own", 500)
    sized(source, "small", 90)
    sized(source, "big", 411)
    before = target.get()

    with pytest.raises(CartTooLargeError):
        source.copy_to(target.cart_id)

    assert target.get() == before


def test_a_thousand_ids_keep_nobody_from_paying(make_cart: Callable[..., Cart]) -> None:
    """Adding is refused, for as long as the oldest id is remembered; all that ends goes on."""
    cart = make_cart()
    for number in range(1000):
        cart.add("apple" if number % 2 else "pear", operation_id=f"id-{number}")
    for number in range(100):
        with pytest.raises(TooManyOperationsError) as refused:
            cart.add("apple", operation_id=f"more-{number}")
        assert 86_000 < refused.value.retry_after <= 86_400
    with pytest.raises(TooManyOperationsError):
        cart.set_quantity("apple", 501, operation_id="more")

    assert cart.set_quantity("apple", 400, operation_id="fewer").summary.total_quantity == 900
    assert cart.set_quantity("apple", 400, operation_id="fewer").replayed
    held = cart.begin_checkout(operation_id="check-out")
    assert cart.begin_checkout(operation_id="check-out") == replace(held, replayed=True)
    cart.release_checkout(held.checkout_id)
    assert cart.release_checkout(held.checkout_id).replayed
    assert cart.remove("pear", operation_id="remove").summary.line_count == 1
    held = cart.begin_checkout()
    assert cart.complete_checkout(held.checkout_id, "order 1").summary.line_count == 0
    assert cart.complete_checkout(held.checkout_id, "order 1").replayed
    assert not cart.clear(operation_id="clear").replayed
    assert cart.add("apple", operation_id="id-7").replayed


def test_a_client_that_numbers_its_changes_takes_one_place(make_cart: Callable[..., Cart]) -> None:
    """`~<client>.0.<number>`: repeats of the last are recognised, earlier ones are stale."""
    cart = make_cart()
    for number in range(1, 1500):
        cart.add("apple", operation_id=f"~abcdefghijk.0.{number}")

    assert cart.add("apple", operation_id="~abcdefghijk.0.1499").replayed
    assert cart.summary().total_quantity == 1499
    with pytest.raises(StaleOperationError):
        cart.add("apple", operation_id="~abcdefghijk.0.1498")
    with pytest.raises(IdempotencyKeyReusedError):
        cart.add("pear", operation_id="~abcdefghijk.0.1499")
    assert not cart.add("apple", operation_id="~another-one.0.1").replayed
    assert cart.resolve("~abcdefghijk.0.1499") is not None
    assert cart.resolve("~abcdefghijk.0.1498") is None
    assert cart.resolve("~abcdefghijk.0.1500") is None


def test_a_numbered_change_of_no_cart_is_known(make_cart: Callable[..., Cart]) -> None:
    """As one with any other id: a late repeat touches nothing that was made since."""
    cart = make_cart()
    cart.clear(operation_id="~abcdefghijk.0.1")
    cart.add("apple")

    assert cart.clear(operation_id="~abcdefghijk.0.1").replayed
    assert cart.summary().line_count == 1


@pytest.mark.parametrize(
    "operation_id", ["~", "~a.0.1", "~abcdefghijk.0.0", "~abcdefghijk.0.01", "~abcdefghijk.00.1"]
)
def test_other_ids_with_a_tilde_are_refused(
    make_cart: Callable[..., Cart], operation_id: str
) -> None:
    """They could be taken for something else."""
    with pytest.raises(InvalidOperationIdError):
        make_cart().add("apple", operation_id=operation_id)
