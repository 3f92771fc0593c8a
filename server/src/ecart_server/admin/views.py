"""The handlers of the operators' pages, by path and method, and the two changes they can make."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from ecart.cart import AsyncCart
from ecart.errors import InvalidCartIdError
from ecart.model import check_cart_id
from ecart.operations import Rules
from ecart.store import AsyncStore
from ecart_server.admin.access import Visitor
from ecart_server.admin.plots import ages_plot, minutes_plot, sizes_plot, values_plot
from ecart_server.admin.queries import AdminQueries, CartDetails
from ecart_server.admin.rendering import PageRenderer, redirect
from ecart_server.cart_index import InvalidCursorError
from ecart_server.settings import ServiceSettings

_Result = TypeVar("_Result")

IDLE_CHOICES = {0: "any time", 600: "10 minutes", 3600: "1 hour", 21_600: "6 hours",
                86_400: "1 day", 259_200: "3 days"}  # fmt: skip
"""What the list of carts can be filtered by: seconds without a change, and as text."""
SHOWN_LINES = 500
"""Lines of a cart on its page; a larger one is of a time before the limits, or has wider ones."""
NOTICES = {"purged": "The cart was purged.", "released": "The check-out was released."}
"""What a page says after a change, by the parameter `done` of the redirect to it."""


class AdminRequest(msgspec.Struct, frozen=True):
    """A request for one of the pages, and who sent it. `token` goes into the forms of the page."""

    method: str
    query: Mapping[str, str]
    is_logged_in: bool = False
    visitor: Visitor | None = None
    token: str = ""
    form: Mapping[str, str] = {}


ViewHandler = Callable[[AdminRequest], Awaitable[Response]]


class AdminViews:
    """The pages of one deployment, for visitors who are logged in."""

    def __init__(
        self, settings: ServiceSettings, renderer: PageRenderer, store: AsyncStore, rules: Rules
    ) -> None:
        self._renderer = renderer
        self._store = store
        self._rules = rules
        self._queries = AdminQueries(settings)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="ecart-admin")
        self._handlers: dict[str, dict[str, ViewHandler]] = {
            "/admin": {"GET": self._overview},
            "/admin/carts": {"GET": self._carts},
            "/admin/cart": {"GET": self._cart},
            "/admin/engine": {"GET": self._engine},
        }
        if settings.admin.can_write:
            self._handlers |= {
                "/admin/cart/purge": {"GET": self._confirm_purge, "POST": self._purge},
                "/admin/cart/release": {"GET": self._confirm_release, "POST": self._release},
            }

    async def answer(self, path: str, request: AdminRequest) -> Response:
        """The page of a path; 404 for an unknown one, 405 for a method that it does not have."""
        methods = self._handlers.get(path.rstrip("/"))
        if methods is None:
            return self._renderer.message(404, "There is no such page", "", token=request.token)
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            allow = {"Allow": ", ".join([*methods, "HEAD"])}
            return self._renderer.message(405, "This is not done that way", "", allow)
        return await handler(request)

    def end(self) -> None:
        """Stops what runs in the background."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._queries.end()

    async def _query(self, query: Callable[..., _Result], *arguments: Any) -> _Result:
        """Runs a query in a thread: it waits for the engine."""
        loop = asyncio.get_running_loop()
        # With the prefix of the request, which links begin with.
        in_context = partial(copy_context().run, query, *arguments)
        return await loop.run_in_executor(self._threads, in_context)

    async def _render(self, name: str, **values: Any) -> Response:
        """Renders what a store holds, in a thread: shoppers' requests do not wait for it."""
        return await self._query(partial(self._renderer.page, name, **values))

    async def _overview(self, request: AdminRequest) -> Response:
        overview = await self._query(self._queries.overview)
        survey = overview.survey
        plots = survey and (
            sizes_plot(survey.sizes),
            values_plot(survey.values),
            ages_plot(survey.ages),
        )
        return await self._render(
            "overview",
            token=request.token,
            overview=overview,
            survey=survey,
            plots=plots or (),
            minutes=minutes_plot(overview.minutes),
            notice=NOTICES.get(request.query.get("done", "")),
        )

    async def _carts(self, request: AdminRequest) -> Response:
        text = request.query.get("idle", "")
        idle = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
        is_newest_first = request.query.get("order") == "recent"
        after = request.query.get("after") or None
        try:
            page = await self._query(self._queries.carts, idle, is_newest_first, after)
        except InvalidCursorError:
            return redirect("/admin/carts")
        choice = {"idle": idle, "order": "recent" if is_newest_first else "idle"}
        return await self._render(
            "carts",
            token=request.token,
            page=page,
            idle=idle,
            choices=IDLE_CHOICES,
            is_newest_first=is_newest_first,
            is_first=after is None,
            first_url=f"/admin/carts?{urlencode(choice)}",
            next_url=page.after and f"/admin/carts?{urlencode({**choice, 'after': page.after})}",
            now_ms=time.time_ns() // 1_000_000,
        )

    async def _cart(self, request: AdminRequest) -> Response:
        found, cart_id = await self._find(request.query)
        if found is None:
            return self._not_found(request, cart_id)
        lines = found.cart.lines if found.cart else ()
        return await self._render(
            "cart",
            token=request.token,
            found=found,
            lines=[(line, _details_text(line.details)) for line in lines[:SHOWN_LINES]],
            notice=NOTICES.get(request.query.get("done", "")),
        )

    async def _engine(self, request: AdminRequest) -> Response:
        engines = await self._query(self._queries.engines)
        report = await self._query(self._queries.report)
        return await self._render("engine", token=request.token, engines=engines, report=report)

    async def _confirm_purge(self, request: AdminRequest) -> Response:
        found, cart_id = await self._find(request.query)
        if found is None:
            return self._not_found(request, cart_id)
        return await self._render("confirm", token=request.token, action="purge", found=found)

    async def _purge(self, request: AdminRequest) -> Response:
        cart_id = check_cart_id(request.form.get("id", ""))
        await AsyncCart(cart_id, self._store, rules=self._rules).purge()
        await self._query(self._queries.forget_survey)
        return redirect("/admin?done=purged")

    async def _confirm_release(self, request: AdminRequest) -> Response:
        found, cart_id = await self._find(request.query)
        if found is None or found.cart is None or found.cart.lock is None:
            return self._not_found(request, cart_id)
        return await self._render("confirm", token=request.token, action="release", found=found)

    async def _release(self, request: AdminRequest) -> Response:
        cart_id = check_cart_id(request.form.get("id", ""))
        cart = AsyncCart(cart_id, self._store, rules=self._rules)
        await cart.release_checkout(request.form.get("checkout", ""))
        return redirect(f"/admin/cart?{urlencode({'id': cart_id, 'done': 'released'})}")

    async def _find(self, query: Mapping[str, str]) -> tuple[CartDetails | None, str]:
        """The cart that a query names, and its id as it was given."""
        cart_id = query.get("id", "")
        try:
            return await self._query(self._queries.cart, check_cart_id(cart_id)), cart_id
        except InvalidCartIdError:
            return None, cart_id

    def _not_found(self, request: AdminRequest, cart_id: str) -> Response:
        return self._renderer.page("not_found", 404, token=request.token, cart_id=cart_id[:256])


def _details_text(details: Any) -> str:
    return "" if details is None else json.dumps(details, ensure_ascii=False)
