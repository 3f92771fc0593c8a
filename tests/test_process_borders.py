"""Errors and values cross process borders: pickled, copied, sent to workers, made by queues.

The classes are found by reflection, so a new one is in the test without a word.
"""

from __future__ import annotations

import copy
import importlib
import inspect
import json
import multiprocessing
import pickle
import pkgutil
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

import ecart
import ecart_server
from ecart import Cart, MemoryStore, RedisStore
from ecart.catalog import Product
from ecart.errors import CartMergingError, LineNotFoundError, VersionConflictError
from ecart.http.problems import HttpError
from ecart.model import Merge
from ecart.operations.change import RecordedRefusalError, absent_cart
from engines import Engine

GIVEN: dict[str, Any] = {
    "line_id": "a{b}'", "limit": 7, "cart_currency": "USD", "currency": "EUR", "version": 3,
    "retry_after": 9, "merge": Merge("m" * 11, "sum", "target"), "target_id": "user.42",
    "sku": "apple{}", "text": "words %s {x}", "operation_id": "k1", "key": "a key", "field": "m",
    "code": "invalid_header", "detail": "words {y}", "pointer": "/a", "headers": {"Allow": "GET"},
    "error": VersionConflictError(4), "stored": absent_cart("c", "USD"),
}  # fmt: skip
"""An argument for each parameter that an error has."""


def modules() -> list[Any]:
    """All but those of Django, which wants its settings first and has no classes of errors."""
    names = [
        info.name
        for package in (ecart, ecart_server)
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", onerror=str)
        if not info.name.endswith("__main__") and ".django" not in info.name
    ]
    return [importlib.import_module(name) for name in names]


def error_classes() -> list[type[Exception]]:
    kinds = {
        kind
        for module in modules()
        for kind in vars(module).values()
        if inspect.isclass(kind)
        and issubclass(kind, Exception)
        and kind.__module__.startswith("ecart")
    }
    return sorted(kinds, key=lambda kind: kind.__name__)


def made(kind: type[Exception]) -> Exception:
    if "__init__" in dir(kind) and kind.__init__ is not Exception.__init__:
        signature = inspect.signature(kind.__init__)
        named = {name: p for name, p in signature.parameters.items() if name in GIVEN}
        if named:
            positional = [GIVEN[n] for n, p in named.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
            keywords = {n: GIVEN[n] for n, p in named.items() if p.kind is p.KEYWORD_ONLY}
            return kind(*positional, **keywords)
    return kind() if getattr(kind, "message", "") else kind("words of the caller's {z}")


def identity(error: BaseException) -> tuple[Any, ...]:
    def plain(value: Any) -> Any:
        return identity(value) if isinstance(value, BaseException) else value

    attributes = {name: plain(value) for name, value in vars(error).items()}
    return (
        type(error), str(error), getattr(error, "code", None), attributes,
        [plain(one) for one in error.args],
    )  # fmt: skip


def returned(value: Any) -> Any:
    return value


CROSSINGS = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "the oldest protocol": lambda value: pickle.loads(pickle.dumps(value, 0)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("crossing", CROSSINGS.values(), ids=CROSSINGS)
@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_an_error_is_the_same_after_it(kind: type[Exception], crossing: Any) -> None:
    error = made(kind)
    error.__dict__["of_the_app"] = ["more"]

    assert identity(crossing(error)) == identity(error)
    assert str(error)


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_a_queue_makes_it_again_of_its_class_and_args(kind: type[Exception]) -> None:
    """Celery with JSON sends both, and calls the one with the others."""
    error = made(kind)
    args = error.args
    if kind not in (RecordedRefusalError, CartMergingError):  # ours alone
        args = tuple(json.loads(json.dumps(args)))

    again = kind(*args)

    assert (str(again), getattr(again, "code", "")) == (str(error), getattr(error, "code", ""))


def test_there_are_errors_enough() -> None:
    """The reflection has found those of both packages."""
    names = {kind.__name__ for kind in error_classes()}
    assert len(names) > 45
    assert {"VersionConflictError", "HttpError", "DeploymentError", "UnconfirmedError"} <= names


def test_an_error_says_what_it_said() -> None:
    assert str(VersionConflictError(3)) == "the cart is at version 3, not at the expected one"
    assert str(HttpError("invalid_header", "no {such} header")) == "no {such} header"
    assert str(LineNotFoundError("a{b}")) == "the cart has no line 'a{b}'"
    assert repr(VersionConflictError(3)) == "VersionConflictError(3)"


def raising(number: int) -> None:
    raise VersionConflictError(number)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_an_error_comes_out_of_a_worker_process(method: str) -> None:
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        error = pool.submit(raising, 12).exception(30)

    assert isinstance(error, VersionConflictError)
    assert (error.version, error.code) == (12, "version_conflict")


def values_of(store: Any) -> dict[str, Any]:
    """One of each value that the library returns, made by using it."""
    cart = Cart("c", store)
    added = cart.add("apple", 2, unit_price="0.50", options={"size": "M"}, details={"a": [1]})
    other = Cart("other", store)
    other.add("pear", unit_price="1")
    report = cart.merge_from("other")
    held = cart.begin_checkout()
    return {
        "a change": added, "a snapshot": cart.get(), "a summary": cart.summary(),
        "a line": cart.get().lines[0], "a report": report, "a check-out": held,
        "a hold": cart.get().lock, "rules": cart.rules, "a merge": other.get().merge,
        "a product": Product(sku="apple", options={"size": ["M"]}),
    }  # fmt: skip


@pytest.fixture(params=["memory", "engine"])
def values(request: pytest.FixtureRequest, engine: Engine) -> Any:
    if request.param == "memory":
        return values_of(MemoryStore())
    store = RedisStore(engine.url)
    try:
        return values_of(store)
    finally:
        store.close()


@pytest.mark.parametrize("crossing", CROSSINGS.values(), ids=CROSSINGS)
def test_a_value_is_the_same_after_it(values: dict[str, Any], crossing: Any) -> None:
    for name, value in values.items():
        again = crossing(value)
        assert type(again) is type(value), name
        assert again == value, name
        assert repr(again) == repr(value), name
    change = crossing(values["a change"])
    assert change.summary.total_quantity == 2
    assert change.line == values["a change"].line


def test_values_come_out_of_a_worker_process(values: dict[str, Any]) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        again = pool.submit(returned, values).result(30)

    assert again == values
    assert datetime.now(UTC) > again["a snapshot"].created_at
