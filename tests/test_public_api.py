"""What users import: exactly these names, each error with its own code, and no framework behind."""

from __future__ import annotations

import inspect
import subprocess
import sys

import ecart
import ecart.ecart
from ecart import errors
from ecart.errors import EcartError

ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, EcartError)
]


def test_the_public_names() -> None:
    """A name more or less is a decision."""
    assert ecart.__all__ == [
        *("AsyncCart", "AsyncMemoryStore", "AsyncRedisStore", "Cart", "CartChange"),
        *("CartSnapshot", "CartSummary", "CorruptCartError", "EcartError", "InvalidInputError"),
        *("LineItem", "MemoryStore", "OutcomeUnknownError", "RedisStore", "RefusedError", "Rules"),
        *("StoreError", "StoreUnavailableError", "Totals", "line_id_for"),
    ]
    assert ecart.ecart.__all__ == ["Cart"]


def test_every_public_name_is_there_and_documented() -> None:
    """With a docstring of its own."""
    for name in ecart.__all__:
        assert inspect.getdoc(getattr(ecart, name)), name


def test_importing_imports_little() -> None:
    """Neither a client nor a framework: importing `ecart` is cheap and starts nothing."""
    program = (
        "import sys, threading, ecart, ecart.ecart; "
        "heavy = {'redis', 'valkey', 'starlette', 'flask', 'uvicorn', 'click', 'rich'}; "
        "heavy |= {'sqlalchemy', 'asyncio'}; "
        "print(sorted(heavy & set(sys.modules)), threading.active_count())"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        env=environment,
    )

    assert (done.stdout, done.stderr) == ("[] 1\n", "")


def test_every_error_has_a_code_of_its_own() -> None:
    """By which Lua, Python, HTTP and the docs name it."""
    codes = [kind.code for kind in ERRORS]

    assert len(set(codes)) == len(codes) == len(ERRORS)
    for kind in ERRORS:
        assert "code" in vars(kind), kind
        assert kind.code == kind.code.lower()
        assert kind.code.replace("_", "").isalpha()


def test_codes_are_named_as_their_classes() -> None:
    """`LineNotFoundError`: `line_not_found`. Users guess, and guess right."""
    exceptions = {"CatalogError": "catalog_unavailable"}
    for kind in ERRORS:
        name = kind.__name__.removesuffix("Error")
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
        spelled = {snake, f"{snake}_error"}
        assert kind.code in spelled or exceptions.get(kind.__name__) == kind.code, kind


def test_the_families_of_errors() -> None:
    """Each error is in one family, which tells a caller what to do."""
    families = {errors.InvalidInputError, errors.RefusedError, errors.StoreError,
                errors.CatalogError, errors.EngineError}  # fmt: skip
    for kind in ERRORS:
        if kind is not EcartError:
            assert len(families & set(kind.__mro__)) == 1, kind


def test_errors_say_what_happened() -> None:
    """Every class has a docstring, and every message is a sentence without a capital or a dot."""
    for kind in ERRORS:
        assert inspect.getdoc(kind), kind
    assert (
        str(errors.VersionConflictError(7)) == "the cart is at version 7, not at the expected one"
    )
    assert str(errors.LineNotFoundError("a'b")) == 'the cart has no line "a\'b"'


def test_input_errors_are_value_errors() -> None:
    """Code that catches `ValueError` and `LookupError` goes on working."""
    assert issubclass(errors.InvalidInputError, ValueError)
    assert issubclass(errors.LineNotFoundError, LookupError)
    assert issubclass(errors.UnknownSkuError, LookupError)
