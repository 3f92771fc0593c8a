"""Reading a request takes time in proportion to it, also behind a server without limits."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from ecart.http.problems import HttpError
from ecart.http.routes import BACK_OFFICE_ROUTES, SHOPPER_ROUTES, Router
from ecart.integrations.asgi_messages import headers_of, used_headers
from ecart_server.observability.requests import API_ROUTES, RouteTable
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
