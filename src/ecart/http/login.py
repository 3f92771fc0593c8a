"""A visitor becomes a user: the visitor's cart goes into the user's, and the session to it.

A session that keeps a user's cart holds its id, which is made of the user's, so that the cart is
found again from every device. No visitor's id looks like one.
"""

from __future__ import annotations

import msgspec

from ecart.errors import RefusedError
from ecart.flows import Flow, merge
from ecart.model import MergePolicy, MergeReport, check_cart_id
from ecart.operations import Rules

_OF_USER = "user."


class SignIn(msgspec.Struct, frozen=True):
    """What a log-in came to: the user's cart, which the session is to keep from now on.

    `report` tells what the visitor's cart brought. If it could not be merged, `refused` is the
    code why (`currency_mismatch`, `cart_locked`); it is then left as it was, under `visitor_id`.
    """

    cart_id: str
    report: MergeReport = MergeReport()
    visitor_id: str | None = None
    refused: str | None = None


def user_cart_id(user_id: str | int) -> str:
    """The id of a user's cart: the same on every device.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
    """
    return check_cart_id(_OF_USER + check_cart_id(user_id))


def is_of_user(cart_id: str) -> bool:
    """Whether a cart is a user's: then nobody else's log-in may empty it into another."""
    return cart_id.startswith(_OF_USER) and cart_id != _OF_USER


def user_of(cart_id: str) -> str:
    """Whose cart it is: the inverse of `user_cart_id`."""
    return cart_id.removeprefix(_OF_USER)


def sign_in(
    kept_id: str | None, user_id: str | int, policy: MergePolicy, rules: Rules
) -> Flow[SignIn]:
    """Merges the cart that the session keeps into the user's, once, however often it is called.

    A session that keeps a user's cart already, this one's or another's, brings nothing along.

    Raises:
        StoreError: the engine failed; the session is to stay as it is, and to try again.
    """
    cart_id = user_cart_id(user_id)
    if kept_id is None or is_of_user(kept_id):
        return SignIn(cart_id)
    try:
        report = yield from merge(kept_id, cart_id, policy, rules)
    except RefusedError as error:
        return SignIn(cart_id, visitor_id=kept_id, refused=error.code)
    return SignIn(cart_id, report, visitor_id=kept_id)
