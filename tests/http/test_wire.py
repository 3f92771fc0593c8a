"""Over a real wire, with real servers: framing, pace, and many at once."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest
import requests

from clients import TWO
from clients.live import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clients import Shop

pytestmark = pytest.mark.parametrize("shop_class", TWO, indirect=True)


@pytest.fixture
def address(shop: Shop) -> Iterator[str]:
    """Where the shop is served."""
    with served(shop) as found:
        yield found


@pytest.fixture
def visitor() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_the_first_program(address: str) -> None:
    """What the first user of the service writes, as it stands but for the address."""
    BASE_URL = address
    with requests.Session() as s:
        r1 = s.post(f"{BASE_URL}/cart/items", json={"sku": "apple"})
        r1.raise_for_status()
        r2 = s.post(f"{BASE_URL}/cart/items", json={"sku": "banana"})
        r2.raise_for_status()
        assert r1.json()["cart_id"] == r2.json()["cart_id"]
        r3 = s.get(f"{BASE_URL}/cart")
        assert {item["sku"] for item in r3.json()["items"]} == {"apple", "banana"}


def test_threads_of_one_session_lose_nothing(address: str, visitor: requests.Session) -> None:
    """8 threads add 50 apples each to one cart: 400 apples, and the cart is made once."""
    visitor.get(f"{address}/cart")
    ids = set()

    def add_fifty(_: int) -> None:
        with requests.Session() as own:
            own.cookies.update(visitor.cookies)
            for _ in range(50):
                answer = own.post(f"{address}/cart/items", json={"sku": "apple"})
                answer.raise_for_status()
                ids.add(answer.json()["cart_id"])

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add_fifty, range(8)))

    cart = visitor.get(f"{address}/cart").json()
    assert [(i["sku"], i["quantity"]) for i in cart["items"]] == [("apple", 400)]
    assert (cart["version"], ids) == (400, {cart["cart_id"]})


def test_threads_with_different_wares_do_not_disturb_each_other(
    address: str, visitor: requests.Session
) -> None:
    """8 threads, each with a SKU of its own, add, set and remove at the same time."""
    visitor.get(f"{address}/cart")

    def shop_for(sku: str) -> None:
        with requests.Session() as own:
            own.cookies.update(visitor.cookies)
            for _ in range(10):
                own.post(f"{address}/cart/items", json={"sku": sku}).raise_for_status()
                own.patch(f"{address}/cart/items/{sku}", json={"quantity": 5}).raise_for_status()
                own.delete(f"{address}/cart/items/{sku}").raise_for_status()
            own.post(f"{address}/cart/items", json={"sku": sku, "quantity": 3}).raise_for_status()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(shop_for, "abcdefgh"))

    cart = visitor.get(f"{address}/cart").json()
    assert sorted((i["sku"], i["quantity"]) for i in cart["items"]) == [(c, 3) for c in "abcdefgh"]
    assert cart["version"] == 8 * 31


def test_one_of_many_wins_an_if_match(address: str, visitor: requests.Session) -> None:
    """Of 8 that insist on the same state, one gets through and 7 learn that it is gone."""
    tag = visitor.post(f"{address}/cart/items", json={"sku": "apple"}).headers["ETag"]
    start = threading.Barrier(8)

    def change(quantity: int) -> int:
        with requests.Session() as own:
            own.cookies.update(visitor.cookies)
            start.wait()
            return own.patch(
                f"{address}/cart/items/apple",
                json={"quantity": quantity},
                headers={"If-Match": tag},
            ).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(change, range(2, 10)))

    assert statuses == [200] + [412] * 7


def test_repeats_at_the_same_time_count_once(address: str, visitor: requests.Session) -> None:
    """A client that sends its change 8 times at once, under one key, has made it once."""
    visitor.get(f"{address}/cart")
    start = threading.Barrier(8)

    def add(_: int) -> str | None:
        with requests.Session() as own:
            own.cookies.update(visitor.cookies)
            start.wait()
            answer = own.post(
                f"{address}/cart/items", json={"sku": "apple"}, headers={"Idempotency-Key": "k"}
            )
            answer.raise_for_status()
            return answer.headers.get("Idempotency-Replayed")

    with ThreadPoolExecutor(8) as threads:
        replayed = list(threads.map(add, range(8)))

    assert sorted(map(str, replayed)) == ["None"] + ["true"] * 7
    assert visitor.get(f"{address}/cart").json()["total_quantity"] == 1


def connection(address: str) -> HTTPConnection:
    return HTTPConnection(urlsplit(address).netloc, timeout=10)


def test_answers_are_framed_right(address: str) -> None:
    """HEAD, 204, 304 and errors leave a kept connection in order for the next request."""
    one = connection(address)
    cookie = ""
    statuses = []
    for method, target, headers in (
        ("GET", "/cart", {}),
        ("HEAD", "/cart", {}),
        ("OPTIONS", "/cart", {}),
        ("GET", "/cart", {"If-None-Match": "*"}),
        ("HEAD", "/cart/nothing", {}),
        ("DELETE", "/cart", {"Origin": "null"}),
        ("GET", "/cart", {}),
    ):
        one.request(method, target, headers={"Cookie": cookie, **headers})
        answer: HTTPResponse = one.getresponse()
        answer.read()
        cookie = cookie or (answer.getheader("Set-Cookie") or "").partition(";")[0]
        statuses.append(answer.status)
    one.close()

    assert statuses == [200, 200, 204, 304, 404, 403, 200]


def test_a_body_in_chunks(address: str) -> None:
    """Is read to its limit, and refused beyond."""

    def post(pieces: list[bytes]) -> int:
        one = connection(address)
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        # A server that has seen enough may hang up; its answer is there all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            one.request("POST", "/cart/items", iter(pieces), headers, encode_chunked=True)
        status = one.getresponse().status
        one.close()
        return status

    assert post([b'{"sku":', b'"apple"}']) == 200
    assert post([b" "] * 16_385) == 413


def test_a_body_that_is_reported_to_be_too_long_is_not_waited_for(address: str) -> None:
    """The refusal comes before a single byte of it."""
    host = urlsplit(address)
    head = b"POST /cart/items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection((host.hostname, host.port), timeout=10) as raw:  # type: ignore[arg-type]
        began = time.monotonic()
        raw.sendall(head + b"Content-Length: 1000000000\r\n\r\n")
        said = raw.recv(4096)

    assert said.split(b" ")[1] == b"413"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("sku", ["a/b", "%2F", "ä b", "?#", "a;b", "🍎"])
def test_ids_survive_servers(address: str, visitor: requests.Session, sku: str) -> None:
    """Percent-encoded by a client, decoded by a server, still the same line."""
    visitor.post(f"{address}/cart/items", json={"sku": sku}).raise_for_status()

    answer = visitor.delete(f"{address}/cart/items/{quote(sku, safe='')}")

    assert (answer.status_code, answer.json()["items"]) == (200, [])


@pytest.mark.parametrize("sku", [".", "..", "../..", "a/../b", "a/b", "//", "%2F"])
def test_ids_in_a_body_survive_clients_and_servers(
    address: str, visitor: requests.Session, sku: str
) -> None:
    """Clients resolve dots in a path, and servers decode slashes; a body is as it was written."""
    visitor.post(f"{address}/cart/items", json={"sku": sku}).raise_for_status()

    changed = visitor.patch(f"{address}/cart/items", json={"line_id": sku, "quantity": 3})
    removed = visitor.patch(f"{address}/cart/items", json={"line_id": sku, "quantity": 0})

    assert (changed.status_code, changed.json()["total_quantity"]) == (200, 3)
    assert (removed.status_code, removed.json()["items"]) == (200, [])
