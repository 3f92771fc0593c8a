"""The cart of a request: the visitor's, and from a log-in on the user's, by Flask's session."""

from __future__ import annotations

import flask
from werkzeug.local import LocalProxy

from ecart.cart import Cart
from ecart.http import SignIn, session_of
from ecart.integrations.flask.state import host_of

SESSION_KEY = "ecart_cart_id"


def session_cart_id() -> str | None:
    """The cart id in Flask's session, if it holds one."""
    found = flask.session.get(SESSION_KEY)
    return found if isinstance(found, str) else None


def cart_from(request: flask.Request) -> Cart:
    """The cart of the session of this request; a session without one gets one."""
    host = host_of(flask.current_app)
    session = session_of(session_cart_id())
    if session.is_new:
        flask.session[SESSION_KEY] = session.cart_id
    return host.cart(session.cart_id)


current_cart: Cart = LocalProxy(lambda: cart_from(flask.request))  # type: ignore[assignment]
"""The cart of the session of the current request: `cart_from(request)`, made when it is used."""


def sign_in(request: flask.Request, user_id: str | int) -> SignIn:
    """Merges the visitor's cart into the user's, once; the session then holds the user's.

    Call it when your own code has let the user in; `ECART_MERGE_POLICY` applies. A further call
    costs nothing. A session on the server that can get another key (Flask-Session) gets one.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is as it was, and the call can be repeated.
    """
    cart_id = session_cart_id()
    done = host_of(flask.current_app).sign_in(cart_id, user_id)
    if done.cart_id != cart_id:  # else each response would carry a cookie
        flask.session[SESSION_KEY] = done.cart_id
        _regenerate_session()
    return done


def sign_out(request: flask.Request) -> None:
    """Has the session forget the cart; the next request that needs one gets a new one."""
    flask.session.pop(SESSION_KEY, None)


def _regenerate_session() -> None:
    """Gives the session another key, so that a cookie from before the log-in does not open it."""
    regenerate = getattr(flask.current_app.session_interface, "regenerate", None)
    if regenerate is not None:
        regenerate(flask.session)
