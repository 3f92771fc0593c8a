"""ASGI's scopes and messages: reading a request, and sending a response."""

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

from ecart.http.messages import USED_HEADERS

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

BODY_SECONDS = 10.0
"""How long a client may take to send a body of at most 16 KiB."""


async def send_response(send: Send, answer: Answer | None) -> None:
    """Sends a response; None: the client has gone."""
    if answer is not None:
        status, headers, body = answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The body, cut off one byte after the limit; None if the client has gone."""
    body = bytearray()  # it grows in place, however small the pieces are
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > limit or not message.get("more_body", False):
            return bytes(body[: limit + 1])


async def read_body_in_time(receive: Receive, limit: int) -> bytes | None:
    """`read_body` within `BODY_SECONDS`.

    Most bodies have arrived before they are read; for those no timer is set.

    Raises:
        TimeoutError: it took longer.
    """
    reading = read_body(receive, limit)
    try:
        waited_for = reading.send(None)
    except StopIteration as read:
        return read.value  # type: ignore[no-any-return]
    async with asyncio.timeout(BODY_SECONDS):
        return await _resume(reading, waited_for)


@coroutine
def _resume(
    started: Coroutine[Any, Any, bytes | None], waited_for: Any
) -> Generator[Any, Any, bytes | None]:
    """Drives a coroutine to its end that was started already and waits for `waited_for`."""
    try:
        while True:
            try:
                sent = yield waited_for
            except BaseException as error:  # cancelled, when time is up
                waited_for = started.throw(error)
            else:
                waited_for = started.send(sent)
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


def used_headers(scope: Scope) -> dict[str, str]:
    """`headers_of`, but only those that the API reads: browsers send many others."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        used = _USED.get(name)
        if used is None:
            continue
        if used in headers:
            return _joined((_USED[n], v) for n, v in scope["headers"] if n in _USED)
        headers[used] = value.decode("latin-1")
    return headers


_USED = {name.encode(): name for name in USED_HEADERS}


def _joined(pairs: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """A list may come in several lines (RFC 9110 §5.3), and so may cookies (RFC 9113 §8.2.3)."""
    lines: dict[str, list[str]] = {}
    for name, value in pairs:
        lines.setdefault(name, []).append(value.decode("latin-1"))
    return {
        name: ("; " if name == "cookie" else ", ").join(values) for name, values in lines.items()
    }


def encode_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The headers of a response in ASGI's form."""
    return list(map(_encoded, headers, headers.values()))


@lru_cache(maxsize=4096)  # most have one of a few values
def _encoded(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


def may_have_body(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether a body may follow: in HTTP/1 one of two headers announces it (RFC 9112 §6.3)."""
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
    """The client's address as the server knows it, behind proxies that it trusts; may be empty."""
    client = scope.get("client")
    return client[0] if client else ""


def is_secure(scope: Scope) -> bool:
    """Whether the client came by https, or by a WebSocket on it."""
    return scope.get("scheme") in ("https", "wss")
