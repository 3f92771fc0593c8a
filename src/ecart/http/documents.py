"""The documentation routes: the OpenAPI document, and the same as a page for people."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import msgspec

from ecart.flows import Flow
from ecart.http.conditional import is_unchanged
from ecart.http.messages import Request, Response
from ecart.http.openapi import DEFAULT_RULES, openapi_document
from ecart.http.routes import Route
from ecart.http.settings import HttpSettings
from ecart.operations import Rules


def document_routes(routes: Sequence[Route], rules: Rules = DEFAULT_RULES) -> tuple[Route, ...]:
    """The routes that show the description of `routes`."""
    document = openapi_document(routes, rules)
    page, policy = _page(document, routes)
    return (
        _fixed("/openapi.json", "application/json", msgspec.json.encode(document)),
        _fixed("/docs", "text/html", page.encode(), {"Content-Security-Policy": policy}),
    )


def _fixed(path: str, media: str, body: bytes, headers: Mapping[str, str] = {}) -> Route:
    etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    cached = {"ETag": etag, "Cache-Control": "public, max-age=300", "Vary": "Accept"}
    headers = {"Content-Type": f"{media}; charset=utf-8", **headers, **cached}
    answer = Response(status=200, headers=headers, body=body)

    def show(request: Request, settings: HttpSettings) -> Flow[Response]:
        """Returns the response, which was made once; any cache may keep it for five minutes."""
        return Response(status=304, headers=cached) if is_unchanged(request, etag) else answer
        yield

    return Route("GET", path, show, "", media=media, access="all")


_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882}
body{font:16px/1.55 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:.2rem}section{border-top:1px solid var(--line);margin-top:1.6rem}
code,pre{font-family:ui-monospace,monospace;font-size:.92em}
code{background:var(--soft);border-radius:.25rem;padding:.05rem .3rem}
pre{background:var(--soft);border-radius:.4rem;padding:.7rem;overflow-x:auto}
.method{display:inline-block;min-width:4.6em;font-weight:700}
table{border-collapse:collapse;width:100%;margin-top:.9rem}th:first-child,td:first-child{width:11rem}
th,td{border-bottom:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top}
"""


def _page(document: dict[str, Any], routes: Sequence[Route]) -> tuple[str, str]:
    """The page, and the content security policy under which its own style alone applies."""
    paths = document["paths"]
    sections = "".join(_section(route, paths[route.path][route.method.lower()]) for route in routes)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>ecart: HTTP API</title><style>{_STYLE}</style></head><body>"
        f"<h1>ecart</h1><p>{escape(document['info']['description'])} "
        'The same for machines: <a href="openapi.json">openapi.json</a>.</p>'
        f"<pre>{escape(_FIRST_STEPS)}</pre>{sections}</body></html>"
    )
    digest = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


_FIRST_STEPS = """curl -c jar -b jar localhost:8000/cart/items --json '{"sku": "apple"}'
curl -c jar -b jar localhost:8000/cart"""


def _section(route: Route, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{_prose(one['description'])}</td></tr>"
        for one in operation["parameters"]
    )
    answers = "".join(
        f"<tr><td>{status}</td><td>{_prose(answer['description'])}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    fields = route.body.__struct_fields__ if route.body else ()
    names = ", ".join(f"<code>{name}</code>" for name in fields)
    heading = f'<span class="method">{route.method}</span><code>{escape(route.path)}</code>'
    return (
        f"<section><h2>{heading}</h2>"
        f"<p>{_prose(operation['summary'])}</p>"
        + ("<p>With <code>Authorization: Bearer</code> and a key.</p>" * ("security" in operation))
        + (f"<p>Body: JSON with {names}.</p>" if names else "")
        + (f"<table><tr><th>Parameter<th>Meaning</tr>{parameters}</table>" if parameters else "")
        + f"<table><tr><th>Status<th>Meaning, or codes</tr>{answers}</table></section>"
    )


def _prose(text: str) -> str:
    """Text with its `code` marked up."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
