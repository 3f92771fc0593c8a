"""The cart of a request: the visitor's, and from a log-in on the user's, by Flask's session."""

from __future__ import annotations

import flask
from werkzeug.local import LocalProxy

from ecart.cart import Cart
from ecart.http import SignIn, session_of
from ecart.integrations.flask.state import host_of
from ecart.integrations.mapped_session import (
    clear_session,
    read_session,
    write_session,
)


def cart_from(request: flask.Request) -> Cart:
    """The cart of the session of this request; a session without one gets one."""
    session = read_session(flask.session) or session_of(None)
    if session.is_new:
        write_session(flask.session, session)
    return host_of(flask.current_app).cart(session, lambda: clear_session(flask.session))


current_cart: Cart = LocalProxy(lambda: cart_from(flask.request))  # type: ignore[assignment]
"""The cart of the session of the current request: `cart_from(request)`, made when it is used."""


def sign_in(request: flask.Request, user_id: str | int) -> SignIn:
    """Merges the visitor's cart into the user's, once; the session then holds the user's.

    Call it when your own code has let the user in; `ECART_MERGE_POLICY` applies. A further call
    is one read. A session on the server that can get another key (Flask-Session) gets one.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is as it was, and the call can be repeated.
    """
    session = read_session(flask.session)
    done = host_of(flask.current_app).sign_in(session, user_id)
    if done.session != session:  # else each response would carry a cookie
        write_session(flask.session, done.session)
        _regenerate_session()
    return done


def sign_out(request: flask.Request) -> None:
    """Ends the session, of which no copy opens the cart any more; the cart stays for the user.

    Raises:
        StoreError: the engine failed; the session goes on, and the call can be repeated.
    """
    session = read_session(flask.session)
    if session is not None:
        host_of(flask.current_app).sign_out(session)
    clear_session(flask.session)


def _regenerate_session() -> None:
    """Gives the session another key, so that a cookie from before the log-in does not open it."""
    regenerate = getattr(flask.current_app.session_interface, "regenerate", None)
    if regenerate is not None:
        regenerate(flask.session)
