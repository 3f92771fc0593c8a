"""`expected_version` and `operation_id`: changing what one has seen, and changing it once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ecart.errors import (
    IdempotencyKeyReusedError,
    InvalidOperationIdError,
    InvalidVersionError,
    LineNotFoundError,
    VersionConflictError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecart import Cart, CartChange

CHANGES: dict[str, Callable[..., CartChange]] = {
    "add": lambda cart, **terms: cart.add("apple", unit_price="1", **terms),
    "set_quantity": lambda cart, **terms: cart.set_quantity("apple", 5, **terms),
    "remove": lambda cart, **terms: cart.remove("apple", **terms),
    "clear": lambda cart, **terms: cart.clear(**terms),
    "set_ttl": lambda cart, **terms: cart.set_ttl(100, **terms),
    "destroy": lambda cart, **terms: cart.destroy(**terms),
    "purge": lambda cart, **terms: cart.purge(**terms),
}
RECORDED = {name: change for name, change in CHANGES.items() if name != "purge"}


def named(changes: dict[str, Any]) -> Any:
    return pytest.mark.parametrize("change", changes.values(), ids=changes)


@named(CHANGES)
@pytest.mark.parametrize("kind", ["version", "etag"])
def test_the_version_seen_is_changed(
    cart: Cart, change: Callable[..., CartChange], kind: str
) -> None:
    """A number or an etag that the cart still has: the change is made."""
    cart.add("apple")
    seen = cart.get()

    result = change(cart, expected_version=getattr(seen, kind))

    assert result.version == (0 if change is CHANGES["purge"] else 2)


@named(CHANGES)
@pytest.mark.parametrize("kind", ["version", "etag"])
def test_another_version_is_refused(
    cart: Cart, change: Callable[..., CartChange], kind: str
) -> None:
    """The cart has moved on: `version_conflict` tells where it is, and nothing is changed."""
    seen = cart.add("apple").summary
    now = cart.add("apple").summary

    with pytest.raises(VersionConflictError) as refused:
        change(cart, expected_version=getattr(seen, kind))

    assert refused.value.code == "version_conflict"
    assert refused.value.version == 2
    assert cart.summary() == now


def test_a_cart_that_is_not_there_has_version_0(cart: Cart) -> None:
    """0, or the etag of nothing, is: make it, but only if nobody else has."""
    assert cart.add("apple", expected_version=0).version == 1
    with pytest.raises(VersionConflictError):
        cart.add("apple", expected_version=0)
    cart.purge()

    assert cart.add("apple", expected_version=cart.get().etag).version == 1


def test_etags_name_states_of_one_cart(make_cart: Callable[..., Cart]) -> None:
    """Two carts at the same version, and one made again, have other etags."""
    one, other = make_cart("a").add("apple").summary, make_cart("b").add("apple").summary
    assert one.version == other.version == 1
    assert one.etag != other.etag

    make_cart("a").purge()
    again = make_cart("a").add("apple").summary

    assert again.version == 1
    assert again.etag != one.etag
    with pytest.raises(VersionConflictError):
        make_cart("a").add("apple", expected_version=one.etag)


def test_etags_change_with_every_change_and_no_read(cart: Cart) -> None:
    """An etag tells two states apart, and stays while nothing happens."""
    seen = [cart.get().etag]
    for quantity in (1, 2, 3):
        seen.append(cart.add("apple", quantity=quantity).summary.etag)
        assert cart.get().etag == seen[-1]
        assert cart.summary().etag == seen[-1]

    assert len(set(seen)) == 4


@pytest.mark.parametrize("form", ["{}", '"{}"', 'W/"{}"'])
def test_an_etag_as_a_header_has_it(cart: Cart, form: str) -> None:
    """Quoted, as in `ETag`, or weak, as proxies make it."""
    etag = cart.add("apple").summary.etag

    changed = cart.add("apple", expected_version=form.format(etag))

    assert changed.summary.version == 2
    with pytest.raises(VersionConflictError):
        cart.add("apple", expected_version=form.format(etag))


@pytest.mark.parametrize(
    "expected",
    [
        -1,
        True,
        1.0,
        2**53,
        "",
        "a\nb",
        "x" * 256,
        b"1",
        (1,),
        "1",
        '"1"',
        "nonsense",
        '""',
        '"',
        "W/",
        "a.b.c",
        "a.1",
        "a.1.b.c d",
        "*",
    ],
)
def test_odd_versions_are_refused(cart: Cart, expected: object) -> None:
    """Neither a version nor an etag: `invalid_version`."""
    with pytest.raises(InvalidVersionError) as refused:
        cart.add("apple", expected_version=expected)  # type: ignore[arg-type]

    assert refused.value.code == "invalid_version"
    assert not cart.get().exists


@named(RECORDED)
def test_a_repeat_changes_nothing(cart: Cart, change: Callable[..., CartChange]) -> None:
    """The same operation id again: recognised, answered with the cart as it is."""
    cart.add("apple")
    change(cart, operation_id="order-1")
    before = cart.get()

    again = change(cart, operation_id="order-1")

    assert (again.replayed, again.version) == (True, 2)
    assert cart.get() == before


def test_a_repeat_shows_the_cart_of_now(cart: Cart) -> None:
    """What others did in between is in the answer; the repeat did nothing."""
    first = cart.add("apple", unit_price="1", operation_id="order-1")
    cart.add("apple")
    cart.add("pear")

    again = cart.add("apple", unit_price="1", operation_id="order-1")

    assert not first.replayed
    assert again.replayed
    assert again.line is not None
    assert again.line.quantity == 2
    assert (again.version, again.summary.line_count) == (3, 2)


def test_a_repeat_is_known_before_anything_else(cart: Cart) -> None:
    """Its expected version is gone, its line may be gone: it still is the same change."""
    cart.add("apple", expected_version=0, operation_id="a")
    cart.remove("apple", operation_id="b")

    assert cart.add("apple", expected_version=0, operation_id="a").replayed
    assert cart.remove("apple", operation_id="b").replayed


def test_a_repeat_does_not_revive(cart: Cart) -> None:
    """A late retry of an add finds the trace of the cart that was destroyed."""
    cart.add("apple", operation_id="order-1")
    cart.destroy()

    late = cart.add("apple", operation_id="order-1")

    assert late.replayed
    assert not late.summary.exists
    assert not cart.get().exists


@pytest.mark.parametrize(
    "other",
    [
        lambda cart: cart.add("pear", 2, unit_price="1", operation_id="x"),
        lambda cart: cart.add("apple", 3, unit_price="1", operation_id="x"),
        lambda cart: cart.add("apple", 2, unit_price="1.1", operation_id="x"),
        lambda cart: cart.add("apple", 2, operation_id="x"),
        lambda cart: cart.add("apple", 2, unit_price="1", title="None", operation_id="x"),
        lambda cart: cart.add("apple", 2, unit_price="1", details={}, operation_id="x"),
        lambda cart: cart.add("apple", 2, unit_price="1", options={"a": 1}, operation_id="x"),
        lambda cart: cart.set_quantity("apple", 2, operation_id="x"),
        lambda cart: cart.remove("apple", operation_id="x"),
        lambda cart: cart.clear(operation_id="x"),
        lambda cart: cart.destroy(operation_id="x"),
        lambda cart: cart.set_ttl(5, operation_id="x"),
        lambda cart: cart.purge(operation_id="x"),
    ],
)
def test_an_operation_id_names_one_change(cart: Cart, other: Callable[..., CartChange]) -> None:
    """The same id for anything else: `idempotency_key_reused`, and nothing changed."""
    before = cart.add("apple", 2, unit_price="1", operation_id="x").summary

    with pytest.raises(IdempotencyKeyReusedError) as refused:
        other(cart)

    assert refused.value.code == "idempotency_key_reused"
    assert cart.summary() == before


def test_the_same_change_may_be_spelled_differently(cart: Cart) -> None:
    """1.5 and "1.50" are one price; details in another order are the same details."""
    cart.add("apple", unit_price="1.50", details={"a": 1, "b": 2}, operation_id="x")

    assert cart.add("apple", unit_price=1.5, details={"b": 2, "a": 1}, operation_id="x").replayed


def test_operation_ids_belong_to_a_cart(make_cart: Callable[..., Cart]) -> None:
    """Two carts may see the same id, each for a change of its own."""
    assert not make_cart("a").add("apple", operation_id="x").replayed
    assert not make_cart("b").add("pear", operation_id="x").replayed


def test_a_refused_change_leaves_no_record(cart: Cart) -> None:
    """What was refused has not happened: the same id may be used again."""
    with pytest.raises(LineNotFoundError):
        cart.remove("apple", operation_id="x")
    cart.add("apple")

    assert not cart.remove("apple", operation_id="x").replayed


def test_changes_without_an_id_are_all_different(cart: Cart) -> None:
    """Two equal calls are two changes."""
    assert not cart.add("apple").replayed
    assert not cart.add("apple").replayed
    assert cart.summary().total_quantity == 2


@pytest.mark.parametrize("text", ["x", "x" * 255, "é", "a b", "#", "{}", "日本"])
def test_operation_ids_are_any_text(cart: Cart, text: str) -> None:
    """1 to 255 characters of the caller's choice."""
    cart.add("apple", operation_id=text)

    assert cart.add("apple", operation_id=text).replayed


@pytest.mark.parametrize("text", ["", "x" * 256, "a\nb", "\0", "\ud800", 5, b"x", True])
def test_odd_operation_ids_are_refused(cart: Cart, text: object) -> None:
    """Empty, too long, with control characters, no text: `invalid_operation_id`."""
    with pytest.raises(InvalidOperationIdError) as refused:
        cart.add("apple", operation_id=text)  # type: ignore[arg-type]

    assert refused.value.code == "invalid_operation_id"
    assert not cart.get().exists


@pytest.mark.parametrize("method, arguments", [("clear", ()), ("destroy", ()), ("set_ttl", (60,))])
def test_a_named_change_that_found_no_cart_is_known(
    cart: Cart, method: str, arguments: tuple[Any, ...]
) -> None:
    """It did nothing the first time, so its repeat does nothing to the cart made since."""
    first = getattr(cart, method)(*arguments, operation_id="x")
    assert not first.replayed
    assert not cart.get().exists
    cart.add("apple")
    before = cart.get()

    assert getattr(cart, method)(*arguments, operation_id="x").replayed
    assert cart.get() == before


@pytest.mark.parametrize("method, arguments", [("clear", ()), ("destroy", ()), ("set_ttl", (60,))])
def test_an_unnamed_change_that_found_no_cart_leaves_none(
    cart: Cart, method: str, arguments: tuple[Any, ...]
) -> None:
    """Nothing was there, nothing is made."""
    assert getattr(cart, method)(*arguments).version == 0
    assert cart.summary().version == 0


def test_a_named_change_can_be_asked_about(cart: Cart) -> None:
    """`resolve` tells when it took effect, in whole seconds; None: not so far."""
    assert cart.resolve("k1") is None
    before = datetime.now(UTC).replace(microsecond=0)
    cart.add("apple", operation_id="k1")

    landed = cart.resolve("k1")

    assert landed is not None
    assert before <= landed <= datetime.now(UTC)
    assert cart.resolve("k2") is None


def test_a_refused_change_has_not_landed(cart: Cart) -> None:
    """Its name is free for another try."""
    with pytest.raises(LineNotFoundError):
        cart.remove("apple", operation_id="k1")

    assert cart.resolve("k1") is None


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "~", "~x.1.1", "~AAAAAAAAAAA.0"])
def test_what_is_no_name_cannot_be_asked_about(cart: Cart, name: str) -> None:
    with pytest.raises(InvalidOperationIdError):
        cart.resolve(name)


def test_a_repeat_with_other_details_is_another_change(cart: Cart) -> None:
    """Also where they hold integers that are longer than a machine's."""
    cart.add("apple", unit_price="1", details={"n": 10**30}, operation_id="x")

    assert cart.add("apple", unit_price="1", details={"n": 10**30}, operation_id="x").replayed
    with pytest.raises(IdempotencyKeyReusedError):
        cart.add("apple", unit_price="1", details={"n": 10**30 + 1}, operation_id="x")
