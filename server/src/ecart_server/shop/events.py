"""`GET /cart/events`: the versions of a cart as server-sent events (HTML Standard, §9.2).

The id of an event is the version that it names, `<epoch>.<version>`. A browser that reconnects
sends the last id that it has (`Last-Event-ID`), and gets an event only if the cart is newer.
"""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from ecart.errors import EcartError, SessionEndedError, StoreError
from ecart.http import Request, Session
from ecart.http.messages import PRIVATE_HEADERS, SECURITY_HEADERS
from ecart.http.views import summary_view
from ecart.integrations.asgi_messages import Receive, Send, encode_headers
from ecart.model import CartSummary
from ecart.operations import GetSummary, Rules
from ecart.store import AsyncStore
from ecart_server.shop.subscriptions import Subscriber, Subscriptions

HEARTBEAT_SECONDS = 15.0
"""After so long without an event a comment is sent, so that proxies keep the connection open."""
RETRY_MS = 2000
"""How long a browser waits before it reconnects."""

_HEADERS = encode_headers(
    {
        "Content-Type": "text/event-stream",
        **PRIVATE_HEADERS,
        **SECURITY_HEADERS,
        "X-Accel-Buffering": "no",  # nginx would buffer the events
    }
)


class EventStream:
    """Streams the versions of the session's cart until the client or the service ends it."""

    def __init__(self, store: AsyncStore, rules: Rules, subscriptions: Subscriptions) -> None:
        self._store = store
        self._rules = rules
        self._subscriptions = subscriptions

    async def __call__(self, request: Request, receive: Receive, send: Send) -> None:
        """Answers one request.

        Raises:
            HttpError: `too_many_streams`; nothing has been sent.
            SessionEndedError: a log-out has ended the session; nothing has been sent.
        """
        await self._check_session(request.session)
        with self._subscriptions.subscribe(request.session.cart_id, request.address) as subscriber:
            watching = asyncio.create_task(_close_on_disconnect(receive, subscriber))
            try:
                await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                await send(_chunk(f"retry: {RETRY_MS}\n\n"))
                await self._start(request, subscriber)
                await self._send_events(request.session, subscriber, send)
                await send({"type": "http.response.body", "body": b""})
            finally:
                watching.cancel()

    async def _start(self, request: Request, subscriber: Subscriber) -> None:
        read = GetSummary(rules=self._rules)
        with contextlib.suppress(EcartError):  # it is polled again within a second
            cart = await self._store.execute(request.session.cart_id, read)
            last_id = request.headers.get("last-event-id")
            subscriber.start(cart, is_known=event_id(cart) == last_id and cart.state != "merged")

    async def _send_events(self, session: Session, subscriber: Subscriber, send: Send) -> None:
        while not subscriber.is_closed:
            cart = await subscriber.next_state(HEARTBEAT_SECONDS)
            if cart is not None:
                data = msgspec.json.encode(summary_view(cart)).decode()
                await send(_chunk(f"event: cart\nid: {event_id(cart)}\ndata: {data}\n\n"))
                if cart.state == "merged":
                    return  # the browser reconnects, and by then its session is of the other cart
            elif not subscriber.is_closed:
                try:
                    await self._check_session(session)
                except SessionEndedError:
                    return
                await send(_chunk(": still here\n\n"))

    async def _check_session(self, session: Session) -> None:
        """Raises `SessionEndedError` after a log-out; an engine that is away refuses nobody."""
        if session.id:
            read = GetSummary(rules=self._rules, session_id=session.id)
            with contextlib.suppress(StoreError):
                await self._store.execute(session.cart_id, read)


async def _close_on_disconnect(receive: Receive, subscriber: Subscriber) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    subscriber.close()


def event_id(cart: CartSummary) -> str:
    """The id of a version: unique also across carts that end and begin again under one cart id.

    `none` if there is no cart.
    """
    return f"{cart.epoch}.{cart.version}" if cart.epoch else "none"


def _chunk(text: str) -> dict[str, object]:
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
