"""Lines: added, replaced, removed, in order, each with what the shop keeps with it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from ecart import LineItem, line_id_for
from ecart.errors import InvalidQuantityError, LineNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecart import Cart


def test_a_cart_that_nobody_filled_reads_as_empty(cart: Cart) -> None:
    """Reading what does not exist is no error and makes nothing."""
    snapshot = cart.get()

    assert snapshot.lines == ()
    assert (snapshot.line_count, snapshot.total_quantity, snapshot.subtotal) == (0, 0, 0)
    assert (snapshot.version, snapshot.epoch, snapshot.exists) == (0, "", False)
    assert (snapshot.created_at, snapshot.updated_at, snapshot.expires_at) == (None, None, None)
    assert cart.summary().etag == snapshot.etag == ".0."
    assert cart.ttl() == 0


def test_add_makes_a_line(cart: Cart) -> None:
    """The first add makes the cart and shows the line."""
    change = cart.add("apple", 2, unit_price="1.50", title="Apple", details={"organic": True})

    line = LineItem("apple", 2, Decimal("1.5"), 1, "Apple", {}, {"organic": True})
    assert change.line == line
    assert (change.version, change.replayed) == (1, False)
    assert cart.get().lines == (line,)
    assert cart.line("apple") == line
    assert (line.sku, line.subtotal) == ("apple", Decimal("3.0"))


def test_a_number_in_second_place_is_the_quantity(cart: Cart) -> None:
    """`add("apple", 2)` is two apples without price; a price has only its name."""
    assert cart.add("apple", 2).line == LineItem("apple", 2, None, 1)
    assert cart.add("pear").line == LineItem("pear", 1, None, 2)
    with pytest.raises(TypeError):
        cart.add("apple", 2, "0.50")  # type: ignore[call-arg]

    assert cart.get().total_quantity == 3


@pytest.mark.parametrize("price", ["0.50", "2", Decimal("2"), Decimal("0.50"), 2.0, 0.5], ids=repr)
def test_a_price_in_second_place_is_refused(cart: Cart, price: Any) -> None:
    """The message says where it goes; nothing is written, neither a new cart nor a line."""
    with pytest.raises(InvalidQuantityError, match="1 or more; a price is given as unit_price="):
        cart.add("apple", price)
    assert cart.get().version == 0
    cart.add("apple", 3, unit_price="1.50")
    before = cart.get()

    with pytest.raises(InvalidQuantityError) as error:
        cart.add("apple", price, unit_price="1.50", title="Apple")

    assert error.value.code == "invalid_quantity"
    assert cart.get() == before


@pytest.mark.parametrize("quantity", [True, None, 0, -1], ids=repr)
def test_what_is_neither_quantity_nor_price_is_refused(cart: Cart, quantity: Any) -> None:
    """A bool is no number of units, and no price either: the message speaks of none."""
    with pytest.raises(InvalidQuantityError) as error:
        cart.add("apple", quantity)

    assert str(error.value) == "a quantity is a whole number, 1 or more"
    assert cart.get().version == 0


def test_add_accumulates(cart: Cart) -> None:
    """Adding what is there adds units to its line."""
    cart.add("apple", 2, unit_price="1.50")

    change = cart.add("apple", quantity=3)

    assert change.line == LineItem("apple", 5, Decimal("1.5"), 1)
    assert change.summary.line_count == 1
    assert change.summary.total_quantity == 5
    assert change.summary.subtotal == Decimal("7.5")


def test_add_replaces_what_is_given_and_keeps_the_rest(cart: Cart) -> None:
    """Price, title and details given anew take effect; those left out stay."""
    cart.add("apple", unit_price="1", title="Apple", details={"a": 1})

    assert cart.add("apple", unit_price="2").line == LineItem(
        "apple", 2, Decimal(2), 1, "Apple", {}, {"a": 1}
    )
    assert cart.add("apple", title="Pear").line == LineItem(
        "apple", 3, Decimal(2), 1, "Pear", {}, {"a": 1}
    )
    assert cart.add("apple", details={}).line == LineItem("apple", 4, Decimal(2), 1, "Pear", {}, {})
    assert cart.summary().subtotal == Decimal(8)


def test_a_line_may_have_no_price_yet(cart: Cart) -> None:
    """A line without price counts, but not into the subtotal; a later price covers all units."""
    cart.add("apple", quantity=2)
    cart.add("pear", unit_price="1")
    assert cart.line("apple") == LineItem("apple", 2, None, 1)
    assert cart.summary().subtotal == Decimal(1)

    cart.add("apple", unit_price="10")

    assert cart.summary().subtotal == Decimal(31)


def test_other_options_make_another_line(cart: Cart) -> None:
    """Size M and size L are two lines; the same choice in another order is one."""
    cart.add("shirt", unit_price="10", options={"size": "M", "gift": True})
    cart.add("shirt", unit_price="10", options={"size": "L", "gift": True})
    cart.add("shirt", unit_price="10")
    again = cart.add("shirt", unit_price="10", options={"gift": True, "size": "M"})

    assert again.summary.line_count == 3
    assert again.line is not None
    assert again.line.quantity == 2
    assert again.line.options == {"size": "M", "gift": True}
    assert [line.sku for line in cart.get().lines] == ["shirt", "shirt", "shirt"]


@pytest.mark.parametrize(
    "one, other", [(1, True), (1, "1"), (None, ""), (0, False), ("\u00e9", "e\u0301")]
)
def test_options_differ_by_kind(cart: Cart, one: object, other: object) -> None:
    """1, true and "1" are three choices; texts are compared without Unicode normalisation."""
    cart.add("shirt", options={"size": one})  # type: ignore[dict-item]
    cart.add("shirt", options={"size": other})  # type: ignore[dict-item]

    assert cart.summary().line_count == 2


def test_a_line_is_named_by_its_id_or_by_sku_and_options(cart: Cart) -> None:
    """`options=` finds the line that has them, for every method that takes a line."""
    options = {"size": "M"}
    line_id = line_id_for("shirt", options)
    cart.add("shirt", 5, unit_price="10", options=options)

    assert cart.contains("shirt", options=options)
    assert cart.contains(line_id)
    assert not cart.contains("shirt")
    assert cart.line("shirt", options=options) == cart.line(line_id)
    changed = cart.set_quantity("shirt", 2, options=options).line
    assert changed is not None
    assert changed.line_id == line_id
    assert cart.remove("shirt", options=options).summary.line_count == 0


def test_set_quantity_replaces(cart: Cart) -> None:
    """The quantity given is the quantity of the line; everything else of it stays."""
    cart.add(
        "apple", 5, unit_price="1.5", title="A|b%7C", details={"k": [1, None]}, options={"o": 1}
    )

    change = cart.set_quantity("apple", 2, options={"o": 1})

    line_id = line_id_for("apple", {"o": 1})
    assert change.line == LineItem(
        line_id, 2, Decimal("1.5"), 1, "A|b%7C", {"o": 1}, {"k": [1, None]}
    )
    assert (change.summary.total_quantity, change.summary.subtotal) == (2, Decimal(3))
    assert cart.get().lines == (change.line,)


def test_set_quantity_of_zero_removes(cart: Cart) -> None:
    """Zero units are no line."""
    cart.add("apple", 5, unit_price="1.5")
    cart.add("pear", 1, unit_price="1")

    change = cart.set_quantity("apple", 0)

    assert change.line is None
    assert (change.summary.line_count, change.summary.subtotal) == (1, Decimal(1))
    assert not cart.contains("apple")


def test_remove_takes_the_line_out(cart: Cart) -> None:
    """Whatever its quantity, the line is gone and the counters with it."""
    cart.add("apple", 5, unit_price="1.5")
    cart.add("pear", 7, unit_price="0.000000001")

    change = cart.remove("apple")

    assert change.line is None
    assert change.summary.line_count == 1
    assert change.summary.total_quantity == 7
    assert change.summary.subtotal == Decimal("0.000000007")


@pytest.mark.parametrize("call", ["remove", "set_quantity"])
def test_a_line_that_is_not_there_is_refused(cart: Cart, call: str) -> None:
    """Removing or changing a line that the cart does not have: `line_not_found`, by name."""
    cart.add("apple")

    with pytest.raises(LineNotFoundError) as refused:
        cart.remove("pear") if call == "remove" else cart.set_quantity("pear", 3)

    assert refused.value.code == "line_not_found"
    assert refused.value.line_id == "pear"
    assert cart.summary().version == 1


def test_the_last_line_removed_leaves_a_cart(cart: Cart) -> None:
    """A cart without lines is still that cart: same epoch, next version, subtotal exactly zero."""
    epoch = cart.add("apple", unit_price="1.1").summary.epoch

    summary = cart.remove("apple").summary

    assert (summary.line_count, summary.total_quantity, summary.subtotal) == (0, 0, 0)
    assert (summary.version, summary.epoch, summary.exists) == (2, epoch, True)


def test_clear_empties_and_keeps_the_cart(cart: Cart) -> None:
    """After `clear` nothing is in the cart, and it is the same cart."""
    epoch = cart.add("apple", unit_price="1.1").summary.epoch
    cart.add("pear", unit_price="1.1", options={"a": "b"})

    summary = cart.clear().summary

    assert (summary.version, summary.epoch, summary.exists) == (3, epoch, True)
    assert cart.get().lines == ()


def test_clear_of_no_cart_makes_none(cart: Cart) -> None:
    """There is nothing to clear, and nothing is made."""
    assert cart.clear().version == 0
    assert not cart.get().exists


def test_lines_come_in_the_order_in_which_they_were_added(cart: Cart) -> None:
    """Changing a line does not move it; one removed and added again comes last."""
    for sku in ("d", "a", "c", "b"):
        cart.add(sku)
    cart.add("d")
    cart.set_quantity("a", 9)
    cart.remove("c")

    cart.add("c")

    assert [line.sku for line in cart.get().lines] == ["d", "a", "b", "c"]


def test_many_lines_keep_their_order(cart: Cart) -> None:
    """Position is a number, not a text: the tenth line follows the ninth."""
    names = [f"sku-{number}" for number in range(120, 0, -1)]
    for name in names:
        cart.add(name)

    assert [line.sku for line in cart.get().lines] == names


def test_the_snapshot_finds_its_lines(cart: Cart) -> None:
    """`snapshot.line` answers from the snapshot, or raises."""
    cart.add("apple")

    snapshot = cart.get()

    assert snapshot.line("apple").quantity == 1
    with pytest.raises(LineNotFoundError):
        snapshot.line("pear")


@pytest.mark.parametrize(
    "title", ["", "|", "%", "%7C", "%25|", '"', "a\\b", "日本 🛒", "<script>", "x" * 256]
)
def test_titles_come_back_as_they_went_in(cart: Cart, title: str) -> None:
    """Bars and percent signs are nothing special to the caller."""
    cart.add("apple", title=title)
    cart.add("apple")

    line = cart.line("apple")
    assert line is not None
    assert line.title == title


@pytest.mark.parametrize(
    "details",
    [{}, {"": ""}, {"a|b": "%|"}, {"deep": [[{"x": [1, -2.5, None, True]}]]}, {"é": "日本\n\0"}],
)
def test_details_come_back_as_they_went_in(cart: Cart, details: dict[str, object]) -> None:
    """Details are JSON, whatever it says."""
    cart.add("apple", details=details)
    cart.set_quantity("apple", 4)

    line = cart.line("apple")
    assert line is not None
    assert line.details == details


@pytest.mark.parametrize(
    "sku",
    [
        ":",
        "~x.1",
        "#x",
        "v",
        "c",
        "m",
        "s",
        "a|b",
        "{x}",
        "日本",
        "a b",
        "%00",
        "x" * 128,
        "é" * 128,
    ],
)
def test_any_name_can_be_a_sku(cart: Cart, sku: str) -> None:
    """No SKU is taken for one of the cart's own fields."""
    cart.add(sku, 2, unit_price="1.25")

    assert [(line.sku, line.quantity) for line in cart.get().lines] == [(sku, 2)]
    assert cart.remove(sku).summary.subtotal == 0


def test_a_sku_like_a_line_id_is_a_line_of_its_own(cart: Cart) -> None:
    """A SKU that looks like `sku:<digest>` never meets the line whose id it imitates."""
    real = cart.add("shirt", options={"size": "M"}).line
    assert real is not None

    imitation = cart.add(real.line_id).line

    assert imitation is not None
    assert imitation.sku == real.line_id
    assert imitation.line_id != real.line_id
    assert cart.summary().line_count == 2


def test_carts_do_not_disturb_each_other(make_cart: Callable[..., Cart]) -> None:
    """Ids that look alike are different carts; 7 and "7" are the same."""
    ids = ["a", "A", "a ", " a", "a%20", "a:b", "a/b", "{a}", "a}b", "../a"]
    ids += ["\u00e9", "e\u0301", "\n", "\0", "7"]
    for number, cart_id in enumerate(ids, start=1):
        make_cart(cart_id).add("apple", quantity=number)

    found = [make_cart(cart_id).summary().total_quantity for cart_id in ids]
    assert found == list(range(1, len(ids) + 1))
    assert make_cart(7).summary().total_quantity == len(ids)


def test_details_of_a_chosen_line_stay_until_others_are_given(cart: Cart) -> None:
    """Adding the same choice without details keeps them; empty ones take their place."""
    medium = {"size": "M"}
    cart.add("shirt", unit_price="19.90", options=medium, details={"gift": True})

    kept = cart.add("shirt", options=medium).line
    emptied = cart.add("shirt", options=medium, details={}).line

    assert kept is not None
    assert (kept.quantity, kept.options, kept.details) == (2, medium, {"gift": True})
    assert emptied is not None
    assert (emptied.quantity, emptied.options, emptied.details) == (3, medium, {})
