"""The HTTP API as a view, for WSGI and for ASGI."""

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
from ecart.http import Request, Response, Session, declares_oversized_body, session_of
from ecart.http.problems import HttpError
from ecart.integrations.django.state import async_host, host
from ecart.integrations.django.visitors import session_of_request
from ecart.integrations.mapped_session import write_session

_UNKNOWN_SESSION = Session("")
"""For a request whose session is not read: the browser keeps the one that it has."""


def _without_guards(view: Any) -> Any:
    """A view without Django's CSRF token, since the API checks the origin, and transactions."""
    for alias in connections:
        # It reads at most products from the database, and asyncio has no transactions there.
        view = non_atomic_requests(using=alias)(view)
    return csrf_exempt(view)


@_without_guards
def api_view(request: HttpRequest, path: str, **of_prefix: Any) -> HttpResponse:
    """Answers a request below `/cart` or `/carts` on a WSGI server."""
    api_request, refusal = _to_request(request, path)
    response = refusal or host().answer(api_request)
    return _with_session(request, response) if response.keep_session else _to_django(response)


@_without_guards
async def async_api_view(request: HttpRequest, path: str, **of_prefix: Any) -> HttpResponse:
    """`api_view` on an ASGI server."""
    api_request, refusal = await sync_to_async(_to_request)(request, path)
    response = refusal or await async_host().answer(api_request)
    if response.keep_session:
        return await sync_to_async(_with_session)(request, response)
    return _to_django(response)


def _to_request(request: HttpRequest, path: str) -> tuple[Request, Response | None]:
    """The request, and a refusal if it could not be read to its end."""
    headers = _headers(request)
    api_request = Request(
        method=request.method or "", path=f"/{path}", headers=headers, session=_UNKNOWN_SESSION
    )
    try:
        body = _body(request, headers, host().settings.body_limit)
        # Django's session is not read for the back office, nor for a client with a token.
        is_by_session = api_request.is_of_shopper and "cart-token" not in headers
        session = (session_of_request(request) if is_by_session else None) or session_of(None)
        api_request = replace(
            api_request, body=body, session=session, is_secure=request.is_secure()
        )
    except EcartError as error:
        return api_request, host().api.refuse(api_request, error)
    return api_request, None


def _headers(request: HttpRequest) -> dict[str, str]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    # Behind a proxy, the site's own host: USE_X_FORWARDED_HOST.
    headers["host"] = request.get_host()
    server = request.META.get("SERVER_SOFTWARE", "")
    is_added = headers.get("content-type") == "text/plain" and server.startswith("WSGIServer")
    if is_added and headers.get("content-length", "") in ("", "0"):
        del headers["content-type"]  # runserver adds it where the client sent none
    return headers


def _body(request: HttpRequest, headers: dict[str, str], limit: int) -> bytes:
    if declares_oversized_body(headers, limit):
        return b""
    # Django takes a body without Content-Length for an empty one.
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


def _with_session(request: HttpRequest, response: Response) -> HttpResponse:
    """The response to a client whose session begins."""
    made = _to_django(response)
    if response.keep_session:
        write_session(request.session, response.keep_session)
    if response.status >= 500:
        # Django saves no session with a 5xx, but the first change of this cart may have been made.
        saved = SessionMiddleware(lambda _: HttpResponse()).process_response(
            request, HttpResponse()
        )
        made.cookies.update(saved.cookies)
    return made


class _FinalResponse(HttpResponse):
    """A response that middleware neither compresses nor gives a length.

    Compressed, its ETag would be weak, and no match for `If-Match`; a 204 or 304 has no length.
    """

    def has_header(self, header: str) -> bool:
        """Whether there is such a header, which middleware checks before it adds one."""
        return header.lower() in ("content-encoding", "content-length") or super().has_header(
            header
        )


def _to_django(response: Response) -> HttpResponse:
    made = _FinalResponse(response.body, status=response.status, headers=dict(response.headers))
    if "Content-Type" not in response.headers:
        del made["Content-Type"]
    return made
