"""The stream of a cart's versions: server-sent events, as browsers read them by themselves.

Each event's id is the version that it tells, `<epoch>.<version>`. So a browser that comes back says
what it has (`Last-Event-ID`), and is told what is new since, if anything is.
"""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from ecart.cart import AsyncCart
from ecart.errors import EcartError
from ecart.http import Request
from ecart.http.views import summary_view
from ecart.integrations.asgi_messages import Receive, Send
from ecart.model import CartSummary
from ecart.operations import GetSummary, Rules
from ecart.store import AsyncStore
from ecart_server.shop.subscriptions import Follower, Following

HEARTBEAT_SECONDS = 15.0
"""Without news, a comment comes so often, so that proxies keep the connection."""
RETRY_MS = 2000
"""How long a browser waits before it comes back."""

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"vary", b"Cookie"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back
]


class EventStream:
    """Streams the versions of the session's cart, until the client or the service leaves."""

    def __init__(self, store: AsyncStore, rules: Rules, following: Following) -> None:
        self._store = store
        self._rules = rules
        self._following = following

    async def __call__(self, request: Request, receive: Receive, send: Send) -> None:
        """Answers one request.

        Raises:
            HttpError: `too_many_streams`; nothing has been sent.
        """
        with self._following.follow(request.session.cart_id) as follower:
            leaving = asyncio.create_task(_end_with(receive, follower))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                await send(_piece(f"retry: {RETRY_MS}\n\n"))
                await self._begin(request, follower)
                await _tell(follower, send)
                await send({"type": "http.response.body", "body": b""})
            finally:
                leaving.cancel()

    async def _begin(self, request: Request, follower: Follower) -> None:
        read = GetSummary(rules=self._rules)
        with contextlib.suppress(EcartError):  # it is looked at again soon
            cart = await AsyncCart(request.session.cart_id, self._store).perform(read)
            known = request.headers.get("last-event-id")
            follower.begin(cart, is_known=event_id(cart) == known and cart.state != "merged")


async def _tell(follower: Follower, send: Send) -> None:
    while not follower.is_over:
        cart = await follower.news(HEARTBEAT_SECONDS)
        if cart is not None:
            await send(_piece(_event(cart)))
            if cart.state == "merged":
                return  # the browser comes back, with the session that it has by then
        elif not follower.is_over:
            await send(_piece(": still here\n\n"))


async def _end_with(receive: Receive, follower: Follower) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    follower.end()


def event_id(cart: CartSummary) -> str:
    """Names a version, across carts that end and begin again; `none` if there is no cart."""
    return f"{cart.epoch}.{cart.version}" if cart.epoch else "none"


def _event(cart: CartSummary) -> str:
    data = msgspec.json.encode(summary_view(cart)).decode()
    return f"event: cart\nid: {event_id(cart)}\ndata: {data}\n\n"


def _piece(text: str) -> dict[str, object]:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
