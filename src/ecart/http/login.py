"""Log-in: the visitor's cart is merged into the user's, which the session holds from then on.

The id of a user's cart is made of the user's id, so that the cart is found from every device. No
visitor's cart has such an id.
"""

from __future__ import annotations

import msgspec

from ecart.errors import RefusedError, SessionEndedError
from ecart.flows import Flow, merge, perform
from ecart.http.sessions import Session
from ecart.http.settings import HttpSettings
from ecart.model import MergeReport, check_cart_id
from ecart.operations import EndSession, GetSummary, new_token, short_digest, ttl_milliseconds
from ecart.operations.arguments import YEAR

_OF_USER = "user."


class SignIn(msgspec.Struct, frozen=True):
    """The result of a log-in: `cart_id` is the user's cart, which the session is to hold.

    `session_id` names the session that begins with it, until the log-out.
    `report` counts what came from the visitor's cart. If that could not be merged, `refused` is
    the error code (`currency_mismatch`, `cart_locked`), and it is left as it was, under
    `visitor_id`.
    """

    cart_id: str
    report: MergeReport = MergeReport()
    visitor_id: str | None = None
    refused: str | None = None
    session_id: str = ""

    @property
    def session(self) -> Session:
        """The session that the client is to keep."""
        return Session(self.cart_id, id=self.session_id)


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


def id_of_former_session(cart_id: str) -> str:
    """The id of a user's sessions from before sessions had ids; empty for a visitor's."""
    return f"before-{short_digest(cart_id)}" if is_of_user(cart_id) else ""


def sign_in(session: Session | None, user_id: str | int, settings: HttpSettings) -> Flow[SignIn]:
    """Merges the cart that the session holds into the user's, once, however often it is called.

    Where the session holds a user's cart already, this one's or another's, nothing is merged.
    This user's session goes on, unless a log-out has ended it.

    Raises:
        InvalidCartIdError: `user_id` is not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is to stay as it is, and to try again.
    """
    cart_id, rules, begun = user_cart_id(user_id), settings.rules, new_token()
    if session is None or session.is_new or is_of_user(session.cart_id):
        if session is not None and session.id and session.cart_id == cart_id:
            try:
                yield from perform(cart_id, GetSummary(rules=rules, session_id=session.id))
            except SessionEndedError:
                return SignIn(cart_id, session_id=begun)
            begun = session.id
        return SignIn(cart_id, session_id=begun)
    visitor_id = session.cart_id
    try:
        report = yield from merge(visitor_id, cart_id, settings.merge_policy, rules)
    except RefusedError as error:
        return SignIn(cart_id, visitor_id=visitor_id, refused=error.code, session_id=begun)
    return SignIn(cart_id, report, visitor_id=visitor_id, session_id=begun)


def sign_out(session: Session, settings: HttpSettings) -> Flow[None]:
    """Ends a user's session for every process, so that no copy of its token opens the cart.

    The cart stays, for the user's next log-in. A visitor's session has nothing to end.

    Raises:
        StoreError: the engine failed; the session goes on, and the log-out is to be repeated.
    """
    if session.id:
        seconds = settings.user_session_seconds
        if session.id == id_of_former_session(session.cart_id):
            seconds = YEAR  # such tokens do not tell their age
        end = EndSession(
            ended_id=session.id, life_ms=ttl_milliseconds(seconds), rules=settings.rules
        )
        yield from perform(session.cart_id, end)
