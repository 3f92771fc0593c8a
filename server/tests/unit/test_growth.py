"""Reading a request takes time in proportion to it, also behind a server without limits."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from ecart.http.cookies import cookie_values
from ecart.http.guards import accepts
from ecart.http.problems import HttpError
from ecart.http.routes import BACK_OFFICE_ROUTES, SHOPPER_ROUTES, Router
from ecart.integrations.asgi_messages import headers_of, read_body, used_headers
from ecart.tokens import TextSigner
from ecart_server.observability.requests import API_ROUTES, RouteTable
from ecart_server.pages.formatting import visible
from growth import assert_linear

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE_PATHS: dict[str, Callable[[int], str]] = {
    "check-outs": lambda size: "/carts/x" + "/checkout/y" * (size // 11),
    "slashes": lambda size: "/carts/" + "/" * size,
    "ends": lambda size: "/carts/x/checkout/y" + "/complete" * (size // 9) + "x",
    "empty check-outs": lambda size: "/carts/x" + "/checkout/" * (size // 10),
    "items": lambda size: "/cart/items/" + "/items/" * (size // 7),
    "line ends": lambda size: "/carts/" + "\n" * size,
}


@pytest.mark.parametrize("hostile", HOSTILE_PATHS.values(), ids=HOSTILE_PATHS)
def test_finding_a_route(hostile: Callable[[int], str]) -> None:
    """For an answer and for the metrics."""
    table, router = RouteTable(API_ROUTES), Router(SHOPPER_ROUTES + BACK_OFFICE_ROUTES)

    def find(path: str) -> None:
        table.template("POST", path)
        with contextlib.suppress(HttpError):
            router.find("POST", path)

    assert_linear(find, hostile, 65_536)


@pytest.mark.parametrize("name", [b"cookie", b"if-match", b"accept"])
@pytest.mark.parametrize("read", [used_headers, headers_of])
def test_joining_lines(read: Callable[..., object], name: bytes) -> None:
    """However often a header is repeated."""
    assert_linear(
        read,
        lambda size: {"headers": [(name, b"a" * 16)] * (size // 16)},
        2**20,
    )


@pytest.mark.parametrize("text", ["a", "<", "\u202e", "a\u202e<"], ids=ascii)
def test_showing_a_text(text: str) -> None:
    """Also one of characters that are escaped or spelled out."""
    assert_linear(visible, lambda size: text * (size // len(text)), 262_144)


@pytest.mark.parametrize(
    "unit", [";", " ", "; ", ";\t\t\t", "note;", "note=a", '\\"', "notenote"], ids=ascii
)
def test_finding_a_cookie(unit: str) -> None:
    """Whatever stands beside it."""
    assert_linear(
        lambda header: list(cookie_values(header, "note")),
        lambda size: unit * (size // len(unit)),
        65_536,
    )


@pytest.mark.parametrize("unit", [",", "a,", ";q=0,", "gzip;q=0,", "gzip;q=0.0,", " ", ";", "q=0;"])
def test_finding_a_preference(unit: str) -> None:
    """In a list of any form."""
    assert_linear(
        lambda header: accepts(header, ("gzip",)), lambda size: unit * (size // len(unit)), 65_536
    )


def test_reading_a_body_in_pieces() -> None:
    """However small they are, and whatever limit is set."""

    def read(size: int) -> None:
        left = iter(range(size - 1, -1, -1))

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b" ", "more_body": next(left) > 0}

        assert asyncio.run(read_body(receive, size)) == b" " * size

    assert_linear(read, lambda size: size, 262_144)


def test_tokens_of_strangers_are_not_remembered() -> None:
    """What is not signed takes no memory: a visitor's token stays where it was verified."""
    tokens = TextSigner(["a secret of the tests"], "tests")
    tracemalloc.start()

    for number in range(5000):
        tokens.read(f"{number}.{'x' * 1900}")

    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < 200_000
