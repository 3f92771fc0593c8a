"""What a connection takes in is bounded with each parser; and HTTP is followed to the letter."""

from __future__ import annotations

import json
import re
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from ecart_server.app.h11_protocol import H11Protocol
from ecart_server.app.httptools_protocol import HttptoolsProtocol
from service.threaded import service_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine

HOST = b"Host: x\r\n"
ALIVE = b"GET /healthz HTTP/1.1\r\n" + HOST
JSON = b"Content-Type: application/json\r\n"
APPLE = b'{"sku":"apple"}'
SENT = 64 * 2**20


@pytest.fixture(params=[H11Protocol, HttptoolsProtocol], ids=["h11", "httptools"])
def port(request: pytest.FixtureRequest, engine: Engine) -> Iterator[int]:
    """The service behind each parser."""
    with service_in_thread(engine, request.param) as port:
        yield port


class Answer:
    """The first response in what a server sent, and what followed it."""

    def __init__(self, received: bytes) -> None:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if lines[0] else 0
        pairs = (line.partition(": ") for line in lines[1:])
        self.headers = {name.lower(): value for name, _, value in pairs}
        length = int(self.headers.get("content-length", 0))
        self.body, self.rest = rest[:length], rest[length:]

    @property
    def code(self) -> Any:
        """The code of a problem document."""
        return json.loads(self.body)["code"]


def sent(port: int, *parts: bytes, seconds: float = 5) -> bytes:
    """What comes back until the server closes; the last part may be cut off by it."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as client:
        received = b""
        try:
            for part in parts:
                client.sendall(part)
            while piece := client.recv(65_536):
                received += piece
        except (ConnectionError, TimeoutError):
            pass
        return received


def asked(port: int, *parts: bytes) -> Answer:
    """The response to a request that also asks for the connection to be closed."""
    return Answer(sent(port, *parts))


def head_of(size: int) -> bytes:
    """A head of exactly so many bytes, in lines of 8 KiB."""
    head = ALIVE + b"Connection: close\r\n"
    number = 0
    while size - len(head) - 2 > 9000:
        head += b"X-%04d: " % number + b"x" * 8000 + b"\r\n"
        number += 1
    head += b"X-Last: " + b"x" * (size - len(head) - 12) + b"\r\n\r\n"
    assert len(head) == size
    return head


def lines_of(count: int) -> bytes:
    more = b"".join(b"X-%d: y\r\n" % number for number in range(count - 2))
    return ALIVE + b"Connection: close\r\n" + more + b"\r\n"


END = HOST + b"\r\n"
BAD: dict[str, bytes] = {
    "no host": b"GET /cart HTTP/1.1\r\n\r\n",
    "two hosts": ALIVE + END,
    "no host name": b"GET /cart HTTP/1.1\r\nHost: a b\r\n\r\n",
    "a script for a host": b"GET /cart HTTP/1.1\r\nHost: <x>\r\n\r\n",
    "an asterisk": b"GET * HTTP/1.1\r\n" + END,
    "no target": b"GET cart HTTP/1.1\r\n" + END,
    "another scheme": b"GET ftp://x/cart HTTP/1.1\r\n" + END,
    "a user in the target": b"GET http://a@x/cart HTTP/1.1\r\n" + END,
    "a tunnel": b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 3 + b"\r\n\r\n",
    "two lengths": ALIVE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a length that is none": ALIVE + b"Content-Length: x\r\n\r\n",
}
LONG_HEADS: dict[str, bytes] = {
    "a head": head_of(65_537),
    "a head without end": ALIVE + b"X: y\r\n" * 20_000,
    "a line without end": ALIVE + b"X: " + b"y" * 70_000,
    "many lines": lines_of(101),
    "a line": ALIVE + b"X: " + b"y" * 16_382 + b"\r\n\r\n",
}
LONG_TARGETS: dict[str, bytes] = {
    "a target": b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\n" + END,
    "a query": b"GET /cart?" + b"a" * 8192 + b" HTTP/1.1\r\n" + END,
    "a target without end": b"GET /" + b"a" * 70_000,
}
CODINGS: dict[str, bytes] = {
    "another coding": ALIVE + b"Transfer-Encoding: gzip\r\n\r\n",
    "two codings": ALIVE + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
}
REFUSED = {
    f"{code}: {what}": (request, status, code)
    for requests, status, code in (
        (BAD, 400, "invalid_request"),
        (LONG_HEADS, 431, "head_too_large"),
        (LONG_TARGETS, 414, "target_too_long"),
        (CODINGS, 501, "unknown_transfer_coding"),
    )
    for what, request in requests.items()
}


@pytest.mark.parametrize(("request_", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_and_closed(port: int, request_: bytes, status: int, code: str) -> None:
    """With a problem document and the headers of all answers; the connection ends."""
    answer = asked(port, request_)

    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.rest == b""
    assert asked(port, ALIVE + b"Connection: close\r\n\r\n").status == 200


@pytest.mark.parametrize(
    "request_",
    [
        head_of(65_536),
        lines_of(100),
        ALIVE + b"Connection: close\r\nX: " + b"y" * 16_381 + b"\r\n\r\n",
        b"GET /healthz?" + b"a" * 8183 + b" HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
    ],
    ids=["a head", "lines", "a line", "a target", "no host in 1.0"],
)
def test_as_much_as_is_allowed(port: int, request_: bytes) -> None:
    """The largest of each is taken."""
    assert asked(port, request_).status == 200


def test_a_head_in_many_packets(port: int) -> None:
    """It is counted over all of them."""
    answer = asked(port, ALIVE, *[b"X: " + b"y" * 1000 + b"\r\n"] * 70)

    assert (answer.status, answer.code) == (431, "head_too_large")


def test_forty_megabytes_of_head_are_not_kept(port: int) -> None:
    """The rest is not parsed: the answer comes, and the server hangs up."""
    began = time.monotonic()

    answer = asked(port, ALIVE, *[b"Cookie: " + b"y" * 8000 + b"\r\n"] * 5000)

    assert answer.status in (431, 0)  # reset, where the client would not read
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "framing", [b"Content-Length: %d\r\n" % SENT, b"Transfer-Encoding: chunked\r\n"]
)
@pytest.mark.parametrize("target", [b"/cart/items", b"/nothing", b"/healthz", b"/shop/add"])
def test_a_refused_body_is_not_read_on(port: int, framing: bytes, target: bytes) -> None:
    """Of 64 MB, little is taken before the connection ends."""
    head = b"POST " + target + b" HTTP/1.1\r\n" + HOST + JSON + framing + b"\r\n"
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n" if b"chunked" in framing else b"x" * 65_536
    taken = 0
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        client.sendall(head)
        try:
            while taken < SENT:
                client.sendall(piece)
                taken += len(piece)
        except ConnectionError:
            pass

    assert taken < SENT / 4


def test_a_large_body_is_refused_where_the_client_can_see_it(port: int) -> None:
    """413 arrives, though the client was still sending."""
    head = b"POST /cart/items HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 100000\r\n\r\n"

    answer = asked(port, head + b"x" * 100_000)

    assert (answer.status, answer.code) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"


CHUNKED = b"POST /cart/items HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n"


def with_extensions(size: int) -> bytes:
    extension = b";" + b"y" * (size // 15)
    chunks = (b"1%s\r\n%c\r\n" % (extension, byte) for byte in APPLE)
    return b"".join(chunks) + b"0\r\n\r\n"


FRAMING: dict[str, Callable[[int], bytes]] = {
    "an extension": lambda size: b"f;x=" + b"y" * size + b"\r\n" + APPLE + b"\r\n0\r\n\r\n",
    "extensions": with_extensions,
    "a trailer": lambda size: b"f\r\n" + APPLE + b"\r\n0\r\nX: " + b"y" * size + b"\r\n\r\n",
    "trailers": lambda size: (
        b"f\r\n" + APPLE + b"\r\n0\r\n" + b"X: yyyy\r\n" * (size // 9) + b"\r\n"
    ),
}


@pytest.mark.parametrize("framing", FRAMING.values(), ids=FRAMING)
def test_what_is_around_chunks_is_bounded(port: int, framing: Callable[[int], bytes]) -> None:
    """12 KB of chunk extensions or trailers are taken, 32 KB are 400; none of it is a header."""
    head = CHUNKED + b"Connection: close\r\n\r\n"

    taken, refused = (asked(port, head, framing(size)) for size in (12_000, 32_000))

    assert taken.status == 200
    assert (refused.status, refused.code) == (400, "invalid_request")


def test_a_trailer_is_no_header(port: int) -> None:
    """What comes behind the body changes nothing of the request (RFC 9110 §6.5.1)."""
    head = b"POST /cart/items HTTP/1.1\r\n" + HOST + JSON + b"Transfer-Encoding: chunked\r\n"

    answer = asked(
        port,
        head + b"Connection: close\r\n\r\nf\r\n" + APPLE,
        b"\r\n0\r\nCart-Token: new\r\nIdempotency-Key: ~\r\n\r\n",
    )

    assert answer.status == 200
    assert "cart-token" not in answer.headers


def test_a_bad_request_waits_for_the_responses_before_it(port: int) -> None:
    """Of a pipeline, the good ones are answered first, in order."""
    good = b"POST /cart/items HTTP/1.1\r\n" + HOST + JSON + b"Content-Length: 15\r\n\r\n" + APPLE

    first = Answer(sent(port, good + good + ALIVE + HOST + b"\r\n"))
    second = Answer(first.rest)
    third = Answer(second.rest)

    assert [first.status, second.status, third.status] == [200, 200, 400]
    assert third.rest == b""


def test_a_pipeline_is_no_long_head(port: int) -> None:
    """Many requests of one connection, sent at once, are many heads."""
    requests = (ALIVE + b"X: " + b"y" * 1000 + b"\r\n\r\n") * 150

    received = sent(port, requests + ALIVE + b"Connection: close\r\n\r\n")

    assert received.count(b"HTTP/1.1 200") == 151


@pytest.mark.parametrize("offer", [b"h2c", b"websocket", b"TLS/1.0", b"h2c, websocket"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("cuts", [1, 2, 50])
def test_an_upgrade_is_ignored(port: int, offer: bytes, framing: str, cuts: int) -> None:
    """The body counts, and the connection goes on (RFC 9110 §7.8), however it is cut."""
    upgrade = (
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: "
        + offer
        + b"\r\nHTTP2-Settings: AAMA\r\n"
    )
    head = b"POST /cart/items HTTP/1.1\r\n" + HOST + JSON + upgrade
    if framing == "length":
        request_ = head + b"Content-Length: 15\r\n\r\n" + APPLE
    else:
        request_ = (
            head
            + b"Transfer-Encoding: chunked\r\n\r\n5\r\n"
            + APPLE[:5]
            + b"\r\na\r\n"
            + APPLE[5:]
            + b"\r\n0\r\n\r\n"
        )
    last = (
        b"GET /cart HTTP/1.1\r\n"
        + HOST
        + upgrade.replace(b"Upgrade, ", b"Upgrade, close, ")
        + b"\r\n"
    )
    whole = request_ + request_ + last
    step = -(-len(whole) // cuts)

    received = sent(port, *(whole[at : at + step] for at in range(0, len(whole), step)))

    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200"] * 3
    assert received.count(b'"total_quantity":1') == 2


@pytest.mark.parametrize(
    "target",
    [b"http://shop.test/healthz", b"HTTP://shop.test:80/healthz?x=1", b"https://[::1]/healthz"],
)
def test_a_whole_url_is_a_target_too(port: int, target: bytes) -> None:
    """Absolute form: a server must take it (RFC 9112 §3.2.2)."""
    answer = asked(port, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")

    assert answer.status == 200


def test_the_host_of_a_whole_url_counts(port: int) -> None:
    """Not the one in the header (RFC 9112 §3.2.2): an origin is compared with it."""
    rest = (
        JSON
        + b"Origin: http://shop.test\r\nContent-Length: 15\r\nConnection: close\r\n\r\n"
        + APPLE
    )
    target = b"POST http://%s/cart/items HTTP/1.1\r\nHost: %s\r\n"

    assert asked(port, target % (b"shop.test", b"evil.test") + rest).status == 200
    assert asked(port, target % (b"evil.test", b"shop.test") + rest).status == 403


@pytest.mark.parametrize("target", [b"*", b"http://x"])
def test_options_of_the_server(port: int, target: bytes) -> None:
    """`OPTIONS *` names every method that there is."""
    answer = asked(
        port, b"OPTIONS " + target + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    )

    assert (answer.status, answer.headers["allow"]) == (
        204,
        "DELETE, GET, HEAD, OPTIONS, PATCH, POST",
    )
