"""What is shown under each path to who has shown the key, and the two changes there are."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
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
from ecart_server.admin.pages import Pages, elsewhere
from ecart_server.admin.plots import ages_plot, minutes_plot, sizes_plot, values_plot
from ecart_server.admin.queries import OneCart, Reading
from ecart_server.cart_index import InvalidCursorError
from ecart_server.settings import ServiceSettings

_Result = TypeVar("_Result")

IDLE = {0: "any time", 600: "10 minutes", 3600: "1 hour", 21_600: "6 hours", 86_400: "1 day",
        259_200: "3 days"}  # fmt: skip
DONE = {"purged": "The cart was purged.", "released": "The check-out was released."}


class Asked(msgspec.Struct, frozen=True):
    """A request, and who sent it. `token` goes into the forms of the answer."""

    method: str
    query: Mapping[str, str]
    is_in: bool
    visitor: Visitor | None = None
    token: str = ""
    form: Mapping[str, str] = {}

    def with_form(self, form: Mapping[str, str]) -> Asked:
        """The same, with what was sent along."""
        return msgspec.structs.replace(self, form=form)


Handler = Callable[[Asked], Awaitable[Response]]


class Views:
    """The pages of one deployment, for those who are in."""

    def __init__(
        self, settings: ServiceSettings, pages: Pages, store: AsyncStore, rules: Rules
    ) -> None:
        self._pages = pages
        self._store = store
        self._rules = rules
        self._reading = Reading(settings)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="ecart-admin")
        self._handlers: dict[str, dict[str, Handler]] = {
            "/admin": {"GET": self._overview},
            "/admin/carts": {"GET": self._carts},
            "/admin/cart": {"GET": self._cart},
            "/admin/engine": {"GET": self._engine},
        }
        if settings.admin.can_write:
            self._handlers |= {
                "/admin/cart/purge": {"GET": self._ask_purge, "POST": self._purge},
                "/admin/cart/release": {"GET": self._ask_release, "POST": self._release},
            }

    async def answer(self, path: str, asked: Asked) -> Response:
        """The page of a path."""
        methods = self._handlers.get(path.rstrip("/"))
        if methods is None:
            return self._pages.message(404, "There is no such page", "", token=asked.token)
        handler = methods.get("GET" if asked.method == "HEAD" else asked.method)
        if handler is None:
            allow = {"Allow": ", ".join([*methods, "HEAD"])}
            return self._pages.message(405, "This is not done that way", "", allow)
        return await handler(asked)

    def end(self) -> None:
        """Gives up what runs in the background."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._reading.end()

    async def _read(self, read: Callable[..., _Result], *arguments: Any) -> _Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, read, *arguments)

    # Looking.

    async def _overview(self, asked: Asked) -> Response:
        seen = await self._read(self._reading.overview)
        survey = seen.survey
        plots = survey and (
            sizes_plot(survey.sizes),
            values_plot(survey.values),
            ages_plot(survey.ages),
        )
        return self._pages.show(
            "overview",
            token=asked.token,
            seen=seen,
            survey=survey,
            plots=plots or (),
            minutes=minutes_plot(seen.minutes),
            done=DONE.get(asked.query.get("done", "")),
        )

    async def _carts(self, asked: Asked) -> Response:
        idle = _whole(asked.query.get("idle", ""))
        is_newest_first = asked.query.get("order") == "recent"
        after = asked.query.get("after") or None
        try:
            page = await self._read(self._reading.carts, idle, is_newest_first, after)
        except InvalidCursorError:
            return elsewhere("/admin/carts")
        choice = {"idle": idle, "order": "recent" if is_newest_first else "idle"}
        return self._pages.show(
            "carts",
            token=asked.token,
            page=page,
            idle=idle,
            choices=IDLE,
            is_newest_first=is_newest_first,
            is_first=after is None,
            first=f"/admin/carts?{urlencode(choice)}",
            following=page.after and f"/admin/carts?{urlencode({**choice, 'after': page.after})}",
            now_ms=time.time_ns() // 1_000_000,
        )

    async def _cart(self, asked: Asked) -> Response:
        found, cart_id = await self._found(asked.query)
        if found is None:
            return self._nothing(asked, cart_id)
        held = () if found.cart is None else found.cart.lines
        lines = [(line, _text_of(line.details)) for line in held]
        done = DONE.get(asked.query.get("done", ""))
        return self._pages.show("cart", token=asked.token, one=found, lines=lines, done=done)

    async def _engine(self, asked: Asked) -> Response:
        health = await self._read(self._reading.health)
        report = await self._read(self._reading.report)
        return self._pages.show("engine", token=asked.token, health=health, report=report)

    # Changing.

    async def _ask_purge(self, asked: Asked) -> Response:
        found, cart_id = await self._found(asked.query)
        if found is None:
            return self._nothing(asked, cart_id)
        return self._pages.show("confirm", token=asked.token, what="purge", one=found)

    async def _purge(self, asked: Asked) -> Response:
        await AsyncCart(_cart_id(asked.form), self._store, rules=self._rules).purge()
        await self._read(self._reading.purged)
        return elsewhere("/admin?done=purged")

    async def _ask_release(self, asked: Asked) -> Response:
        found, cart_id = await self._found(asked.query)
        if found is None or found.cart is None or found.cart.lock is None:
            return self._nothing(asked, cart_id)
        return self._pages.show("confirm", token=asked.token, what="release", one=found)

    async def _release(self, asked: Asked) -> Response:
        cart_id = _cart_id(asked.form)
        cart = AsyncCart(cart_id, self._store, rules=self._rules)
        await cart.release_checkout(asked.form.get("checkout", ""))
        return elsewhere(f"/admin/cart?{urlencode({'id': cart_id, 'done': 'released'})}")

    async def _found(self, query: Mapping[str, str]) -> tuple[OneCart | None, str]:
        given = query.get("id", "")
        try:
            return await self._read(self._reading.cart, check_cart_id(given)), given
        except InvalidCartIdError:
            return None, given

    def _nothing(self, asked: Asked, cart_id: str) -> Response:
        return self._pages.show("nothing", 404, token=asked.token, cart_id=cart_id[:256])


def _cart_id(form: Mapping[str, str]) -> str:
    return check_cart_id(form.get("id", ""))


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _text_of(details: Any) -> str:
    return "" if details is None else json.dumps(details, ensure_ascii=False)
