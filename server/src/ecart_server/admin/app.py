"""The operators' pages as an ASGI app: finds out who asks, then calls the handler of the path.

Without an admin key the app is not there: the service sends `/admin` to the API, which has no such
path. With one, a request passes these steps:

1. The style sheet is for all, since the log-in page needs it.
2. The visitor is authenticated: by the key in an `Authorization: Bearer` header, else by the
   session cookie, unless a log-out has ended the session. A wrong key in the header ends here.
3. A form must come from this site, by `Sec-Fetch-Site` or `Origin`, and carry the CSRF token of the
   session. With the key in the header no token is needed: no other site can send that header.
4. The log-in page is for all. Who is not logged in is redirected to it from every other path, so
   that the answer does not tell which paths there are.
5. The handler in `views.py` answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ecart.errors import EcartError, SessionEndedError, StoreError, StoreUnavailableError
from ecart.http import Request as ApiRequest
from ecart.http import session_of
from ecart.http.cookies import cookie_values
from ecart.http.guards import check_origin
from ecart.http.problems import HttpError
from ecart.integrations.asgi_messages import (
    below_root,
    cookies_of,
    headers_of,
    is_secure,
    read_body_in_time,
)
from ecart.operations import EndSession, GetSummary, Rules
from ecart.store import AsyncStore
from ecart_server.admin.access import SESSION_SECONDS, Access, Visitor, new_visitor
from ecart_server.admin.rendering import STYLESHEET_PATH, PageRenderer, redirect, stylesheet
from ecart_server.admin.views import AdminRequest, AdminViews
from ecart_server.pages.forms import FormFields, parse_form
from ecart_server.pages.prefix import at
from ecart_server.rate_limits.wrong_keys import WrongKeys
from ecart_server.settings import ServiceSettings

ROOT, LOG_IN, LOG_OUT = "/admin", "/admin/login", "/admin/logout"
BODY_LIMIT = 16_384

_READING = ("GET", "HEAD")
_LONGEST_CHECK = 1.0
_SESSIONS = "operators"
"""The cart, which there need not be, beside which the store remembers sessions that have ended."""

_log = logging.getLogger("ecart.service")


def is_admin_path(scope: Scope) -> bool:
    """Whether an HTTP request is for `/admin` or a path below it."""
    path = scope.get("path", "")
    is_below: bool = path.startswith("/admin") and path[6:7] in ("", "/")
    return is_below and scope["type"] == "http"


class Admin:
    """The operators' pages of one deployment, for who knows its `admin_key`.

    `store` is the service's own; through it carts are purged and check-outs released, which
    `admin.can_write` allows.
    """

    def __init__(self, settings: ServiceSettings, store: AsyncStore, rules: Rules) -> None:
        if not settings.admin.key:
            raise ValueError("the operators' pages need a key")
        self._store = store
        self._rules = rules
        self._access = Access(settings.admin.key, settings.secrets)
        self._attempts = WrongKeys()
        self._renderer = PageRenderer(can_write=settings.admin.can_write)
        self._views = AdminViews(settings, self._renderer, store, rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request; also an error is a page."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    def end(self) -> None:
        """Stops what runs in the background."""
        self._views.end()

    async def _answer(self, request: Request) -> Response:
        path = below_root(request.scope)
        if path == STYLESHEET_PATH and request.method in _READING:
            return stylesheet()
        try:
            refusal, admin_request = self._authenticate(request)
            if refusal is not None:
                return refusal
            if path != LOG_IN and await self._has_logged_out(admin_request.visitor):
                admin_request = AdminRequest(request.method, request.query_params)
            if request.method not in _READING:
                admin_request = await self._with_form(request, admin_request)
            if path == LOG_IN:
                return await self._log_in(request, admin_request)
            if not admin_request.is_logged_in:
                if request.method in _READING:
                    return redirect(LOG_IN)
                return self._renderer.message(401, "Log in first", "The session has ended.")
            if path == LOG_OUT and request.method == "POST":
                if admin_request.visitor is not None:
                    await self._end_session(admin_request.visitor)
                return self._with_cookie(request, redirect(LOG_IN), None)
            return await self._views.answer(path, admin_request)
        except HttpError as error:
            return self._renderer.message(403, "This form cannot be taken", str(error))
        except StoreError as error:
            _log.warning("a page for the operator: %s", error.code)
            return self._renderer.message(503, "The engine does not answer", _NO_ENGINE)
        except EcartError as error:
            return self._renderer.message(409, "This was refused", str(error))
        except Exception:
            _log.exception("a page for the operator failed")
            return self._renderer.message(500, "Something went wrong", "The log says what.")

    def _authenticate(self, request: Request) -> tuple[Response | None, AdminRequest]:
        """The request with its visitor; or an answer that refuses a wrong key in the header."""
        admin_request = AdminRequest(request.method, request.query_params)
        header = request.headers.get("authorization")
        if header is None:
            visitor = self._visitor_of(request)
            if visitor is None:
                return None, admin_request
            token = self._access.form_tokens.token_for(visitor.nonce)
            is_logged_in = visitor.is_logged_in
            return None, replace(
                admin_request, is_logged_in=is_logged_in, visitor=visitor, token=token
            )
        scheme, _, given = header.partition(" ")
        given = given.strip().encode("latin-1").decode(errors="replace")
        refusal = self._refuse_key(request, given if scheme.lower() == "bearer" else "")
        return refusal, replace(admin_request, is_logged_in=refusal is None)

    async def _has_logged_out(self, visitor: Visitor | None) -> bool:
        """Whether the visitor has ended the session, in whichever process that was.

        Raises:
            StoreError: nobody can tell.
        """
        if visitor is None or not visitor.is_logged_in:
            return False
        read = GetSummary(rules=self._rules, session_id=visitor.nonce)
        try:
            async with asyncio.timeout(_LONGEST_CHECK):
                await self._store.execute(_SESSIONS, read)
        except SessionEndedError:
            return True
        except TimeoutError as error:
            raise StoreUnavailableError("no answer in time") from error
        return False

    async def _end_session(self, visitor: Visitor) -> None:
        end = EndSession(ended_id=visitor.nonce, life_ms=SESSION_SECONDS * 1000)
        await self._store.execute(_SESSIONS, end)

    def _visitor_of(self, request: Request) -> Visitor | None:
        values = cookie_values(cookies_of(request.scope), _cookie_name(request))
        return next(filter(None, map(self._access.visitor_of, values)), None)

    def _refuse_key(self, request: Request, key: str) -> Response | None:
        """The answer to a wrong key, or to any key after too many wrong ones; else None."""
        address = request.client.host if request.client else ""
        seconds = self._attempts.wait_seconds(address)
        if seconds:
            text = f"There were too many wrong keys. Try again in {seconds} seconds."
            headers = {"Retry-After": str(seconds)}
            return self._renderer.message(429, "Wait a little", text, headers)
        if self._access.is_key(key):
            return None
        self._attempts.record_failure(address)
        headers = {"WWW-Authenticate": "Bearer"}
        return self._renderer.message(401, "This is not the key", "", headers)

    async def _with_form(self, request: Request, admin_request: AdminRequest) -> AdminRequest:
        """The request with the fields of its form.

        Raises:
            HttpError: it comes from another site, is too long, or lacks the session's token.
        """
        headers = headers_of(request.scope)
        if headers.get("origin") == "null":  # browsers send it for pages with no-referrer: ours
            del headers["origin"]
        checked = ApiRequest(method="POST", path="", headers=headers, session=session_of("admin"))
        check_origin(checked, frozenset())
        form = await _read_form(request)
        if admin_request.visitor is not None:
            self._access.form_tokens.check(form, admin_request.visitor.nonce, detail=_OLD_FORM)
        elif not admin_request.is_logged_in:
            raise HttpError("cross_site_request", _OLD_FORM)
        return replace(admin_request, form=form)

    async def _log_in(self, request: Request, admin_request: AdminRequest) -> Response:
        if admin_request.is_logged_in:
            has_logged_out = False
            with contextlib.suppress(StoreError):  # the page that follows says so
                has_logged_out = await self._has_logged_out(admin_request.visitor)
            if not has_logged_out:
                return redirect(ROOT)
            admin_request = AdminRequest(request.method, request.query_params)
        if request.method == "POST":
            refusal = self._refuse_key(request, admin_request.form.get("key", ""))
            if refusal is not None:
                return refusal
            return self._with_cookie(request, redirect(ROOT), new_visitor(is_logged_in=True))
        visitor = admin_request.visitor or new_visitor(is_logged_in=False)
        form_token = self._access.form_tokens.token_for(visitor.nonce)
        page = self._renderer.page("login", token="", form_token=form_token)
        return self._with_cookie(request, page, visitor)

    def _with_cookie(
        self, request: Request, response: Response, visitor: Visitor | None
    ) -> Response:
        """Sets the visitor's session cookie on a response; None removes it."""
        response.set_cookie(
            _cookie_name(request),
            self._access.cookie_for(visitor) if visitor else "",
            max_age=SESSION_SECONDS if visitor else 0,
            path=at(ROOT),
            secure=is_secure(request.scope),
            httponly=True,
            samesite="strict",
        )
        return response


def _cookie_name(request: Request) -> str:
    # The prefix __Host- would be stronger, but browsers accept it only with the path /.
    return "__Secure-ecart-admin" if is_secure(request.scope) else "ecart-admin"


async def _read_form(request: Request) -> FormFields:
    try:
        body = await read_body_in_time(request.receive, BODY_LIMIT)
    except TimeoutError as error:
        raise HttpError("request_timeout", "It took too long.") from error
    if body is None or len(body) > BODY_LIMIT:
        raise HttpError("body_too_large", "It is too long.")
    return parse_form(body)


_OLD_FORM = "It is too old, or cookies are switched off."
_NO_ENGINE = (
    "Carts can be neither read nor changed until it is back. Reload this page to look again."
)
