"""From templates to answers. Each page is private and unframed, and loads no script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from ecart_server.pages.assets import IMMUTABLE, load_assets
from ecart_server.pages.templates import make_environment

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_EVERY_ANSWER = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}

_STYLE = load_assets("ecart_server.admin")["admin.css"]
STYLE_PATH = f"/admin/static/admin.{_STYLE.digest[:12]}.css"


class Pages:
    """The templates, with what all of them are given."""

    def __init__(self, *, can_write: bool) -> None:
        self._templates = make_environment("ecart_server.admin")
        self._templates.globals.update(style=STYLE_PATH, can_write=can_write, page_of=page_of)

    def message(
        self,
        status: int,
        heading: str,
        text: str,
        headers: Mapping[str, str] = {},
        *,
        token: str = "",
    ) -> Response:
        """A page of one message."""
        answer = self.show("message", status, heading=heading, text=text, token=token)
        answer.headers.update(headers)
        return answer

    def show(self, name: str, status: int = 200, **values: Any) -> Response:
        """The page that a template makes of these values."""
        text = self._templates.get_template(f"{name}.html").render(**values)
        media = "text/html; charset=utf-8"
        return Response(text, status, {**_EVERY_ANSWER, "Content-Type": media})


def page_of(cart_id: str, path: str = "/admin/cart") -> str:
    """The address of a cart's page; its id stands in the query, for it may be `..` or a slash."""
    return f"{path}?{urlencode({'id': cart_id})}"


def style() -> Response:
    """The style of all pages."""
    headers = {**_EVERY_ANSWER, "Cache-Control": IMMUTABLE, "Content-Type": _STYLE.media_type}
    return Response(_STYLE.body, headers=headers)


def elsewhere(path: str) -> Response:
    """Leads the browser on, by GET."""
    return Response(status_code=303, headers={**_EVERY_ANSWER, "Location": path})
