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
from ecart.http import SignIn, session_of, user_cart_id
from ecart.http.login import is_of_user
from ecart.integrations.django.state import async_host, host

SESSION_KEY = "ecart_cart_id"


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
    return host().cart(_start_session(request))


async def acart_from(request: HttpRequest) -> AsyncCart:
    """`cart_from` for asyncio."""
    return async_host().cart(await sync_to_async(_start_session)(request))


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
    """Has the session forget its cart. Django's own log-out does this already."""
    request.session.pop(SESSION_KEY, None)
    attach(request)


asign_in = sync_to_async(sign_in)
asign_out = sync_to_async(sign_out)


def merge_at_log_in(request: Any, user: Any, **_: Any) -> None:
    """`sign_in`, at `user_logged_in`."""
    _merge(request, str(user.pk))


def current_cart_id(request: HttpRequest) -> str | None:
    """The id of the cart of a request: the user's, where Django knows one, else the session's.

    Raises:
        StoreError: as `cart_from`.
    """
    if USER_KEY not in request.session:
        return _session_cart_id(request)
    # Reading the user ends a session that Django no longer trusts: so it comes first.
    user: Any = getattr(request, "user", None)
    is_authenticated = bool(user and user.is_authenticated)
    cart_id = _session_cart_id(request)
    if is_authenticated and cart_id != user_cart_id(str(user.pk)):
        return _merge(request, str(user.pk)).cart_id
    if user is not None and not is_authenticated and cart_id and is_of_user(cart_id):
        return None
    return cart_id


def _start_session(request: HttpRequest) -> str:
    session = session_of(current_cart_id(request))
    if session.is_new:
        request.session[SESSION_KEY] = session.cart_id
    return session.cart_id


def _merge(request: HttpRequest, user_id: str | int) -> SignIn:
    signed_in = host().sign_in(_session_cart_id(request), user_id)
    request.session[SESSION_KEY] = signed_in.cart_id
    attach(request)
    cast(CartRequest, request).cart_sign_in = signed_in
    return signed_in


def _session_cart_id(request: HttpRequest) -> str | None:
    cart_id = request.session.get(SESSION_KEY)
    return cart_id if isinstance(cart_id, str) else None
