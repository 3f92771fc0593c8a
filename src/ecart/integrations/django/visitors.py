"""Whose cart it is: the session's own, and after a log-in the user's.

All of this is sync, since sessions and users are Django's; asyncio has it done in Django's thread.
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
    """What `CartMiddleware` makes of a request, for type checkers.

    `cart_sign_in` is what a log-in during this request came to.
    """

    cart: Cart
    acart: Callable[[], Awaitable[AsyncCart]]
    cart_sign_in: SignIn | None


def attach(request: HttpRequest) -> None:
    """Gives the request its lazy cart, anew if it had one."""
    with_cart = cast(CartRequest, request)
    with_cart.cart = cast(Cart, SimpleLazyObject(lambda: cart_from(request)))
    with_cart.acart = lambda: acart_from(request)


def cart_from(request: HttpRequest) -> Cart:
    """The cart of the session of this request; a session without one gets one.

    Raises:
        StoreError: a log-in that the engine missed is to be made good now, and it fails again.
    """
    return host().cart(_cart_id(request))


async def acart_from(request: HttpRequest) -> AsyncCart:
    """`cart_from` for asyncio."""
    return async_host().cart(await sync_to_async(_cart_id)(request))


def sign_in(request: HttpRequest, user_id: str | int) -> SignIn:
    """Has the session go on with the user's cart, and merges the visitor's cart into that, once.

    Django's own log-in does this already; it is for users whom Django does not know.

    Raises:
        StoreError: the engine failed. The session is as it was.
    """
    signed_in = _merged(request, user_id)
    request.session.cycle_key()
    return signed_in


def sign_out(request: HttpRequest) -> None:
    """Has the session forget its cart. Django's own log-out does this already."""
    request.session.pop(SESSION_KEY, None)
    attach(request)


asign_in = sync_to_async(sign_in)
asign_out = sync_to_async(sign_out)


def follow_log_in(request: Any, user: Any, **_: Any) -> None:
    """`sign_in`, at `user_logged_in`."""
    _merged(request, str(user.pk))


def kept_cart_id(request: HttpRequest) -> str | None:
    """The id of the cart that the session keeps: the user's, where Django knows one.

    Raises:
        StoreError: as `cart_from`.
    """
    if USER_KEY not in request.session:
        return _kept(request)
    # Asking for the user ends a session that is not to be trusted any more: so it comes first.
    user: Any = getattr(request, "user", None)
    is_authenticated = bool(user and user.is_authenticated)
    kept = _kept(request)
    if is_authenticated and kept != user_cart_id(str(user.pk)):
        return _merged(request, str(user.pk)).cart_id
    if user is not None and not is_authenticated and kept and is_of_user(kept):
        return None
    return kept


def _cart_id(request: HttpRequest) -> str:
    session = session_of(kept_cart_id(request))
    if session.is_new:
        request.session[SESSION_KEY] = session.cart_id
    return session.cart_id


def _merged(request: HttpRequest, user_id: str | int) -> SignIn:
    signed_in = host().sign_in(_kept(request), user_id)
    request.session[SESSION_KEY] = signed_in.cart_id
    attach(request)
    cast(CartRequest, request).cart_sign_in = signed_in
    return signed_in


def _kept(request: HttpRequest) -> str | None:
    kept = request.session.get(SESSION_KEY)
    return kept if isinstance(kept, str) else None
