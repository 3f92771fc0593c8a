"""`path("", include("ecart.integrations.django.urls"))`: all of `/cart`, and of `/carts` with keys.

Every path and every method there is answered by the HTTP API, errors included.
"""

from __future__ import annotations

import asyncio

from django.urls import ResolverMatch, URLPattern, register_converter
from django.urls.converters import StringConverter
from django.urls.resolvers import RoutePattern

from ecart.integrations.django.state import host
from ecart.integrations.django.views import api_view, async_api_view


class _Path(StringConverter):
    """A path of the API with any rest: also an empty one, or one with slashes and line ends."""

    regex = r"cart(?:/[\s\S]*)?|carts/[\s\S]*"

    def to_python(self, value: str) -> str:
        """The path. Without keys those of the back office are the site's own."""
        if value.startswith("carts/") and not host().settings.office_keys:
            raise ValueError("there is no back office")
        return value


class _Pattern(URLPattern):
    """Dispatches to the async view under ASGI and to the sync one under WSGI.

    Under ASGI, Django resolves a path inside a running event loop. An async view would cost a WSGI
    server a thread and a loop per request; a sync one would cost an ASGI server a thread, and Redis
    connections of its own.
    """

    def resolve(self, path: str) -> ResolverMatch | None:
        """As `URLPattern.resolve`, with the view for the kind of server."""
        match = super().resolve(path)
        if match and _is_in_event_loop():
            match.func = async_api_view
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
    _Pattern(RoutePattern("<ecart_path:path>", name="api", is_endpoint=True), api_view, name="api")
]
