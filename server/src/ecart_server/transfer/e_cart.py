"""Converts a cart as E-Cart 1.0.2 stored it. Nothing here does I/O.

E-Cart stored a hash under `E-CART:USER_ID:<user id>`, with a JSON object by product id:
`{"unit_cost": 1.5, "quantity": 2, ...}`. The other names of the object become the line's details,
which is where `ecart.ecart` reads extra data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import msgspec

from ecart.errors import EcartError
from ecart.model import LineItem, check_cart_id, check_sku, line_id_for
from ecart.money import parse_amount
from ecart.operations import PutLines, Rules
from ecart.operations.arguments import check_quantity, checked_details
from ecart_server.doctor.examination import OLD_CARTS

_KEY_PREFIX = OLD_CARTS.rstrip("*")
_WIDEST = Rules(
    max_quantity=1_000_000,
    max_lines=10_000,
    max_details_bytes=1 << 16,
    max_line_bytes=1 << 30,
    max_cart_bytes=1 << 30,
)


class BrokenProductError(EcartError):
    """The value under a product id is no product of E-Cart's."""

    code = "broken_product"

    def __init__(self, text: str, code: str = code) -> None:
        super().__init__(text, code)
        self.code = code  # type: ignore[misc]  # that of what is wrong with it


class OldCart(msgspec.Struct, frozen=True):
    """An old cart, converted. `ttl_ms`: the time to live that it has left; 0: it never expires."""

    key: str
    cart_id: str
    fields: Mapping[bytes, bytes]
    lines: tuple[LineItem, ...]
    ttl_ms: int

    def put_lines(self, currency: str) -> PutLines:
        """The operation that creates the cart where there is none.

        Its operation id is a digest of the old cart, so that a repeat is recognised.
        """
        return PutLines(
            lines=self.lines,
            currency=currency,
            rules=msgspec.structs.replace(_WIDEST, ttl_ms=self.ttl_ms, currency=currency),
            operation_id=f"migrate-1.0:{_digest(self.key, self.fields)}",
            expected=(0,),
        )


def read_old_cart(key: str, fields: Mapping[bytes, bytes], pttl: int, cart_id: str) -> OldCart:
    """Converts the hash under an old key. `cart_id`: the new id, with `{}` for the user's id.

    Raises:
        EcartError: a product cannot be a line, and the message names it; or no cart can have the
            id. A cart is converted whole or not at all.
    """
    user_id = key.removeprefix(_KEY_PREFIX)
    lines = tuple(_line(field, fields[field]) for field in sorted(fields))
    new_id = check_cart_id(cart_id.replace("{}", user_id))
    return OldCart(key, new_id, fields, lines, max(pttl, 0))


def _line(field: bytes, text: bytes) -> LineItem:
    product_id = field.decode(errors="replace")
    try:
        return _product(field.decode(), text)
    except EcartError as error:
        raise BrokenProductError(f"product {product_id!r}: {error}", error.code) from error
    except (ValueError, RecursionError) as error:
        raise BrokenProductError(f"product {product_id!r}: no JSON of E-Cart's") from error


def _product(product_id: str, text: bytes) -> LineItem:
    product = json.loads(text)
    if not isinstance(product, dict) or not {"unit_cost", "quantity"} <= product.keys():
        raise BrokenProductError("no unit_cost and quantity")
    unit_price = parse_amount(product.pop("unit_cost"))
    quantity = check_quantity(product.pop("quantity"), at_least=1, limit=_WIDEST.max_quantity)
    details = checked_details(product, _WIDEST.max_details_bytes) if product else None
    line_id = line_id_for(check_sku(product_id))
    return LineItem(line_id, quantity, unit_price, details=details)


def _digest(key: str, fields: Mapping[bytes, bytes]) -> str:
    parts = [key.encode(), *(part for pair in sorted(fields.items()) for part in pair)]
    text = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return hashlib.sha256(text).hexdigest()[:32]
