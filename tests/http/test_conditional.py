"""Entity tags: asking again costs little, and a change can insist on the state that was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clients import TWO, Sent
from clients.examples import CHANGES, CHANGES_NAMED

if TYPE_CHECKING:
    from clients import Answer, Shopper

pytestmark = pytest.mark.parametrize("shop_class", TWO, indirect=True)

each_change = pytest.mark.parametrize(
    ("method", "target", "options"),
    CHANGES,
    ids=CHANGES_NAMED,
)

CODED = [
    *("W/{}", '"other", W/{}', '"{bare}-gzip"', 'W/"{bare}-gzip"', '"{bare}-br"', '"{bare}-zstd"'),
    *('"{bare}-deflate"', '"{bare}--gzip"', '"{bare};gzip"'),
]
"""What proxies that compress make of a tag: nginx, CDNs, Apache, Caddy, Jetty."""


def change(
    shopper: Shopper, method: str, target: str, options: dict[str, Any], if_match: str
) -> Answer:
    return shopper.request(method, target, headers={"If-Match": if_match}, **options)


def tag(shopper: Shopper) -> str:
    return shopper.get("/cart").headers["etag"]


def test_a_change_answers_with_the_tag_that_get_shows(
    shopper: Shopper, apple: dict[str, Any]
) -> None:
    """So a client need not read again before the next change."""
    changed = shopper.post("/cart/items", json={"sku": "apple"})

    assert changed.headers["etag"] == tag(shopper)


@each_change
def test_every_change_makes_another_tag(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str, options: dict[str, Any]
) -> None:
    """The tag is strong, and names this very state."""
    before = tag(shopper)

    after = change(shopper, method, target, options, before).headers["etag"]

    assert after != before
    assert before[0] == after[0] == '"'


def test_no_two_carts_share_a_tag(shopper: Shopper) -> None:
    """Not even empty ones, nor ones that were filled alike."""
    other = shopper.fresh()
    empty = {tag(shopper), tag(other)}

    for one in (shopper, other):
        one.post("/cart/items", json={"sku": "apple"})

    assert len(empty | {tag(shopper), tag(other)}) == 4


@pytest.mark.parametrize("target", ["/cart", "/cart/summary"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "form", ["{}", "W/{}", '"other", {}', '"other",W/{},"third"', " {} ", "*", *CODED]
)
def test_asking_again_is_answered_304(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str, form: str
) -> None:
    """In a list, weakly and by `*` too (RFC 9110 §13.1.2); the tag comes along, no body does."""
    current = tag(shopper)

    known = form.format(current, bare=current.strip('"'))
    answer = shopper.request(method, target, headers={"If-None-Match": known})

    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == current


@pytest.mark.parametrize("known", ['"other"', "", "malformed", '"', 'W/"other"', '"a" "b"', "\xff"])
def test_another_state_is_sent_in_full(shopper: Shopper, apple: dict[str, Any], known: str) -> None:
    """A tag that is not current, or is none, costs the client nothing."""
    answer = shopper.get("/cart", headers={"If-None-Match": known})

    assert (answer.status, answer.json) == (200, apple)


def test_an_old_tag_is_not_current(shopper: Shopper, apple: dict[str, Any]) -> None:
    """After a change the cart is sent again."""
    old = tag(shopper)
    shopper.post("/cart/items", json={"sku": "banana"})

    assert shopper.get("/cart", headers={"If-None-Match": old}).status == 200


def test_an_empty_cart_has_a_tag_too(shopper: Shopper) -> None:
    """A poll of a cart that nobody filled costs little as well."""
    empty = tag(shopper)

    assert shopper.get("/cart", headers={"If-None-Match": empty}).status == 304
    shopper.post("/cart/items", json={"sku": "apple"})
    assert shopper.get("/cart", headers={"If-None-Match": empty}).status == 200


@each_change
def test_a_change_of_the_state_that_was_seen(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str, options: dict[str, Any]
) -> None:
    """`If-Match` with the current tag lets the change through, once."""
    seen = tag(shopper)

    assert change(shopper, method, target, options, seen).status == 200
    assert change(shopper, method, target, options, seen).status == 412


@each_change
def test_a_change_of_another_state_is_refused(
    shopper: Shopper, apple: dict[str, Any], method: str, target: str, options: dict[str, Any]
) -> None:
    """412 `version_conflict` shows the cart as it is, with its tag; nothing changes."""
    old = tag(shopper)
    current = shopper.post("/cart/items", json={"sku": "apple"})

    answer = change(shopper, method, target, options, old)

    assert (answer.status, answer.code) == (412, "version_conflict")
    assert answer.json["cart"] == current.json
    assert answer.headers["etag"] == current.headers["etag"]
    assert shopper.get("/cart").json == current.json


@each_change
@pytest.mark.parametrize(
    "form", ['"other", {}', '"other",{},"third"', "*", " {} ", *CODED, '"{bare}.more.parts"']
)
def test_if_match_takes_a_list(
    shopper: Shopper,
    apple: dict[str, Any],
    form: str,
    method: str,
    target: str,
    options: dict[str, Any],
) -> None:
    """One of several tags is enough, `*` is any state, and what proxies make of a tag is it."""
    seen = tag(shopper)
    known = form.format(seen, bare=seen.strip('"'))

    assert change(shopper, method, target, options, known).status == 200
    assert known.strip() == "*" or change(shopper, method, target, options, known).status == 412


def test_a_list_may_come_in_several_lines(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Two lines of `If-Match` are one list (RFC 9110 §5.3)."""
    cookie = ("cookie", f"{shopper.shop.cookie}={shopper.cookies[shopper.shop.cookie]}")
    lines = (("if-match", tag(shopper)), ("if-match", '"other"'))
    sent = Sent(method="DELETE", target="/cart", headers=(("host", "shop.test"), cookie, *lines))

    assert shopper.shop.send(sent).status == 200
    assert shopper.shop.send(sent).status == 412


@each_change
@pytest.mark.parametrize(
    "form",
    ['"other"', '""', 'W/""', '"1"', '".0."', '"{bare}x"', '"x{bare}"', '"{bare}-zip"',
     '"{bare}-gzip.x"', '"-gzip"', '"{epoch}"', '"{epoch}.{version}"', '"{epoch}.{version}.x"'],
)  # fmt: skip
def test_if_match_is_a_state(
    shopper: Shopper,
    apple: dict[str, Any],
    form: str,
    method: str,
    target: str,
    options: dict[str, Any],
) -> None:
    """The whole of it: no bare version number, no beginning, nothing around it."""
    bare = tag(shopper).strip('"')
    epoch, version, _ = bare.split(".")
    given = form.format(bare=bare, epoch=epoch, version=version)
    answer = change(shopper, method, target, options, given)

    assert (answer.status, answer.code) == (412, "version_conflict")
    assert shopper.get("/cart").json == apple


@each_change
@pytest.mark.parametrize(
    "form", ["", " ", "x", '"', "1", '"a" "b"', "w/{}", "\xff", '"a', "{} x", ";", "*, *"]
)
def test_a_malformed_if_match_is_refused(
    shopper: Shopper,
    apple: dict[str, Any],
    form: str,
    method: str,
    target: str,
    options: dict[str, Any],
) -> None:
    """400 `invalid_header`: what cannot be read is not taken for no condition."""
    answer = change(shopper, method, target, options, form.format(tag(shopper)))

    assert (answer.status, answer.code) == (400, "invalid_header")
    assert shopper.get("/cart").json == apple


def test_if_match_can_insist_on_an_empty_cart(shopper: Shopper) -> None:
    """The tag of a cart that does not exist yet matches until someone fills it."""
    empty = tag(shopper)

    first = change(shopper, "POST", "/cart/items", {"json": {"sku": "apple"}}, empty)
    second = change(shopper, "POST", "/cart/items", {"json": {"sku": "apple"}}, empty)

    assert (first.status, second.status) == (200, 412)
    assert second.json["cart"] == first.json


def test_the_tag_of_an_empty_cart_is_no_other_carts(shopper: Shopper) -> None:
    """Another's empty cart is not the state that was seen."""
    tag(shopper)

    answer = change(
        shopper, "POST", "/cart/items", {"json": {"sku": "apple"}}, tag(shopper.fresh())
    )

    assert answer.status == 412
    assert shopper.get("/cart").json["items"] == []
