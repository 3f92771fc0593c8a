"""The cart for any WSGI framework: `app = ECart(app, store, secret=...)`, `cart_from(environ)`.

Plain WSGI (PEP 3333).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ecart.cart import Cart
from ecart.http import HttpSettings, SignIn
from ecart.integrations.cookies import CONTEXT_KEY, CookieSession
from ecart.integrations.wsgi_endpoint import CartEndpoint, Environ, WsgiApp, path_of
from ecart.store import Store
from ecart.stores.redis import Client

__all__ = ["CartEndpoint", "ECart", "cart_from", "sign_in", "sign_out"]


class ECart:
    """A WSGI app with a cart: it answers below `/cart`, and passes all else to `app`.

    The other arguments are those of `CartEndpoint`.
    """

    def __init__(
        self,
        app: WsgiApp,
        store: Store | Client | str,
        *,
        secret: str | Sequence[str],
        catalog: Any = None,
        settings: HttpSettings | None = None,
    ) -> None:
        self.app = app
        self.endpoint = CartEndpoint(store, secret=secret, catalog=catalog, settings=settings)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answers the requests for a cart; the app's own responses get the cookie."""
        if self.endpoint.host.handles(path_of(environ)):
            return self.endpoint(environ, start_response)
        session = self.endpoint.cookie_session(environ)
        environ[CONTEXT_KEY] = (self.endpoint, session)

        def start_with_session(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            vary = ",".join(value for name, value in headers if name.lower() == "vary")
            if session.ended is not None:
                self.endpoint.host.sign_out(session.ended)
            return start_response(status, [*headers, *session.headers(vary)], *more)

        return self.app(environ, start_with_session)


def cart_from(environ: Environ) -> Cart:
    """The cart of the session of this request; a session without one gets one, and the cookie."""
    endpoint, session = _context(environ)
    return endpoint.host.cart(session.start(), session.forget)


def sign_in(environ: Environ, user_id: str | int) -> SignIn:
    """Merges the visitor's cart into the user's, once; the session then holds the user's.

    Call it when your own code has let the user in.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is as it was.
    """
    endpoint, session = _context(environ)
    done = endpoint.host.sign_in(session.session, user_id)
    if done.session != session.session:  # else each response would carry a cookie
        session.keep(done.session)
    return done


def sign_out(environ: Environ) -> None:
    """Ends the session, of which no copy opens the cart any more; the cart stays for the user.

    It takes effect before the response is sent. If the store cannot be reached then, the response
    fails, and the log-out is to be repeated.
    """
    _context(environ)[1].end()


def _context(environ: Environ) -> tuple[CartEndpoint, CookieSession]:
    if CONTEXT_KEY not in environ:
        raise RuntimeError("this request has not come through ECart")
    found: tuple[CartEndpoint, CookieSession] = environ[CONTEXT_KEY]
    return found
