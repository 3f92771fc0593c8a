"""Nothing that a caller does to a value, given or returned, changes what is stored or read."""

from __future__ import annotations

import contextlib
import copy
import pickle
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecart import Cart


def containers(value: Any) -> Iterator[Any]:
    """Every list and mapping that can be reached from a value."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from containers(getattr(value, name))
    elif isinstance(value, dict):
        yield value
        for inner in list(value.values()):
            yield from containers(inner)
    elif isinstance(value, list | tuple):
        if isinstance(value, list):
            yield value
        for inner in list(value):
            yield from containers(inner)


def spoil(value: Any) -> int:
    """Writes into every container that lets itself be written; returns how many there were."""
    found = list(containers(value))
    for container in found:
        with contextlib.suppress(TypeError):
            if isinstance(container, dict):
                container["spoilt"] = "spoilt"
            else:
                container.append("spoilt")
    return len(found)


def test_a_value_that_was_returned(cart: Cart) -> None:
    """By a change, and by each way to read."""
    changed = cart.add("shirt", options={"size": "M"}, details={"gift": {"to": ["me"]}})
    cart.add("apple")
    before = pickle.dumps((cart.get(), cart.line("apple"), cart.summary()))

    reads: list[Callable[[], Any]] = [
        lambda: changed.line, cart.get, lambda: cart.line("apple"), cart.summary,
    ]  # fmt: skip
    assert sum(spoil(read()) for read in reads) > 8

    assert (cart.get(), cart.line("apple"), cart.summary()) == pickle.loads(before)


def test_a_line_like_it_in_another_cart(cart: Cart, make_cart: Callable[..., Cart]) -> None:
    """Values that are cached are shared by all carts of a process."""
    other = make_cart("other")
    cart.add("apple")
    other.add("apple")
    untouched = copy.deepcopy(other.get())

    spoil(cart.get())
    spoil(cart.add("apple").line)

    assert other.get() == untouched
    assert other.get().lines[0].options == {}


def test_what_was_given(cart: Cart) -> None:
    options: dict[str, Any] = {"size": "M"}
    details: dict[str, Any] = {"gift": {"to": ["me"]}}
    cart.add("shirt", options=options, details=details)

    spoil(options)
    spoil(details)

    (line,) = cart.get().lines
    assert line.options == {"size": "M"}
    assert line.details == {"gift": {"to": ["me"]}}


def test_a_copy_and_a_merge(cart: Cart, make_cart: Callable[..., Cart]) -> None:
    """The lines of one cart are not those of the other."""
    other = make_cart("other")
    cart.add("shirt", options={"size": "M"}, details={"gift": ["me"]})
    cart.copy_to("other")
    spoil(cart.get())

    assert other.get().lines[0].details == {"gift": ["me"]}
