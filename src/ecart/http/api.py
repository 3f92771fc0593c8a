"""The HTTP API as one flow from request to response: guards, route, handler, headers, errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from ecart.errors import (
    CartMergedError,
    CatalogError,
    EcartError,
    IdempotencyKeyReusedError,
    SessionEndedError,
    StoreError,
)
from ecart.flows import Flow, Perform, perform
from ecart.http.cookies import LOOK, read_look
from ecart.http.documents import document_routes
from ecart.http.guards import check_accept, check_key, check_origin, check_size, is_cross_site
from ecart.http.messages import PRIVATE_HEADERS, SECURITY_HEADERS, Request, Response
from ecart.http.problems import HttpError, problem_response
from ecart.http.provisional import provisional_settings
from ecart.http.rate_gate import ALLOWED, ALLOWED_WITHOUT_SESSION, Gate, RateDecision
from ecart.http.routes import BACK_OFFICE_ROUTES, HEALTH_ROUTES, SHOPPER_ROUTES, Route, Router
from ecart.http.sessions import Session, Tokens, session_of
from ecart.http.settings import HttpSettings
from ecart.operations import GetSummary

MERGE_GRACE_MS = 60_000
"""How long after its merge a cart's session is not replaced by a new one."""

_log = logging.getLogger("ecart.http")

_COMMON_HEADERS = {**PRIVATE_HEADERS, **SECURITY_HEADERS}


class Api:
    """The HTTP API of one deployment. `tokens` signs the `Cart-Token` of cookie-less clients.

    `routes` are those of carts: a shopper's, and with keys the back office's. A `standalone`
    service answers the health routes and shows its documentation, too. A `gate` is asked for each
    request of a shopper.
    """

    def __init__(
        self,
        settings: HttpSettings,
        tokens: Tokens,
        *,
        standalone: bool = False,
        gate: Gate | None = None,
    ) -> None:
        self.settings = settings
        self._provisional_settings = provisional_settings(settings)
        self._tokens = tokens
        self._gate = gate
        self.routes = SHOPPER_ROUTES + (BACK_OFFICE_ROUTES if settings.office_keys else ())
        routes: tuple[Route, ...] = self.routes
        if standalone:
            routes += HEALTH_ROUTES
            routes += document_routes(routes, settings.rules)
        self._router = Router(routes)

    def handle(self, request: Request) -> Flow[Response]:
        """Answers a request; whatever goes wrong becomes a problem document."""
        token = request.headers.get("cart-token")
        if token is not None:
            request = replace(request, session=self._tokens.read(token) or session_of(None))
        elif request.session.is_new and request.is_of_shopper and "cookie" in request.headers:
            cookies, cookie = request.headers["cookie"], self.settings.cookie
            look = read_look(cookies, request.is_secure, cookie, self._tokens)
            request = request if look is None else replace(request, session=look)
        decision = ALLOWED_WITHOUT_SESSION
        try:
            decision = self._rate_decision(request)
            try:
                response = yield from _in_session(request.session, self._answer(request))
            except CartMergedError as error:
                request, response = yield from self._restart_session(request, error)
            except SessionEndedError:
                request = replace(request, session=_replacement())
                response = yield from self._answer(request)
            except IdempotencyKeyReusedError:
                former = replace(request, has_former_fingerprint=True)
                response = yield from _in_session(request.session, self._answer(former))
        except EcartError as error:
            if isinstance(error, StoreError | CatalogError):
                _log.warning("%s: %s", error.code, error)
            response = problem_response(error, body=self._router.body_of(request))
        except Exception:
            _log.exception("a request failed unexpectedly")
            response = problem_response(HttpError("internal_error", ""))
        return self._complete(request, response, token, decision)

    def refuse(self, request: Request, error: EcartError) -> Response:
        """The response to a request that could not be read to its end."""
        return self._complete(request, problem_response(error), None, ALLOWED_WITHOUT_SESSION)

    def _rate_decision(self, request: Request) -> RateDecision:
        if self._gate is None or not request.is_of_shopper:
            return ALLOWED
        if is_cross_site(request, self.settings.trusted_origins):
            # It is refused later; pages of other sites must not use up a visitor's rate.
            return ALLOWED_WITHOUT_SESSION
        return self._gate.decide(request)

    def _restart_session(
        self, request: Request, error: CartMergedError
    ) -> Flow[tuple[Request, Response]]:
        """Gives the session of a cart that was merged into a user's at a log-in a new cart.

        Not before the grace period has passed: a request that another tab had under way at the
        log-in must not replace the user's cookie by that of a new session. Until then the cart
        reads as empty, and refuses changes.
        """
        if not request.is_of_shopper:
            raise error
        cart_id, rules = request.session.cart_id, self.settings.rules
        merged = yield from perform(cart_id, GetSummary(rules=rules))
        restarted = replace(request, session=_replacement())
        if merged.updated_ms + MERGE_GRACE_MS <= time.time_ns() // 1_000_000:
            return restarted, (yield from self._answer(restarted))
        if request.method not in ("GET", "HEAD"):
            raise error
        return request, (yield from self._answer(restarted))

    def _answer(self, request: Request) -> Flow[Response]:
        try:
            route, params = self._router.find(request.method, request.path)
        except HttpError as error:
            if request.method == "OPTIONS" and request.path == "*":  # RFC 9110 §9.3.7
                return _flow_of(Response(status=204, headers={"Allow": self._router.methods}))
            if request.method == "OPTIONS" and "Allow" in error.headers:
                return _flow_of(Response(status=204, headers=error.headers))
            raise
        if request.body or "content-length" in request.headers:
            check_size(request, self.settings.body_limit)
        if request.method != "GET":
            check_origin(request, self.settings.trusted_origins)
        check_accept(request, route.media)
        if route.access == "back_office":
            self._check_key(request)
        # Robots that come once send neither; a browser comes again, if only for the next page.
        is_of_page = "origin" in request.headers or "sec-fetch-site" in request.headers
        is_first_visit = request.session.is_new and route.access == "session" and not is_of_page
        if params:
            request = replace(request, params=params)
        return route.handler(
            request, self._provisional_settings if is_first_visit else self.settings
        )

    def _check_key(self, request: Request) -> None:
        is_counted = self._gate is not None and "authorization" in request.headers
        if self._gate is not None and is_counted:
            self._gate.check_attempts(request)
        try:
            check_key(request, self.settings.office_keys)
        except HttpError:
            if self._gate is not None and is_counted:
                self._gate.count_wrong_key(request)
            raise

    def _complete(
        self, request: Request, response: Response, token: str | None, decision: RateDecision
    ) -> Response:
        """The response with the headers that all have, and with the session if it is to be kept."""
        headers = {**_COMMON_HEADERS, **decision.headers, **response.headers}
        status, body = response.status, response.body
        if status not in (204, 304):
            # That of the body which GET would have, also where HEAD sends none (RFC 9110 §8.6).
            headers["Content-Length"] = str(len(body))
        session, keep = request.session, None
        if request.is_of_shopper and (decision.may_start_session or not session.is_new):
            if token is not None:
                is_current = not session.is_new and not session.is_old
                headers["Cart-Token"] = token if is_current else self._tokens.sign(session)
            elif status != 204 and not 400 <= status < 500:
                keep = self._session_to_keep(request, headers)
        elif response.keep_session is not None:  # the back office's, for a user's browser
            headers["Cart-Token"] = self._tokens.sign(response.keep_session)
        if request.method == "HEAD":
            body = b""
        return Response(status=status, headers=headers, body=body, keep_session=keep)

    def _session_to_keep(self, request: Request, headers: dict[str, str]) -> Session | None:
        """The session for the client's cookie; that of a look goes into a header instead."""
        session = request.session
        if session.is_old and (session.is_new or request.method not in ("GET", "HEAD")):
            return session
        if not session.is_new:
            return None
        if not request.only_looks:
            return session
        look, is_secure = self._tokens.sign(session), request.is_secure
        headers["Set-Cookie"] = self.settings.cookie.set_cookie(look, is_secure, LOOK)
        return None


def _replacement() -> Session:
    """A new session in place of one that the client has, and that opens nothing any more."""
    return replace(session_of(None), is_old=True)


def _in_session(session: Session, flow: Flow[Response]) -> Flow[Response]:
    """The flow, whose steps on the session's cart are refused once a log-out has ended it."""
    if not session.id:
        return (yield from flow)
    advance: Callable[[], Any] = partial(next, flow)
    while True:
        try:
            step = advance()
        except StopIteration as end:
            response: Response = end.value
            return response
        if isinstance(step, Perform) and step.cart_id == session.cart_id:
            step = Perform(step.cart_id, replace(step.operation, session_id=session.id))
        try:
            advance = partial(flow.send, (yield step))
        except BaseException as error:
            advance = partial(flow.throw, error)


def complete_refusal(error: EcartError) -> Response:
    """The whole response to a request that no API has seen, as one that has would answer."""
    response = problem_response(error)
    headers = {**_COMMON_HEADERS, **response.headers, "Content-Length": str(len(response.body))}
    return replace(response, headers=headers)


def _flow_of(response: Response) -> Flow[Response]:
    return response
    yield
