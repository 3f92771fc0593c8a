"""Whose cart a request speaks of: the visitor's by the session, the user's from a log-in on."""

from __future__ import annotations

import flask
from werkzeug.local import LocalProxy

from ecart.cart import Cart
from ecart.http import SignIn, session_of
from ecart.integrations.flask.state import host_of

SESSION_KEY = "ecart_cart_id"


def kept_cart_id() -> str | None:
    """The cart id in Flask's session, if it holds one."""
    kept = flask.session.get(SESSION_KEY)
    return kept if isinstance(kept, str) else None


def cart_from(request: flask.Request) -> Cart:
    """The cart of the session of this request; a session without one gets one."""
    host = host_of(flask.current_app)
    session = session_of(kept_cart_id())
    if session.is_new:
        flask.session[SESSION_KEY] = session.cart_id
    return host.cart(session.cart_id)


current_cart: Cart = LocalProxy(lambda: cart_from(flask.request))  # type: ignore[assignment]
"""The cart of the session of the request at hand: `cart_from(request)`, made when it is used."""


def sign_in(request: flask.Request, user_id: str | int) -> SignIn:
    """Merges the visitor's cart into the user's, by `ECART_MERGE_POLICY`; the session keeps that.

    To be called once your own code has let the user in. A further call costs nothing. Where the
    session lives on the server and can be given another key (Flask-Session), it gets one.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is as it was, and the call can be repeated.
    """
    kept = kept_cart_id()
    done = host_of(flask.current_app).sign_in(kept, user_id)
    if done.cart_id != kept:  # else each answer would carry a cookie
        flask.session[SESSION_KEY] = done.cart_id
        _give_another_key()
    return done


def sign_out(request: flask.Request) -> None:
    """Has the session forget the cart; the next request that needs one gets a new one."""
    flask.session.pop(SESSION_KEY, None)


def _give_another_key() -> None:
    """So that a cookie from before the log-in does not lead to the session from after it."""
    regenerate = getattr(flask.current_app.session_interface, "regenerate", None)
    if regenerate is not None:
        regenerate(flask.session)
