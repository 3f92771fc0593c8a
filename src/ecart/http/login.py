"""Log-in: the visitor's cart is merged into the user's, which the session holds from then on.

The id of a user's cart is made of the user's id, so that the cart is found from every device. No
visitor's cart has such an id.
"""

from __future__ import annotations

import msgspec

from ecart.errors import RefusedError
from ecart.flows import Flow, merge
from ecart.model import MergePolicy, MergeReport, check_cart_id
from ecart.operations import Rules

_OF_USER = "user."


class SignIn(msgspec.Struct, frozen=True):
    """The result of a log-in: `cart_id` is the user's cart, which the session is to hold.

    `report` counts what came from the visitor's cart. If that could not be merged, `refused` is
    the error code (`currency_mismatch`, `cart_locked`), and it is left as it was, under
    `visitor_id`.
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
    """Whether a cart is a user's; another user's log-in must not merge it into theirs."""
    return cart_id.startswith(_OF_USER) and cart_id != _OF_USER


def user_of(cart_id: str) -> str:
    """The id of the user whose cart it is: the inverse of `user_cart_id`."""
    return cart_id.removeprefix(_OF_USER)


def sign_in(
    session_cart_id: str | None, user_id: str | int, policy: MergePolicy, rules: Rules
) -> Flow[SignIn]:
    """Merges the cart that the session holds into the user's, once, however often it is called.

    Where the session holds a user's cart already, this one's or another's, nothing is merged.

    Raises:
        InvalidCartIdError: `user_id` is not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is to stay as it is, and to try again.
    """
    cart_id = user_cart_id(user_id)
    if session_cart_id is None or is_of_user(session_cart_id):
        return SignIn(cart_id)
    try:
        report = yield from merge(session_cart_id, cart_id, policy, rules)
    except RefusedError as error:
        return SignIn(cart_id, visitor_id=session_cart_id, refused=error.code)
    return SignIn(cart_id, report, visitor_id=session_cart_id)
