"""`request.cart` and `await request.acart()`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ecart.integrations.django.visitors import CartRequest, attach


class CartMiddleware:
    """Gives every request its lazy cart.

    It is sync or async like the next middleware, so that no server has to change threads.
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
    ) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Passes the request on. The response is an awaitable if the next one's is."""
        if not hasattr(request, "session"):
            raise ImproperlyConfigured("CartMiddleware comes after SessionMiddleware in MIDDLEWARE")
        cast(CartRequest, request).cart_sign_in = None
        attach(request)
        return self.get_response(request)
