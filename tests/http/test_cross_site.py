"""Another site's page cannot change a cart, whatever its visitor's browser sends along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients import TWO
from clients.examples import CHANGES, CHANGES_NAMED

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Shop, Shopper

pytestmark = pytest.mark.parametrize("shop_class", TWO, indirect=True)

each_change = pytest.mark.parametrize(
    ("method", "target", "options"),
    CHANGES,
    ids=CHANGES_NAMED,
)

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "CROSS-SITE"},
    {"Sec-Fetch-Site": "unheard-of"},
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://shop.test"},
    {"Origin": "http://evil.test"},
    {"Origin": "https://evil.test"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://shop.test.evil.test"},
    {"Origin": "http://evil.test/shop.test"},
    {"Origin": "http://shop.test@evil.test"},
    {"Origin": "http://other.shop.test"},
    {"Origin": "http://shop.test:8080"},
    {"Origin": "shop.test"},
    {"Origin": "file://"},
]
OWN = [
    {},
    {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://shop.test"},
    {"Origin": "http://shop.test"},
    {"Origin": "https://shop.test"},
    {"Origin": "http://shop.test:80"},
]


def shown(headers: dict[str, str]) -> str:
    return " ".join(f"{name[:3]}={value}" for name, value in headers.items())


@each_change
@pytest.mark.parametrize("headers", FOREIGN, ids=shown)
def test_a_foreign_page_changes_nothing(
    shopper: Shopper,
    apple: dict[str, Any],
    headers: dict[str, str],
    method: str,
    target: str,
    options: dict[str, Any],
) -> None:
    """403 `cross_site_request`, though the cookie is right."""
    answer = shopper.request(method, target, headers=headers, **options)

    assert (answer.status, answer.code) == (403, "cross_site_request")
    assert shopper.get("/cart").json == apple


@each_change
@pytest.mark.parametrize("headers", OWN, ids=shown)
def test_an_own_page_and_what_is_no_browser_may(
    shopper: Shopper,
    apple: dict[str, Any],
    headers: dict[str, str],
    method: str,
    target: str,
    options: dict[str, Any],
) -> None:
    """The site's own pages, the address bar, and clients that send neither header."""
    assert shopper.request(method, target, headers=headers, **options).status == 200


def test_the_port_is_part_of_the_origin(shopper: Shopper) -> None:
    """Two services on one machine are two sites to each other."""
    host = {"Host": "localhost:8000"}

    own = shopper.post(
        "/cart/items", json={"sku": "apple"}, headers={**host, "Origin": "http://localhost:8000"}
    )
    foreign = shopper.post(
        "/cart/items", json={"sku": "apple"}, headers={**host, "Origin": "http://localhost:3000"}
    )

    assert (own.status, foreign.status) == (200, 403)


@pytest.mark.parametrize("target", ["/cart", "/cart/summary"])
def test_reading_is_not_refused(shopper: Shopper, apple: dict[str, Any], target: str) -> None:
    """A GET changes nothing; without CORS headers a foreign page cannot read the answer."""
    answer = shopper.get(
        target, headers={"Sec-Fetch-Site": "cross-site", "Origin": "http://e.test"}
    )

    assert answer.status == 200
    assert not any(name.startswith("access-control-") for name in answer.headers)


@each_change
def test_a_trusted_site_may(
    make_shop: Callable[..., Shop], method: str, target: str, options: dict[str, Any]
) -> None:
    """An origin that the operator trusts, exactly as it is spelled, and no other."""
    shopper = make_shop(trusted_origins=("https://front.test",)).shopper()
    shopper.post("/cart/items", json={"sku": "apple"})
    trusted = {"Origin": "https://front.test", "Sec-Fetch-Site": "cross-site"}

    for foreign in ("http://front.test", "https://front.test:8443", "https://xfront.test"):
        headers = {**trusted, "Origin": foreign}
        assert shopper.request(method, target, headers=headers, **options).status == 403
    assert shopper.request(method, target, headers=trusted, **options).status == 200


@pytest.mark.parametrize(
    "media",
    [
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None,
        "", "application/jsonp", "application/json-patch+json", "text/json", "json",
        "application/ json", "text/plain; application/json",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/cart/items", b'{"sku":"apple"}'),
        ("PATCH", "/cart/items/apple", b'{"quantity":2}'),
        ("PATCH", "/cart/items", b'{"line_id": "apple", "quantity":2}'),
    ],
)
def test_only_json_is_taken(
    shopper: Shopper,
    apple: dict[str, Any],
    method: str,
    target: str,
    body: bytes,
    media: str | None,
) -> None:
    """415: what an HTML form can send, without the browser asking first, is not JSON."""
    answer = shopper.request(method, target, body=body, headers={"Content-Type": media})

    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert shopper.get("/cart").json == apple


@pytest.mark.parametrize(
    "media", ["application/json; charset=utf-8", "Application/JSON", " application/json ;a=b"]
)
def test_json_may_be_spelled_as_one_likes(shopper: Shopper, media: str) -> None:
    """Parameters and case do not matter."""
    answer = shopper.post("/cart/items", body=b'{"sku":"apple"}', headers={"Content-Type": media})

    assert answer.status == 200
