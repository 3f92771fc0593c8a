"""Bad bodies: the right refusal, nothing changed, never a 5xx. Tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clients import TWO

if TYPE_CHECKING:
    from clients import Shopper

pytestmark = pytest.mark.parametrize("shop_class", TWO, indirect=True)

DIGITS = "1" * 10_000

NOT_JSON = [
    b"", b" ", b"{", b"}", b"not json", b"'sku'", b'{"sku":"apple"', b'{"sku":"apple"}}',
    b'{"sku":"apple"} {"sku":"apple"}', b'{"sku":"apple",}', b'{sku:"apple"}', b"{'sku':'apple'}",
    b'{"sku":"apple"}//', b"\xef\xbb\xbf" + b'{"sku":"apple"}',
    '{"sku":"apple"}'.encode("utf-16"),
    '{"sku":"apple"}'.encode("utf-16-le"), '{"sku":"apple"}'.encode("utf-32"), b'{"sku":"\xff"}',
    b'{"sku":"\xc0\xaf"}', b'{"sku":"\xed\xa0\x80"}', b'{"sku":"a\x00b"}', b'{"sku":"a\nb"}',
    b"\x00",
    b'{"sku":"apple","quantity":NaN}', b'{"sku":"apple","quantity":Infinity}',
    b'{"sku":"apple","quantity":-Infinity}', b'{"sku":"apple","quantity":01}',
    b'{"sku":"apple","quantity":1.}', b'{"sku":"apple","quantity":.5}',
    b'{"sku":"apple","quantity":+1}', b'{"sku":"apple","quantity":0x1}',
    b'{"sku":"apple","quantity":1e}', b'{"sku":"apple","quantity":\xd9\xa5}',
    b'{"sku":"apple","sku":"apple"}', b'{"sku":"apple","quantity":1,"quantity":2}',
    b'{"sku":"apple","options":{"a":1,"a":1}}', b'{"sku":"apple","s\\u006bu":"banana"}',
    b"[" * 17 + b"]" * 17, b'{"sku":' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"a":' * 100 + b"1" + b"}" * 100, b'{"sku":"apple","options":' + b"[" * 8000,
    b"[" * 16_000, b'{"sku":"apple","quantity":1e' + DIGITS.encode() + b"e}",
    b'sku=apple&quantity=1',
]  # fmt: skip

NO_OBJECT = [
    b"[]", b"null", b"true", b"1", b'"sku"', b'["sku"]', b'[{"sku":"apple"}]', b"1e400", b"-0",
    DIGITS.encode(), b"[" * 16 + b"]" * 16,
]  # fmt: skip

BAD_SKUS = [
    '""', '" "', '" apple"', '"apple "', '"a\\nb"', '"\\u0000"', '"a\\u0000"', '"\\u007f"',
    '"\\u0085"', '"\\u2028"', '"\\ud800"', '"a\\udfff"', '"\\udc00\\ud800"', '"\\u00a0apple"',
    '"apple\\u3000"', "null",
    "true", "5", "1.5", "[]", "{}", '["apple"]', '{"sku":"apple"}', "1e400", DIGITS,
    '"' + "x" * 129 + '"', '"' + "x" * 10_240 + '"',
]  # fmt: skip

BAD_QUANTITIES = [
    "2.0000000000000000001", "1.0" + "0" * 50 + "1", "1e-400", "1e-99999999999999999999",
    "-1", "-1.0", "1.5", "1e-1", "1e400", "-1e400", "true", "false", "null",
    '"5"', '"٥"', '""', "[]", "[1]", "{}", '{"a":1}', "-" + DIGITS, "-9223372036854775808",
]  # fmt: skip
TOO_MANY = [
    "10000",
    "10000.0",
    "1e5",
    "1e308",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    DIGITS,
]
WHOLE = ["2", "2.0", "2e0", "20e-1", "0.2E+1"]

BAD_OPTIONS = [
    "null", "true", "5", '"size"', "[]", '[["size","M"]]', '{"size":1.5}', '{"size":1e400}',
    '{"size":[]}', '{"size":{}}', '{"size":["M"]}', '{"":"M"}', '{"a\\nb":1}', '{"a":"\\u0000"}',
    '{"a":"\\ud800"}', '{"\\ud800":1}', '{"a":9007199254740992}', '{"a":' + DIGITS + "}",
    json.dumps({"x" * 65: 1}), json.dumps({"a": "x" * 129}),
    json.dumps({f"a{n}": n for n in range(17)}),
]  # fmt: skip

UNKNOWN_FIELDS = [
    '{"sku":"apple","price":"0.01"}', '{"sku":"apple","unit_price":"0.01"}', '{"price":1}',
    '{"sku":"apple","Quantity":2}', '{"sku":"apple","cart_id":"x"}', '{"sku":"apple","":1}',
    '{"sku":"apple","__proto__":{}}', '{"sku":"apple","\\ud800":1}', '{"sku":"apple","~/":1}',
    '{"sku":"apple","id":"apple"}', '{"sku":"apple","' + "x" * 5000 + '":1}',
]  # fmt: skip


def shortened(value: object) -> str:
    return ascii(value)[:40]


def each(name: str, values: list[Any]) -> Any:
    return pytest.mark.parametrize(name, values, ids=shortened)


def refused(shopper: Shopper, apple: dict[str, Any], body: bytes, status: int, code: str) -> Any:
    """Sends it as what to add; returns the refusal."""
    answer = shopper.post("/cart/items", body=body)

    assert (answer.status, answer.code) == (status, code)
    assert shopper.get("/cart").json == apple
    return answer.json


@each("body", NOT_JSON)
def test_what_is_not_json(shopper: Shopper, apple: dict[str, Any], body: bytes) -> None:
    """400 `invalid_json`: RFC 8259 in UTF-8, no name twice, no more than 16 levels."""
    refused(shopper, apple, body, 400, "invalid_json")


@each("body", NO_OBJECT)
def test_what_is_no_object(shopper: Shopper, apple: dict[str, Any], body: bytes) -> None:
    """422 `invalid_body`."""
    refused(shopper, apple, body, 422, "invalid_body")


@each("sku", BAD_SKUS)
def test_what_is_no_sku(shopper: Shopper, apple: dict[str, Any], sku: str) -> None:
    """422 `invalid_sku`, pointing at it."""
    problem = refused(shopper, apple, b'{"sku":%s}' % sku.encode(), 422, "invalid_sku")

    assert [error["pointer"] for error in problem["errors"]] == ["/sku"]


@each("quantity", ["0", "-0", "0.0", "-0.0", *BAD_QUANTITIES])
def test_what_is_no_quantity(shopper: Shopper, apple: dict[str, Any], quantity: str) -> None:
    """422 `invalid_quantity`: a whole number, 1 or more."""
    body = b'{"sku":"apple","quantity":%s}' % quantity.encode()

    problem = refused(shopper, apple, body, 422, "invalid_quantity")

    assert [error["pointer"] for error in problem["errors"]] == ["/quantity"]
    assert problem["detail"] == "a quantity is a whole number, 1 or more"


@each("quantity", WHOLE)
def test_a_whole_number_however_it_is_written(
    shopper: Shopper, apple: dict[str, Any], quantity: str
) -> None:
    """`2.0` is an integer, as JSON Schema has it (draft 2020-12, §4.2.3)."""
    added = shopper.post("/cart/items", body=b'{"sku":"pear","quantity":%s}' % quantity.encode())
    changed = shopper.patch("/cart/items/apple", body=b'{"quantity":%s}' % quantity.encode())
    removed = shopper.patch("/cart/items/pear", body=b'{"quantity":0.0}')

    assert [(item["sku"], item["quantity"]) for item in added.json["items"]] == [
        ("apple", 1),
        ("pear", 2),
    ]
    assert changed.json["total_quantity"] == 4
    assert b'"quantity":2,' in changed.body
    assert [item["sku"] for item in removed.json["items"]] == ["apple"]


@each("quantity", TOO_MANY)
def test_too_many(shopper: Shopper, apple: dict[str, Any], quantity: str) -> None:
    """422 `quantity_limit_exceeded`, however many digits it has."""
    body = b'{"sku":"apple","quantity":%s}' % quantity.encode()

    problem = refused(shopper, apple, body, 422, "quantity_limit_exceeded")

    assert [error["pointer"] for error in problem["errors"]] == ["/quantity"]


@each("options", BAD_OPTIONS)
def test_what_are_no_options(shopper: Shopper, apple: dict[str, Any], options: str) -> None:
    """422 `invalid_options`."""
    body = b'{"sku":"apple","options":%s}' % options.encode()

    problem = refused(shopper, apple, body, 422, "invalid_options")

    assert [error["pointer"] for error in problem["errors"]] == ["/options"]


@each("body", UNKNOWN_FIELDS)
def test_an_unknown_field(shopper: Shopper, apple: dict[str, Any], body: str) -> None:
    """422 `unknown_field`: what is not understood is not ignored."""
    refused(shopper, apple, body.encode(), 422, "unknown_field")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [('{"sku":"apple","price":1}', "/price"), ('{"sku":"apple","a/b~c":1}', "/a~1b~0c")],
)
def test_an_unknown_field_is_pointed_at(
    shopper: Shopper, apple: dict[str, Any], body: str, pointer: str
) -> None:
    """By a JSON Pointer (RFC 6901)."""
    problem = refused(shopper, apple, body.encode(), 422, "unknown_field")

    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@each("body", ["{}", '{"quantity":1}', '{"options":{}}'])
def test_a_missing_sku(shopper: Shopper, apple: dict[str, Any], body: str) -> None:
    """422 `missing_field`."""
    problem = refused(shopper, apple, body.encode(), 422, "missing_field")

    assert [error["pointer"] for error in problem["errors"]] == ["/sku"]


PATCHES = [
    *((body, 400, "invalid_json") for body in NOT_JSON),
    *((body, 422, "invalid_body") for body in NO_OBJECT),
    *((b'{"quantity":%s}' % value.encode(), 422, "invalid_quantity") for value in BAD_QUANTITIES),
    *((b'{"quantity":%s}' % value.encode(), 422, "quantity_limit_exceeded") for value in TOO_MANY),
    (b"{}", 422, "missing_field"),
    (b'{"quantity":2,"sku":"banana"}', 422, "unknown_field"),
    (b'{"quantity":2,"unit_price":"0.01"}', 422, "unknown_field"),
    (b'{"quantity":2,"options":{}}', 422, "unknown_field"),
]


@pytest.mark.parametrize(("body", "status", "code"), PATCHES, ids=shortened)
def test_bad_patches(
    shopper: Shopper, apple: dict[str, Any], body: bytes, status: int, code: str
) -> None:
    """PATCH reads its body just as strictly."""
    answer = shopper.patch("/cart/items/apple", body=body)

    assert (answer.status, answer.code) == (status, code)
    assert shopper.get("/cart").json == apple


def test_a_body_of_a_megabyte(shopper: Shopper, apple: dict[str, Any]) -> None:
    """413 `body_too_large`, whatever is in it."""
    refused(shopper, apple, b'{"sku":"apple","x":"' + b"x" * 2**20 + b'"}', 413, "body_too_large")
    refused(shopper, apple, b"[" * 2**20, 413, "body_too_large")


@pytest.mark.parametrize("body", [b"not json", b"[" * 10_000, b"\xff", b'{"sku":"banana"}'])
@pytest.mark.parametrize("target", ["/cart/items/apple", "/cart"])
def test_delete_reads_no_body(
    shopper: Shopper, apple: dict[str, Any], target: str, body: bytes
) -> None:
    """What a DELETE brings has no meaning (RFC 9110 §9.3.5)."""
    answer = shopper.delete(target, body=body)

    assert (answer.status, answer.json["items"]) == (200, [])


def test_sixteen_levels_are_read(shopper: Shopper, apple: dict[str, Any]) -> None:
    """Deep, but within the limit: refused for what it says, not for its depth."""
    body = b'{"sku":' + b"[" * 15 + b"]" * 15 + b"}"

    refused(shopper, apple, body, 422, "invalid_sku")


def test_brackets_in_strings_are_not_depth(shopper: Shopper) -> None:
    """Text may hold as many as it likes."""
    sku = '[{\\"' * 20

    assert shopper.post("/cart/items", json={"sku": sku}).json["items"][0]["sku"] == sku


def test_escapes_name_the_same_text(shopper: Shopper) -> None:
    """`\\u0061pple` is an apple, and a pair of surrogates is one character."""
    shopper.post("/cart/items", body=b'{"sku":"\\u0061pple"}')

    answer = shopper.post("/cart/items", body=b'{"sku":"\\ud83c\\udf4e"}')

    assert [item["sku"] for item in answer.json["items"]] == ["apple", "🍎"]
