"""Makes the responses of the operators' pages: private, never framed, without any script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from ecart_server.pages.assets import IMMUTABLE, load_assets
from ecart_server.pages.prefix import at
from ecart_server.pages.templates import make_environment

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}

_STYLESHEET = load_assets("ecart_server.admin")["admin.css"]
STYLESHEET_PATH = f"/admin/static/admin.{_STYLESHEET.digest[:12]}.css"


class PageRenderer:
    """Renders templates. With `can_write`, pages have the buttons that change carts."""

    def __init__(self, *, can_write: bool) -> None:
        self._templates = make_environment("ecart_server.admin")
        self._templates.globals.update(
            stylesheet=STYLESHEET_PATH, can_write=can_write, cart_url=cart_url
        )

    def page(self, name: str, status: int = 200, **values: Any) -> Response:
        """The page that the template of this name makes of these values."""
        text = self._templates.get_template(f"{name}.html").render(**values)
        media_type = "text/html; charset=utf-8"
        return Response(text, status, {**_SECURITY_HEADERS, "Content-Type": media_type})

    def message(
        self,
        status: int,
        heading: str,
        text: str,
        headers: Mapping[str, str] = {},
        *,
        token: str = "",
    ) -> Response:
        """A page with a heading and a sentence; with a CSRF token also the navigation."""
        response = self.page("message", status, heading=heading, text=text, token=token)
        response.headers.update(headers)
        return response


def cart_url(cart_id: str, path: str = "/admin/cart") -> str:
    """The URL of a cart's page. The id is in the query, since it may be `..` or have slashes."""
    return at(f"{path}?{urlencode({'id': cart_id})}")


def stylesheet() -> Response:
    """The style sheet of all pages."""
    headers = {"Cache-Control": IMMUTABLE, "Content-Type": _STYLESHEET.media_type}
    return Response(_STYLESHEET.body, headers={**_SECURITY_HEADERS, **headers})


def redirect(path: str) -> Response:
    """Sends the browser to another page, which it gets with GET (303, RFC 9110 §15.4.4)."""
    return Response(status_code=303, headers={**_SECURITY_HEADERS, "Location": at(path)})
