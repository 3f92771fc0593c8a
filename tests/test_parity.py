"""`Cart` and `AsyncCart` are one class twice: names, signatures, docstrings, one-line bodies."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from ecart import AsyncCart, AsyncMemoryStore, AsyncRedisStore, Cart, MemoryStore, RedisStore, cart
from ecart.operations import (
    AddItem,
    Change,
    EndCheckout,
    EndSession,
    GetCart,
    Operation,
    Read,
)
from ecart.store import AsyncStore, Store

TWINS = [(Cart, AsyncCart), (MemoryStore, AsyncMemoryStore), (RedisStore, AsyncRedisStore)]
METHODS = sorted(name for name in vars(Cart) if not name.startswith("_"))
PROPER = {
    "an `Async": "a `Async",
    "AsyncCart": "Cart",
    "AsyncStore": "Store",
    "AsyncRedisStore": "RedisStore",
    "AsyncMemoryStore": "MemoryStore",
    " asyncio client": " client",
    " for asyncio": "",
}


def in_sync_words(text: str) -> str:
    for word, sync in PROPER.items():
        text = text.replace(word, sync)
    return text


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")}


def test_both_have_the_same_methods() -> None:
    """None has one that the other lacks."""
    assert public(AsyncCart) == public(Cart)
    assert public(AsyncRedisStore) == public(RedisStore)
    assert public(AsyncStore) == public(Store)
    assert public(AsyncMemoryStore) == public(MemoryStore) == {"execute"}


def test_the_methods_are_those_of_the_contract() -> None:
    """Those that the library's page lists."""
    page = (Path(__file__).parents[1] / "docs/library.md").read_text()
    rows = page.split("\n## Methods\n")[1].split("\n## ")[0]

    assert sorted(re.findall(r"^\| `(\w+)\(", rows, re.MULTILINE)) == METHODS


@pytest.mark.parametrize("name", ["__init__", *METHODS])
def test_signatures_are_the_same(name: str) -> None:
    """Arguments, their kinds, defaults and types, and what is returned."""
    sync, coroutine = (inspect.signature(getattr(kind, name)) for kind in (Cart, AsyncCart))

    assert in_sync_words(str(coroutine)) == str(sync)


@pytest.mark.parametrize("name", METHODS)
def test_docstrings_are_the_same(name: str) -> None:
    """Word for word."""
    assert getattr(Cart, name).__doc__
    assert getattr(AsyncCart, name).__doc__ == getattr(Cart, name).__doc__


def test_the_classes_are_reported_in_the_same_words() -> None:
    """But for the names of what asyncio has of its own."""
    ours, theirs = (in_sync_words(inspect.getdoc(kind) or "") for kind in (Cart, AsyncCart))

    assert theirs.replace("\n", " ") == ours.replace("\n", " ")


@pytest.mark.parametrize("name", METHODS)
def test_one_is_sync_and_one_is_not(name: str) -> None:
    """Every method of `AsyncCart` is a coroutine function, and no method of `Cart`."""
    assert inspect.iscoroutinefunction(getattr(AsyncCart, name))
    assert not inspect.iscoroutinefunction(getattr(Cart, name))


def methods_of(kind: str) -> list[Any]:
    tree = ast.parse(Path(cart.__file__).read_text())
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind)
    return [node for node in found.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("kind", ["Cart", "AsyncCart"])
def test_bodies_are_one_statement(kind: str) -> None:
    """After its docstring, and beside the terms of a change, a method does one thing."""
    for method in methods_of(kind):
        if method.name == "__init__":
            continue
        body = [ast.unparse(node) for node in method.body]
        if method.body[0] is not method.body[-1] and ast.get_docstring(method):
            body = body[1:]
        if body[0] == "terms = _terms(self.rules, expected_version, operation_id)":
            body = body[1:]
        assert len(body) == 1, (method.name, body)
        # What every method goes through finishes a half-done merge that is in its way.
        first = "try:\n" if method.name == "perform" else "return "
        assert body[0].startswith(first), method.name


def test_bodies_differ_by_await() -> None:
    """Take `await` away and the two are the same text."""
    ours, theirs = (
        {method.name: [ast.unparse(node) for node in method.body] for method in methods_of(kind)}
        for kind in ("Cart", "AsyncCart")
    )
    plain = {
        name: [
            line.replace("await ", "").replace("async_store_for", "store_for")
            .replace("run_async", "run").replace("AsyncStore", "Store").replace("AsyncCart", "Cart")
            for line in body
        ]
        for name, body in theirs.items()
    }  # fmt: skip

    assert plain == ours


@pytest.mark.parametrize("sync, coroutine", TWINS[1:])
def test_stores_open_alike(sync: type, coroutine: type) -> None:
    """The same arguments, but that the asyncio memory store may share a `MemoryStore`."""
    if sync is MemoryStore:
        assert list(inspect.signature(coroutine).parameters) == ["store"]
        return
    assert str(inspect.signature(coroutine)) == str(inspect.signature(sync))


def test_every_operation_says_what_it_means() -> None:
    """`apply` or `_change`: the specification has no gaps."""
    kinds = [
        kind
        for family in (Operation, Read, Change, EndCheckout)
        for kind in family.__subclasses__()
        if kind not in (Read, Change, EndCheckout)
    ]

    assert {AddItem, GetCart} < set(kinds)
    for kind in kinds:
        assert kind.__doc__
        own = {"apply", "_change"} & set(vars(kind))
        assert own, kind
    assert set(Operation.__subclasses__()) == {Read, Change, EndSession}
