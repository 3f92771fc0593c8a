"""Paths, methods, media types, and the headers that every answer carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients import TWO
from clients.examples import BEGIN_CHECKOUT, CHANGES, READS, example_of
from ecart.http.routes import SHOPPER_ROUTES

if TYPE_CHECKING:
    from clients import Answer, Shopper

pytestmark = pytest.mark.parametrize("shop_class", TWO, indirect=True)


def _allowed() -> dict[str, str]:
    """What `Allow` is to say of each path of a shopper: the methods of its routes, sorted."""
    methods: dict[str, set[str]] = {}
    for route in SHOPPER_ROUTES:
        method, target, _ = example_of(route, line_id="apple", key="a-key")
        methods.setdefault(target, {"OPTIONS"}).add(method)
    for found in methods.values():
        found |= {"HEAD"} if "GET" in found else set()
    return {target: ", ".join(sorted(found)) for target, found in methods.items()}


ALLOWED = _allowed()
METHODS = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY",
    "BREW",
]  # fmt: skip


@pytest.mark.parametrize("target", ALLOWED)
def test_options_tells_what_can_be_done(shopper: Shopper, target: str) -> None:
    """204 with `Allow`."""
    answer = shopper.request("OPTIONS", target)

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["allow"] == ALLOWED[target]
    assert "content-length" not in answer.headers


def test_what_a_cart_can_be_asked(shopper: Shopper) -> None:
    """The methods that the page names, and what comes with them (RFC 9110 §9.3.2, §9.3.7)."""
    answer = shopper.request("OPTIONS", "/cart")

    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("method", "target"),
    [(m, t) for t, allowed in ALLOWED.items() for m in METHODS if m not in allowed.split(", ")],
)
def test_any_other_method_is_refused(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str
) -> None:
    """405 with the same `Allow`, whatever the method is called."""
    answer = shopper.request(method, target, json={"sku": "banana"})

    assert answer.status == 405
    assert answer.headers["allow"] == ALLOWED[target]
    if method != "HEAD":
        assert answer.code == "method_not_allowed"
    assert shopper.get("/cart").json == apple


@pytest.mark.parametrize(
    "target",
    [
        "/cart/", "/cart/x", "/cart/items/", "/cart//items", "/cart/item", "/cart/summary/",
        "/cart/summary/x", "/cart/items%0A", "/cart/checkout/", "/cart/Items",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "TRACE"])
def test_any_other_path_is_not_found(shopper: Shopper, method: str, target: str) -> None:
    """404 `not_found`, by us; nothing is guessed or redirected."""
    answer = shopper.request(method, target)

    assert (answer.status, answer.code) == (404, "not_found")


def test_a_query_changes_nothing(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Parameters that nobody asked for are not looked at."""
    assert shopper.get("/cart?utm_source=x&items=9").json == apple


@pytest.mark.parametrize("target", ["/cart", "/cart/summary"])
def test_head_is_get_without_the_body(shopper: Shopper, apple: dict[str, Any], target: str) -> None:
    """The same headers, the length of what GET would send among them (RFC 9110 §8.6)."""
    get = shopper.get(target)

    head = shopper.request("HEAD", target)

    assert (head.status, head.body) == (200, b"")
    assert head.headers == get.headers
    assert head.headers["content-length"] == str(len(get.body))


ACCEPTED = [
    None, "", "*/*", "application/*", "application/json", "application/json; charset=utf-8",
    "text/html, application/json;q=0.1", "text/html,*/*;q=0.8", "Application/JSON",
    "application/problem+json, application/json",
]  # fmt: skip
NOT_ACCEPTED = [
    "text/html",
    "application/xml",
    "application/json;q=0",
    "*/*;q=0.0",
    "image/*",
    "json",
]


@pytest.mark.parametrize("accept", ACCEPTED)
def test_who_takes_json_gets_it(shopper: Shopper, accept: str | None) -> None:
    """Also in a list, by a range, or not telling at all."""
    assert shopper.get("/cart", headers={"Accept": accept}).status == 200


@pytest.mark.parametrize("accept", NOT_ACCEPTED)
@pytest.mark.parametrize(
    ("method", "target", "options"),
    [
        ("GET", "/cart", {}),
        ("POST", "/cart/items", {"json": {"sku": "banana"}}),
        ("DELETE", "/cart", {}),
    ],
)
def test_who_takes_no_json_is_reported(
    shopper: Shopper,
    apple: dict[str, Any],
    accept: str,
    method: str,
    target: str,
    options: dict[str, Any],
) -> None:
    """406 before anything is done."""
    answer = shopper.request(method, target, headers={"Accept": accept}, **options)

    assert (answer.status, answer.code) == (406, "not_acceptable")
    assert shopper.get("/cart").json == apple


EVERYTHING: list[tuple[str, str, dict[str, Any], int]] = [
    *((*example, 200) for example in [*READS, *CHANGES, BEGIN_CHECKOUT]),
    ("HEAD", "/cart", {}, 200),
    ("OPTIONS", "/cart", {}, 204),
    ("GET", "/cart", {"headers": {"If-None-Match": "*"}}, 304),
    ("POST", "/cart/items", {"body": b"x"}, 400),
    ("DELETE", "/cart", {"headers": {"If-Match": "x"}}, 400),
    ("DELETE", "/cart", {"headers": {"Origin": "null"}}, 403),
    ("GET", "/cart/nothing", {}, 404),
    ("DELETE", "/cart/items/banana", {}, 404),
    ("PATCH", "/cart/items", {"json": {"line_id": "banana", "quantity": 2}}, 404),
    ("PUT", "/cart", {}, 405),
    ("TRACE", "/cart", {}, 405),
    ("GET", "/cart", {"headers": {"Accept": "text/html"}}, 406),
    ("DELETE", "/cart/checkout", {}, 409),
    ("DELETE", "/cart", {"headers": {"If-Match": '"x"'}}, 412),
    ("POST", "/cart/items", {"body": b"x" * 20_000}, 413),
    ("POST", "/cart/items", {"body": b"x", "headers": {"Content-Type": None}}, 415),
    ("POST", "/cart/items", {"json": {}}, 422),
]


@pytest.mark.parametrize(("method", "target", "options", "status"), EVERYTHING)
def test_every_answer_is_guarded(
    shopper: Shopper,
    apple: dict[str, Any],
    method: str,
    target: str,
    options: dict[str, Any],
    status: int,
) -> None:
    """No answer is cached, sniffed, or told to other sites by a Referer; errors neither."""
    answer = shopper.request(method, target, **options)

    assert answer.status == status
    assert_guarded(answer)


def assert_guarded(answer: Answer) -> None:
    assert answer.headers["cache-control"] == "private, no-store"
    assert "Cookie" in answer.headers["vary"].split(", ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers
    assert "x-powered-by" not in answer.headers


REFUSALS = [each for each in EVERYTHING if each[3] >= 400]


@pytest.mark.parametrize(("method", "target", "options", "status"), REFUSALS)
def test_every_error_is_a_problem(
    shopper: Shopper,
    apple: dict[str, Any],
    method: str,
    target: str,
    options: dict[str, Any],
    status: int,
) -> None:
    """`application/problem+json` (RFC 9457), in one shape; no framework's page shows."""
    answer = shopper.request(method, target, **options)

    problem = answer.json
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status == status
    assert problem["type"] == f"urn:ecart:error:{problem['code']}"
    assert problem["title"] and problem["detail"]
    assert set(problem) <= {"type", "title", "status", "code", "detail", "errors", "cart"}
    for error in problem.get("errors", ()):
        assert set(error) == {"pointer", "code", "detail"}
        assert error["pointer"].startswith("/")
    assert ("cart" in problem) is (status == 412)


def test_an_error_in_full(shopper: Shopper) -> None:
    """To the letter."""
    answer = shopper.post("/cart/items", json={"sku": "apple", "quantity": 0})

    assert answer.json == {
        "type": "urn:ecart:error:invalid_quantity",
        "title": "Unprocessable Content",
        "status": 422,
        "code": "invalid_quantity",
        "detail": "a quantity is a whole number, 1 or more",
        "errors": [
            {
                "pointer": "/quantity",
                "code": "invalid_quantity",
                "detail": "a quantity is a whole number, 1 or more",
            }
        ],
    }
