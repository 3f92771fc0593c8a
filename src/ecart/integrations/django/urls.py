"""`path("", include("ecart.integrations.django.urls"))`: all of `/cart`, and of `/carts` with keys.

Every path and every method there is answered by the contract, in its own words.
"""

from __future__ import annotations

import asyncio

from django.urls import ResolverMatch, URLPattern, register_converter
from django.urls.converters import StringConverter
from django.urls.resolvers import RoutePattern

from ecart.integrations.django.state import host
from ecart.integrations.django.views import acart_view, cart_view


class _Path(StringConverter):
    """What is the contract's, with all that follows: also nothing, slashes and line ends."""

    regex = r"cart(?:/[\s\S]*)?|carts/[\s\S]*"

    def to_python(self, value: str) -> str:
        """The path. Without keys the one of the back office is somebody else's."""
        if value.startswith("carts/") and not host().settings.office_keys:
            raise ValueError("there is no back office")
        return value


class _Pattern(URLPattern):
    """Has the view that suits the server: a route is looked up in the event loop, or there is none.

    An async view would cost a WSGI server a thread and a loop for each request; a sync one would
    cost an ASGI server a thread, and Redis connections of its own.
    """

    def resolve(self, path: str) -> ResolverMatch | None:
        """As Django's."""
        match = super().resolve(path)
        if match and _is_in_event_loop():
            match.func = acart_view
        return match


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


register_converter(_Path, "ecart_path")

app_name = "ecart"
urlpatterns = [
    _Pattern(RoutePattern("<ecart_path:path>", name="api", is_endpoint=True), cart_view, name="api")
]
