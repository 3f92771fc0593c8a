"""What ASGI says of a request, and how it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
    MutableMapping,
)
from functools import lru_cache
from types import coroutine
from typing import Any

from ecart.http.messages import HEEDED

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

BODY_SECONDS = 10.0
"""How long a client may take to send a body of at most 16 KiB."""


async def send_over(send: Send, answer: Answer | None) -> None:
    """Sends an answer, if there is anybody to have it."""
    if answer is not None:
        status, headers, body = answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The body, cut behind its first byte too many; None if the client has gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece: bytes = message.get("body", b"")
        body += piece
        if len(body) > limit or not message.get("more_body", False):
            return body[: limit + 1]


async def read_body_in_time(receive: Receive, limit: int) -> bytes | None:
    """`read_body`, of a client that has `BODY_SECONDS` for it.

    Most bodies are here when they are asked for; for those no clock is set.

    Raises:
        TimeoutError: it took longer.
    """
    reading = read_body(receive, limit)
    try:
        waited_for = reading.send(None)
    except StopIteration as read:
        return read.value  # type: ignore[no-any-return]
    async with asyncio.timeout(BODY_SECONDS):
        return await _gone_on(reading, waited_for)


@coroutine
def _gone_on(
    begun: Coroutine[Any, Any, bytes | None], waited_for: Any
) -> Generator[Any, Any, bytes | None]:
    """A coroutine to its end, of which the first step has been taken already."""
    try:
        while True:
            try:
                sent = yield waited_for
            except BaseException as error:  # cancelled, when time is up
                waited_for = begun.throw(error)
            else:
                waited_for = begun.send(sent)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def below_root(scope: Scope) -> str:
    """The path below the mount; servers and frameworks let `path` begin with `root_path`."""
    path: str = scope["path"]
    root: str = scope.get("root_path") or ""
    if not root:
        return path
    below = path.removeprefix(root.rstrip("/"))
    return below if below[:1] == "/" else path


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers by their names in lower case."""
    return _joined((name.decode("latin-1"), value) for name, value in scope["headers"])


def heeded_headers(scope: Scope) -> dict[str, str]:
    """`headers_of`, but only of those that the contract heeds: browsers send many others."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        heeded = _HEEDED.get(name)
        if heeded is None:
            continue
        if heeded in headers:
            return _joined((_HEEDED[n], v) for n, v in scope["headers"] if n in _HEEDED)
        headers[heeded] = value.decode("latin-1")
    return headers


_HEEDED = {name.encode(): name for name in HEEDED}


def _joined(pairs: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """A list may come in several lines (RFC 9110 §5.3), and so may cookies (RFC 9113 §8.2.3)."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        text, between = value.decode("latin-1"), "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{between}{text}" if name in headers else text
    return headers


def sent_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, as they are sent."""
    return list(map(_sent, headers, headers.values()))


@lru_cache(maxsize=4096)  # most say one of a few things
def _sent(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


def may_have_body(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether a body may follow: in HTTP/1 one of two headers tells of it (RFC 9112 §6.3)."""
    return (
        scope["method"] != "GET"
        or "content-length" in headers
        or "transfer-encoding" in headers
        or scope.get("http_version") != "1.1"
    )


def cookies_of(scope: Scope) -> str:
    """The `Cookie` header of a request; HTTP/2 may send it in pieces (RFC 9113 §8.2.3)."""
    cookies = [value.decode("latin-1") for name, value in scope["headers"] if name == b"cookie"]
    return "; ".join(cookies)


def address_of(scope: Scope) -> str:
    """The client's address as the server says it, behind proxies that it trusts; may be empty."""
    client = scope.get("client")
    return client[0] if client else ""


def is_secure(scope: Scope) -> bool:
    """Whether the client came by https, or by a WebSocket on it."""
    return scope.get("scheme") in ("https", "wss")
