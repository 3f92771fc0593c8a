"""The log: which request a line is of, in both forms, and nothing of whoever sent it."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ecart import CorruptCartError, StoreUnavailableError
from ecart.errors import CatalogError
from ecart.http import HttpSettings
from ecart.stores.redis.keys import Keyspace
from ecart_server.observability.context import RequestContext, context_of, current
from ecart_server.observability.logs import JsonLines, TextLines
from service.observing import client_of
from serving import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine
    from serving import Service

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


# Nothing of whoever sent it

MARK = "m4rked"
MARKED = {
    "User-Agent": f"{MARK}-agent",
    "Referer": f"https://{MARK}.test/",
    "X-Forwarded-For": "203.0.113.77",
    "Authorization": f"Bearer {MARK}-key",
    "Idempotency-Key": f"{MARK}-idempotency",
    "X-Request-Id": f"{MARK}/id",
}


@pytest.mark.foreign_data
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_visitor_leaves_no_trace(
    serve: Callable[..., Service], engine: Engine, form: str, visitor: requests.Session
) -> None:
    """Neither what they send, nor their cart, cookie or address, whatever goes wrong."""
    given = ("--redis-url", engine.url, "--log-format", form, "--log-level", "debug")
    service = serve(*given, "--access-log", env={"ECART_OFFICE_KEYS": "x" * 16}).ready()
    cart_id = visitor.get(f"{service.address}/cart").json()["cart_id"]
    visitor.headers.update(MARKED)
    cookie = visitor.cookies["ecart"]

    body = {"sku": f"{MARK}-sku", "options": {"size": f"{MARK}-size"}}
    visitor.post(f"{service.address}/cart/items?{MARK}=query", json=body).raise_for_status()
    visitor.patch(f"{service.address}/cart/items/{MARK}-sku", json={"quantity": 10**9})
    visitor.delete(f"{service.address}/cart/items/{MARK}-other")
    visitor.get(f"{service.address}/carts/{MARK}-cart")
    visitor.post(f"{service.address}/cart/items", data=f'{{"{MARK}":')
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as raw:
        raw.sendall(f"{MARK}\x00 HTTP\r\n\r\n".encode())
        raw.recv(1000)
    with engine.connected() as client:
        client.hset(Keyspace().cart(cart_id), "m", f"{MARK}-corrupt")
    corrupt = visitor.get(f"{service.address}/cart")
    service.terminate()

    assert corrupt.json()["code"] == "corrupt_cart"
    said = service.said
    assert "/cart/items/{line_id} 422" in said
    assert "corrupt_cart: ecart.errors.CorruptCartError" in said
    server = {
        "json": '"logger":"uvicorn.error","message":"refused a request: invalid_request:',
        "text": "WARNING uvicorn.error: refused a request: invalid_request:",
    }
    assert server[form] in said
    secrets = [MARK, cart_id, cookie, cookie.partition(".")[0], "203.0.113.77", "127.0.0.1"]
    assert [secret for secret in secrets if secret in said] == []


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:
        return caught


ERRORS = {
    "of the engine": (StoreUnavailableError("Connection refused."), "^Connection refused.$"),
    "of a cart": (
        raised(CorruptCartError(f"ecart:{{1}}:cart:{MARK}", "m")),
        r"^ecart.errors.CorruptCartError at .+test_logs.py:\d+$",
    ),
    "of a catalog": (
        raised(CatalogError(f"KeyError('{MARK}')"), raised(KeyError(MARK))),
        r"^ecart.errors.CatalogError, KeyError at .+test_logs.py:\d+$",
    ),
    "of anybody": (ValueError(MARK), "^ValueError$"),
}


@pytest.mark.parametrize(("error", "told"), ERRORS.values(), ids=list(ERRORS))
def test_what_is_reported_of_an_error(error: Exception, told: str) -> None:
    """The engine's words; else the class and the place, since the words may be a visitor's."""
    record = logging.makeLogRecord({"msg": "%s", "args": (error,)})

    assert re.search(told, TextLines().message_of(record))


def test_the_words_of_a_fault_are_left_out() -> None:
    """The way it took and its class are there, and those of what caused it."""
    fault = raised(RuntimeError(MARK), raised(KeyError(MARK)))
    record = logging.makeLogRecord({"msg": "no", "exc_info": (type(fault), fault, None)})
    record.exc_info = (type(fault), fault, fault.__traceback__)

    for text in (TextLines().format(record), json.loads(JsonLines().format(record))["error"]):
        assert MARK not in text
        assert "raise error from cause" in text
        assert re.search(r"RuntimeError\nbecause of:\n.+KeyError$", text, re.DOTALL)


def test_a_broken_catalog_is_described(engine: Engine, tmp_path: Any, lines: Lines) -> None:
    """What is wrong with a file is no visitor's: the operator reads it."""
    wares = tmp_path / "wares.csv"
    wares.write_text("sku,unit_price\nmug,cheap\n")

    with client_of(
        engine.url, catalog=str(wares), http=HttpSettings(accept_unknown_skus=False)
    ) as client:
        answer = client.post("/cart/items", json={"sku": "mug"}, headers={"X-Request-Id": "r-1"})

    assert answer.json()["code"] == "catalog_unavailable"
    (line,) = [line for line in lines() if line["logger"] == "ecart.http"]
    assert line["message"].startswith("catalog_unavailable: the catalog wares.csv cannot be read")
    assert line["request_id"] == "r-1"


# Which request a line is of

Lines = Any


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What was logged in this process since, as JSON lines."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines())
    root, level = logging.getLogger(), logging.root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(level)


def test_a_line_for_each_request(serve: Callable[..., Service]) -> None:
    """If wanted: route, status and time, with the names that the request came with."""
    service = serve("--access-log", "--log-format", "json").ready()
    headers = {"X-Request-Id": "from-the_proxy.1", "traceparent": PARENT}

    requests.get(f"{service.address}/cart/summary", headers=headers, timeout=5)

    eventually(lambda: "/cart/summary" in service.said, 5)
    lines = [json.loads(line) for line in service.said.splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("route") == "/cart/summary"]
    assert line.pop("time").endswith("+00:00")
    assert 0 < line.pop("ms") < 5000
    assert re.fullmatch(r"GET /cart/summary 200 in [\d.]+ ms", line.pop("message"))
    assert line == {
        "level": "info",
        "logger": "ecart.access",
        "request_id": "from-the_proxy.1",
        "trace_id": TRACE,
        "method": "GET",
        "route": "/cart/summary",
        "status": 200,
    }


def test_the_level_is_chosen(serve: Callable[..., Service]) -> None:
    """By a variable as well; lines below it are not written."""
    loud = serve(env={"ECART_ACCESS_LOG": "1", "ECART_LOG_LEVEL": "info"}).ready()
    quiet = serve(env={"ECART_ACCESS_LOG": "1", "ECART_LOG_LEVEL": "warning"}).ready()

    for service in (loud, quiet):
        requests.get(f"{service.address}/healthz", headers={"X-Request-Id": "r-7"}, timeout=5)

    eventually(lambda: "INFO ecart.access [r-7]: GET /healthz 200 in" in loud.said, 5)
    assert "ecart.access" not in quiet.said


GOOD_IDS = ["r-7", "a" * 64, "A.b_c-9", "-"]
BAD_IDS = ["", "a" * 65, "r 7", "r/7", "r\t7", "r;7", "\u00e9", "<script>", "r,7", "\x1b[31m"]


@pytest.mark.parametrize("sent", GOOD_IDS)
def test_a_request_id_is_kept(engine: Engine, sent: str) -> None:
    """A well-formed one comes back."""
    with client_of(engine.url) as client:
        answer = client.get("/healthz", headers={"X-Request-Id": sent})

    assert answer.headers.get_list("x-request-id") == [sent]


@pytest.mark.parametrize("sent", [*BAD_IDS, None])
def test_a_request_id_is_made(engine: Engine, sent: str | None) -> None:
    """For who sends none, or something else; another one each time, on every answer."""
    headers = {} if sent is None else {"X-Request-Id": sent.encode("latin-1")}
    with client_of(engine.url) as client:
        found = [client.get(path, headers=headers) for path in ("/healthz", "/nothing")]

    made = [answer.headers["x-request-id"] for answer in found]
    assert len(set(made)) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in made)


PARENTS = {
    PARENT: TRACE,
    f"cc-{TRACE}-00f067aa0ba902b7-01-what-comes-later": TRACE,
    f"{PARENT}-more": "",
    f"ff-{TRACE}-00f067aa0ba902b7-01": "",
    f"00-{TRACE.upper()}-00f067aa0ba902b7-01": "",
    f"00-{'0' * 32}-00f067aa0ba902b7-01": "",
    f"00-{TRACE}-{'0' * 16}-01": "",
    f"00-{TRACE[1:]}-00f067aa0ba902b7-01": "",
    f"00-{TRACE}-00f067aa0ba902b7": "",
    f"{PARENT}, {PARENT}": "",
    f"{PARENT}\n": "",
    "": "",
}


@pytest.mark.parametrize(("header", "trace_id"), PARENTS.items())
def test_a_traceparent_is_read(header: str, trace_id: str) -> None:
    """As the recommendation says: what is not well-formed is passed over."""
    assert context_of([(b"traceparent", header.encode())]).trace_id == trace_id


def test_outside_of_requests_a_line_names_none() -> None:
    """In text and in JSON."""
    record = logging.makeLogRecord({"msg": "hello", "name": "a", "levelname": "INFO"})
    inside = current.set(RequestContext("r-1"))
    named = TextLines().format(record), json.loads(JsonLines().format(record))
    current.reset(inside)
    bare = TextLines().format(record), json.loads(JsonLines().format(record))

    assert (named[0], bare[0]) == ("INFO a [r-1]: hello", "INFO a: hello")
    assert (named[1]["request_id"], set(bare[1])) == ("r-1", {"time", "level", "logger", "message"})
