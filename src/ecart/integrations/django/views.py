"""The HTTP contract as a view, for WSGI and for ASGI."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import connections
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from msgspec.structs import replace

from ecart.errors import EcartError
from ecart.http import Request, Response, Session, is_told_too_long, session_of
from ecart.http.problems import HttpError
from ecart.integrations.django.state import async_host, host
from ecart.integrations.django.visitors import SESSION_KEY, kept_cart_id

_NOT_KNOWN = Session("")
"""That of a request whose session could not be looked at: so it keeps what it has."""


def _as_it_is(view: Any) -> Any:
    """A view without Django's own guards: the contract has an origin check instead of a token."""
    for alias in connections:
        # Of the database it reads at most products, and asyncio has no transactions there.
        view = non_atomic_requests(using=alias)(view)
    return csrf_exempt(view)


@_as_it_is
def cart_view(request: HttpRequest, path: str, **of_prefix: Any) -> HttpResponse:
    """Answers a request below `/cart` or `/carts` on a WSGI server."""
    asked, refused = _asked(request, path)
    response = refused or host().answer(asked)
    return _kept(request, response) if response.keep_session else _as_djangos(response)


@_as_it_is
async def acart_view(request: HttpRequest, path: str, **of_prefix: Any) -> HttpResponse:
    """`cart_view` on an ASGI server."""
    asked, refused = await sync_to_async(_asked)(request, path)
    response = refused or await async_host().answer(asked)
    if response.keep_session:
        return await sync_to_async(_kept)(request, response)
    return _as_djangos(response)


def _asked(request: HttpRequest, path: str) -> tuple[Request, Response | None]:
    """The request as the contract has it, or why it cannot be had."""
    headers = _headers(request)
    asked = Request(
        method=request.method or "", path=f"/{path}", headers=headers, session=_NOT_KNOWN
    )
    try:
        body = _body(request, headers, host().settings.body_limit)
        # Neither the back office nor who has a token is asked for Django's session.
        is_by_session = asked.is_of_shopper and "cart-token" not in headers
        session = session_of(kept_cart_id(request) if is_by_session else None)
        asked = replace(asked, body=body, session=session)
    except EcartError as error:
        return asked, host().api.refuse(asked, error)
    return asked, None


def _headers(request: HttpRequest) -> dict[str, str]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    # As the site knows it behind a proxy: USE_X_FORWARDED_HOST.
    headers["host"] = request.get_host()
    server = request.META.get("SERVER_SOFTWARE", "")
    made_up = headers.get("content-type") == "text/plain" and server.startswith("WSGIServer")
    if made_up and headers.get("content-length", "") in ("", "0"):
        del headers["content-type"]  # which runserver adds where a client sent none
    return headers


def _body(request: HttpRequest, headers: dict[str, str], limit: int) -> bytes:
    if is_told_too_long(headers, limit):
        return b""
    # Django takes a body whose length is not told for none.
    environ = getattr(request, "environ", {})
    ends = environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH")
    stream = environ["wsgi.input"] if ends else request
    body = b""
    try:
        while len(body) <= limit and (piece := stream.read(limit + 1 - len(body))):
            body += piece
    except OSError as error:
        raise HttpError("request_timeout", "the body ended too early") from error
    return body


def _kept(request: HttpRequest, response: Response) -> HttpResponse:
    """The answer to one whose session begins."""
    answer = _as_djangos(response)
    if response.keep_session:
        request.session[SESSION_KEY] = response.keep_session.cart_id
    if response.status >= 500:
        # Django keeps no session then, but the first change of this one may have landed.
        as_if_well = SessionMiddleware(_nothing).process_response(request, HttpResponse())
        answer.cookies.update(as_if_well.cookies)
    return answer


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class _Finished(HttpResponse):
    """An answer that middleware neither compresses nor gives a length.

    Compressed, its ETag would be weak, and no match for `If-Match`; a 204 or 304 has no length.
    """

    def has_header(self, header: str) -> bool:
        """What middleware asks before it adds one."""
        return header.lower() in ("content-encoding", "content-length") or super().has_header(
            header
        )


def _as_djangos(response: Response) -> HttpResponse:
    answer = _Finished(response.body, status=response.status, headers=dict(response.headers))
    if "Content-Type" not in response.headers:
        del answer["Content-Type"]
    return answer
