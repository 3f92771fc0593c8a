"""The tokens of forms: whose they are, and that those of earlier versions still count."""

from __future__ import annotations

import pytest

from ecart.http.problems import HttpError
from ecart_server.pages.forms import FormTokens, parse_form

SECRET = "a secret of the tests that is long enough"
SHOP, ADMIN = FormTokens([SECRET], "ecart.form"), FormTokens([SECRET], "ecart.admin.00ff.form")
SIGNATURE = "8w8THapQVZacfV6OlfUefDQVO3JaCltIPL6JucXyASQ"


def test_a_shops_token_as_it_always_was() -> None:
    """The session and its signature: open pages survive an upgrade, and a rolling one."""
    assert SHOP.token_for("cart-1") == f"cart-1.{SIGNATURE}"

    SHOP.check({"token": f"cart-1.{SIGNATURE}"}, "cart-1", detail="")


def test_an_operators_token_of_an_earlier_version() -> None:
    """It was the signature alone."""
    ADMIN.check({"token": "SVjwqJxzC3RW-11js27ibfM_mBaK7BfdNP7_D_xudAg"}, "nonce", detail="")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"token": ""},
        {"token": "cart-1"},
        {"token": "cart-1."},
        {"token": f"cart-1.{SIGNATURE[:-1]}"},
        {"token": FormTokens([SECRET], "ecart.session").token_for("cart-1")},
        {"token": ADMIN.token_for("cart-1")},
        {"token": SHOP.token_for("cart-2")},
        {"token": "cart-1.Ünsigned"},
        {"token": f"cart-1.{'x' * 4000}"},
    ],
)
def test_a_token_that_is_not_of_the_session(fields: dict[str, str]) -> None:
    """Nothing, a piece, another purpose's, another session's: refused."""
    with pytest.raises(HttpError) as refused:
        SHOP.check(fields, "cart-1", detail="not of this session")

    assert (refused.value.wire_code, str(refused.value)) == (
        "cross_site_request",
        "not of this session",
    )


def test_the_fields_of_a_form() -> None:
    """Empty ones, too; percent signs stand for UTF-8, and plus for a blank."""
    assert parse_form(b"a=1+2&b=&c=%C3%A9&a=3") == {"a": "3", "b": "", "c": "é"}
    for body in (b"a=\xe9", b"&".join(b"f%d=" % n for n in range(65))):
        with pytest.raises(HttpError, match="cannot be read"):
            parse_form(body)
