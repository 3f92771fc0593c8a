"""The cart of a request: the visitor's, and after a log-in the user's, by Django's session.

All of this is sync, since Django's sessions and users are; asyncio calls it in Django's thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from ecart.cart import AsyncCart, Cart
from ecart.http import Session, SignIn, session_of, user_cart_id
from ecart.http.login import is_of_user
from ecart.integrations.django.state import async_host, host
from ecart.integrations.mapped_session import (
    clear_session,
    read_session,
    write_session,
)


class CartRequest(HttpRequest):
    """A request with what `CartMiddleware` adds to it, for type checkers.

    `cart_sign_in` is the result of a log-in during this request.
    """

    cart: Cart
    acart: Callable[[], Awaitable[AsyncCart]]
    cart_sign_in: SignIn | None


def attach(request: HttpRequest) -> None:
    """Gives the request its lazy cart, or another one if the session has changed."""
    with_cart = cast(CartRequest, request)
    with_cart.cart = cast(Cart, SimpleLazyObject(lambda: cart_from(request)))
    with_cart.acart = lambda: acart_from(request)


def cart_from(request: HttpRequest) -> Cart:
    """The cart of the session of this request; a session without one gets one.

    Raises:
        StoreError: the merge of a log-in during an outage is due, and failed again.
    """
    return host().cart(_start_session(request), lambda: forget_session(request))


async def acart_from(request: HttpRequest) -> AsyncCart:
    """`cart_from` for asyncio."""
    session = await sync_to_async(_start_session)(request)
    return async_host().cart(session, lambda: forget_session(request))


def sign_in(request: HttpRequest, user_id: str | int) -> SignIn:
    """Merges the visitor's cart into the user's, once; the session then holds the user's.

    Django's own log-in does this already; it is for users whom Django does not know.

    Raises:
        InvalidCartIdError: not an int, or text of 1 to 251 characters.
        StoreError: the engine failed; the session is as it was.
    """
    signed_in = _merge(request, user_id)
    request.session.cycle_key()
    return signed_in


def sign_out(request: HttpRequest) -> None:
    """Ends the session of the cart. Django's own log-out does this already.

    Raises:
        StoreError: the engine failed; the session goes on, and the call can be repeated.
    """
    session = read_session(request.session)
    if session is not None:
        host().sign_out(session)
    forget_session(request)


asign_in = sync_to_async(sign_in)
asign_out = sync_to_async(sign_out)


def merge_at_log_in(request: Any, user: Any, **_: Any) -> None:
    """`sign_in`, at `user_logged_in`."""
    _merge(request, str(user.pk))


def forget_session(request: HttpRequest) -> None:
    """Has Django's session forget the cart."""
    clear_session(request.session)
    attach(request)


def session_of_request(request: HttpRequest) -> Session | None:
    """The session of the cart of a request: the user's, where Django knows one.

    Raises:
        StoreError: as `cart_from`.
    """
    if USER_KEY not in request.session:
        return read_session(request.session)
    # Reading the user ends a session that Django no longer trusts: so it comes first.
    user: Any = getattr(request, "user", None)
    is_authenticated = bool(user and user.is_authenticated)
    session = read_session(request.session)
    cart_id = session.cart_id if session else ""
    if is_authenticated and cart_id != user_cart_id(str(user.pk)):
        return _merge(request, str(user.pk)).session
    if user is not None and not is_authenticated and is_of_user(cart_id):
        return None
    return session


def _start_session(request: HttpRequest) -> Session:
    session = session_of_request(request) or session_of(None)
    if session.is_new:
        write_session(request.session, session)
    return session


def _merge(request: HttpRequest, user_id: str | int) -> SignIn:
    signed_in = host().sign_in(read_session(request.session), user_id)
    write_session(request.session, signed_in.session)
    attach(request)
    cast(CartRequest, request).cart_sign_in = signed_in
    return signed_in
