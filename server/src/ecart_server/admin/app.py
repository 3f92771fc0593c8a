"""The view as an ASGI app: who asks is found out, then one handler for each path answers.

It is not there without a key: the service leaves its paths to the contract, which knows none.
"""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ecart.errors import EcartError, StoreError
from ecart.http import Request as Message
from ecart.http import session_of
from ecart.http.guards import check_origin
from ecart.http.problems import HttpError
from ecart.integrations.asgi_messages import below_root, headers_of, is_secure, read_body_in_time
from ecart.operations import Rules
from ecart.store import AsyncStore
from ecart_server.admin.access import SESSION_SECONDS, Access, Visitor, new_visitor
from ecart_server.admin.login_attempts import Attempts
from ecart_server.admin.pages import STYLE_PATH, Pages, elsewhere, style
from ecart_server.admin.views import Asked, Views
from ecart_server.pages.forms import Fields, parse_form
from ecart_server.settings import ServiceSettings

ROOT, LOG_IN, LOG_OUT = "/admin", "/admin/login", "/admin/logout"
BODY_LIMIT = 16_384

_READING = ("GET", "HEAD")

logger = logging.getLogger("ecart.service")


def is_of_admin(scope: Scope) -> bool:
    """Whether a request is for the view."""
    path = scope.get("path", "")
    is_below: bool = path.startswith("/admin") and path[6:7] in ("", "/")
    return is_below and scope["type"] == "http"


class Admin:
    """The operator's view of one deployment, for those who know its `admin.key`.

    `store` is the service's own; through it carts are purged and check-outs released, which
    `admin.can_write` allows.
    """

    def __init__(self, settings: ServiceSettings, store: AsyncStore, rules: Rules) -> None:
        if not settings.admin.key:
            raise ValueError("the view wants a key")
        self._access = Access(settings.admin.key, settings.secrets)
        self._attempts = Attempts()
        self._pages = Pages(can_write=settings.admin.can_write)
        self._views = Views(settings, self._pages, store, rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request, whatever goes wrong."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    def end(self) -> None:
        """Gives up what runs in the background."""
        self._views.end()

    async def _answer(self, request: Request) -> Response:
        path = below_root(request.scope)
        if path == STYLE_PATH and request.method in _READING:
            return style()
        try:
            refusal, asked = self._who(request)
            if refusal is not None:
                return refusal
            if request.method not in _READING:
                asked = await self._with_form(request, asked)
            if path == LOG_IN:
                return self._log_in(request, asked)
            if not asked.is_in:
                return self._to_log_in(request)
            if path == LOG_OUT and request.method == "POST":
                return self._leave(request)
            return await self._views.answer(path, asked)
        except HttpError as error:
            return self._pages.message(403, "This form cannot be taken", str(error))
        except StoreError as error:
            logger.warning("a page for the operator: %s", error.code)
            return self._pages.message(503, "The engine does not answer", _NO_ENGINE)
        except EcartError as error:
            return self._pages.message(409, "This was refused", str(error))
        except Exception:
            logger.exception("a page for the operator failed")
            return self._pages.message(500, "Something went wrong", "The log says what.")

    # Who asks.

    def _who(self, request: Request) -> tuple[Response | None, Asked]:
        """Who asks; or the answer, if a wrong key was shown."""
        header = request.headers.get("authorization")
        if header is None:
            visitor = self._access.visitor_of(request.cookies.get(_cookie_name(request)))
            token = self._access.form_tokens.token_for(visitor.nonce) if visitor else ""
            is_in = visitor is not None and visitor.is_in
            return None, Asked(request.method, request.query_params, is_in, visitor, token)
        scheme, _, given = header.partition(" ")
        given = given.strip().encode("latin-1").decode(errors="replace")
        key = given if scheme.lower() == "bearer" else ""
        refusal = self._refusal(request, key)
        return refusal, Asked(request.method, request.query_params, refusal is None)

    def _refusal(self, request: Request, key: str) -> Response | None:
        """None for the right key; else the answer. Who has no attempts left is told nothing."""
        address = request.client.host if request.client else ""
        seconds = self._attempts.wait(address)
        if seconds:
            text = f"There were too many wrong keys. Try again in {seconds} seconds."
            answer = self._pages.message(429, "Wait a little", text)
            answer.headers["Retry-After"] = str(seconds)
            return answer
        if self._access.is_key(key):
            return None
        self._attempts.failed(address)
        return self._pages.message(401, "This is not the key", "", {"WWW-Authenticate": "Bearer"})

    # Forms.

    async def _with_form(self, request: Request, asked: Asked) -> Asked:
        """What was sent along, if it comes from a form of ours.

        Raises:
            HttpError: from another site, too long, or without the token of this session.
        """
        headers = headers_of(request.scope)
        if headers.get("origin") == "null":  # what a page without referrer sends of itself
            del headers["origin"]
        check_origin(Message(method="POST", path="", headers=headers, session=_NOBODY), frozenset())
        form = await _form_of(request)
        if asked.visitor is not None:
            self._access.form_tokens.check(form, asked.visitor.nonce, detail=_OLD_FORM)
        elif not asked.is_in:  # the key comes with the request itself, which no other site can
            raise HttpError("cross_site_request", _OLD_FORM)
        return asked.with_form(form)

    # Coming and going.

    def _log_in(self, request: Request, asked: Asked) -> Response:
        if asked.is_in:
            return elsewhere(ROOT)
        if request.method == "POST":
            refusal = self._refusal(request, asked.form.get("key", ""))
            return refusal or self._kept(request, elsewhere(ROOT), new_visitor(is_in=True))
        visitor = asked.visitor or new_visitor(is_in=False)
        form_token = self._access.form_tokens.token_for(visitor.nonce)
        page = self._pages.show("login", token="", form_token=form_token)
        return self._kept(request, page, visitor)

    def _to_log_in(self, request: Request) -> Response:
        if request.method in _READING:
            return elsewhere(LOG_IN)
        return self._pages.message(401, "Log in first", "The session has ended.")

    def _leave(self, request: Request) -> Response:
        return self._kept(request, elsewhere(LOG_IN), None)

    def _kept(self, request: Request, response: Response, visitor: Visitor | None) -> Response:
        """The answer, with which the browser keeps who it is, or forgets it."""
        response.set_cookie(
            _cookie_name(request),
            self._access.cookie_of(visitor) if visitor else "",
            max_age=SESSION_SECONDS if visitor else 0,
            path=ROOT,
            secure=is_secure(request.scope),
            httponly=True,
            samesite="strict",
        )
        return response


def _cookie_name(request: Request) -> str:
    # Browsers take __Host- only for all paths, so it is the weaker one of the two.
    return "__Secure-ecart-admin" if is_secure(request.scope) else "ecart-admin"


async def _form_of(request: Request) -> Fields:
    try:
        body = await read_body_in_time(request.receive, BODY_LIMIT)
    except TimeoutError as error:
        raise HttpError("request_timeout", "It took too long.") from error
    if body is None or len(body) > BODY_LIMIT:
        raise HttpError("body_too_large", "It is too long.")
    return parse_form(body)


_OLD_FORM = "It is too old, or cookies are switched off."
_NOBODY = session_of("nobody")
_NO_ENGINE = (
    "Carts can be neither read nor changed until it is back. Reload this page to look again."
)
