"""The stream of a cart's versions, over a real wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from ecart import AsyncMemoryStore, Cart, RedisStore
from ecart.errors import SessionEndedError, StoreUnavailableError
from ecart.http.problems import HttpError
from ecart.operations import AddItem, EndSession, GetSummary, Rules
from ecart_server.shop import events, subscriptions
from ecart_server.shop.subscriptions import PublishingStore, Subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine
    from serving import Service

SECRET = "a secret of the tests that is long enough"


class Stream:
    """One connection to the events of a session."""

    def __init__(
        self, service: Service, visitor: requests.Session, last: str | None = None
    ) -> None:
        headers = {} if last is None else {"Last-Event-ID": last}
        self.answer = visitor.get(
            f"{service.address}/cart/events", headers=headers, stream=True, timeout=20
        )
        self._lines = self.answer.iter_lines(chunk_size=1, decode_unicode=True)

    def block(self) -> list[str]:
        """The next event or comment."""
        return list(iter(lambda: next(self._lines), ""))

    def event(self) -> tuple[str, dict[str, Any]]:
        """The next event: its id and its data."""
        while True:
            fields = dict(line.split(": ", 1) for line in self.block())
            if "data" in fields:
                assert fields["event"] == "cart"
                return fields["id"], json.loads(fields["data"])


@pytest.fixture
def service(serve: Callable[..., Service], engine: Engine) -> Service:
    return serve("--redis-url", engine.url).ready()


@pytest.fixture
def stream(service: Service, visitor: requests.Session) -> Iterator[Callable[..., Stream]]:
    """Opens streams of the visitor's session."""
    visitor.get(f"{service.address}/cart")
    opened: list[Stream] = []

    def open_one(last: str | None = None) -> Stream:
        opened.append(Stream(service, visitor, last))
        return opened[-1]

    yield open_one
    for each in opened:
        each.answer.close()


def add(service: Service, visitor: requests.Session, sku: str = "apple") -> str:
    """Adds; the id of the version that is there now."""
    answer = visitor.post(f"{service.address}/cart/items", json={"sku": sku})
    return answer.headers["ETag"].strip('"').rpartition(".")[0]


def test_each_version_is_reported(
    service: Service, visitor: requests.Session, stream: Callable[..., Stream], engine: Engine
) -> None:
    """At once if this process made it, within about a second if another did."""
    following_it = stream()
    head = following_it.answer.headers
    first = following_it.event()
    added = add(service, visitor)
    began = time.monotonic()
    second = following_it.event()
    told_after = time.monotonic() - began
    store = RedisStore(engine.url)
    Cart(second[1]["cart_id"], store).add("tea", unit_price="4.85")
    began = time.monotonic()
    third = following_it.event()
    print(f"own: {told_after:.3f} s, of others: {time.monotonic() - began:.2f} s")

    assert (head["content-type"], head["cache-control"]) == (
        "text/event-stream",
        "private, no-store",
    )
    assert (first[0], first[1]["version"]) == ("none", 0)
    assert (second[0], second[1]["total_quantity"]) == (added, 1)
    assert (third[1]["version"], third[1]["subtotal"]) == (2, "5.35")
    assert second[1] | {"version": 0} != first[1]
    assert told_after < 0.5
    assert time.monotonic() - began < 2.5
    store.close()


def test_a_stream_is_resumed(
    service: Service, visitor: requests.Session, stream: Callable[..., Stream]
) -> None:
    """Who says what he has is told what is new, and nothing else."""
    missed = add(service, visitor)
    latest = add(service, visitor)

    assert stream(missed).event()[0] == latest
    assert stream("another.7").event()[0] == latest
    knows = stream(latest)
    newer = add(service, visitor)
    assert knows.event()[0] == newer


def test_no_session_has_nothing_to_follow(service: Service, visitor: requests.Session) -> None:
    """204, at which browsers do not come back; and no session begins."""
    answer = visitor.get(f"{service.address}/cart/events")

    assert (answer.status_code, len(visitor.cookies)) == (204, 0)
    assert visitor.post(f"{service.address}/cart/events").status_code == 405
    assert visitor.head(f"{service.address}/cart/events").status_code == 204


def test_a_cart_is_followed_by_so_many(
    service: Service, visitor: requests.Session, stream: Callable[..., Stream]
) -> None:
    """Twenty of one cart; then 429, until one has gone."""
    many = [stream() for _ in range(subscriptions.MAX_STREAMS_PER_CART)]
    refused = stream().answer

    assert refused.status_code == 429
    assert refused.json()["code"] == "too_many_streams"
    many[0].answer.close()
    deadline = time.monotonic() + 5
    while stream().answer.status_code == 429:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_address_follows_so_many_carts(serve: Callable[..., Service], engine: Engine) -> None:
    """Whatever the number of its sessions; another address is not refused for it."""
    service = serve("--redis-url", engine.url, "--streams-per-address", "3").ready()
    far, near = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}

    with contextlib.ExitStack() as stack:

        def follow(headers: dict[str, str]) -> requests.Response:
            visitor = stack.enter_context(requests.Session())
            visitor.headers.update(headers)
            visitor.get(f"{service.address}/cart")
            answer = visitor.get(f"{service.address}/cart/events", stream=True, timeout=20)
            return stack.enter_context(answer)

        opened = [follow(far) for _ in range(4)]
        others = [follow(near), *(follow({}) for _ in range(4))]
        assert [answer.status_code for answer in opened] == [200, 200, 200, 429]
        assert {answer.status_code for answer in others} == {200}
        opened[0].close()
        deadline = time.monotonic() + 5
        while follow(far).status_code == 429:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_streams_end_with_the_service(
    serve: Callable[..., Service], engine: Engine, visitor: requests.Session, workers: str
) -> None:
    """SIGTERM ends them whole, and the service does not wait for their clients."""
    service = serve("--workers", workers, "--redis-url", engine.url).ready()
    visitor.get(f"{service.address}/cart")
    streams = [Stream(service, visitor) for _ in range(5)]
    for each in streams:
        each.event()

    code, seconds = service.terminate()

    print(f"gone in {seconds:.2f} s")
    assert (code, seconds < 3) == (0, True), service.said
    for each in streams:
        assert each.answer.raw.read() == b""  # the end of the body, not of the connection alone
    assert "Traceback" not in service.said
    assert "ancel" not in service.said


def test_a_client_that_has_gone_is_forgotten(service: Service, visitor: requests.Session) -> None:
    """Three hundred that come and go leave room for the next."""
    visitor.get(f"{service.address}/cart")
    cookie = "; ".join(f"{c.name}={c.value}" for c in visitor.cookies)
    asked = f"GET /cart/events HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode()
    for _ in range(300):
        with socket.create_connection(("127.0.0.1", service.port)) as client:
            client.sendall(asked)
            assert client.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 429")
    deadline = time.monotonic() + 5
    while (stream := Stream(service, visitor)).answer.status_code != 200:
        assert time.monotonic() < deadline
    stream.answer.close()


# In this process, where its clock can be turned.


class Counted:
    """A store that counts what is asked of it, and can be away."""

    def __init__(self) -> None:
        self.inner = AsyncMemoryStore()
        self.asked: list[str] = []
        self.is_away = False

    async def execute(self, cart_id: str, operation: Any, /) -> Any:
        if isinstance(operation, GetSummary):
            self.asked.append(cart_id)
        if self.is_away:
            raise StoreUnavailableError("away")
        return await self.inner.execute(cart_id, operation)


async def test_a_log_out_ends_the_stream(quick: None) -> None:
    """The open one with the next heartbeat; a new one does not begin."""
    from ecart.http import Request, Session

    store = AsyncMemoryStore()
    stream = events.EventStream(store, Rules(), Subscriptions(store, Rules()))
    request = Request(method="GET", path="/cart/events", session=Session("user.42", id="s"))

    async def receive() -> dict[str, Any]:
        return await asyncio.Future()

    async def send(message: Any) -> None:
        pass

    running = asyncio.create_task(stream(request, receive, send))
    await asyncio.sleep(0.12)
    assert not running.done()
    await store.execute("user.42", EndSession(ended_id="s", life_ms=60_000))

    await asyncio.wait_for(running, 2)
    with pytest.raises(SessionEndedError):
        await stream(request, receive, send)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls and heartbeats come twenty times a second."""
    monkeypatch.setattr(subscriptions, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)


async def test_one_read_serves_all_subscribers_of_a_cart(quick: None) -> None:
    """However many streams there are; and none without a stream."""
    store = Counted()
    watch = Subscriptions(store, Rules())
    with contextlib.ExitStack() as streams:
        for _ in range(20):
            streams.enter_context(watch.subscribe("busy"))
        await asyncio.sleep(0.52)
        assert 5 <= len(store.asked) <= 11
    await asyncio.sleep(0.1)
    asked = len(store.asked)
    await asyncio.sleep(0.2)

    assert len(store.asked) == asked


async def test_an_engine_that_is_away_is_asked_for_few(quick: None) -> None:
    """One batch at a time; when it is back, what changed meanwhile is published."""
    store = Counted()
    watch = Subscriptions(store, Rules())
    with contextlib.ExitStack() as streams:
        subscribers = [streams.enter_context(watch.subscribe(str(n))) for n in range(300)]
        store.is_away = True
        await asyncio.sleep(0.22)
        assert set(store.asked) <= {str(n) for n in range(subscriptions.READS_PER_BATCH)}
        await store.inner.execute("299", AddItem(sku="tea", rules=Rules()))
        store.is_away = False

        news = await subscribers[-1].next_state(5)

    assert news is not None
    assert (news.cart_id, news.version) == ("299", 1)


async def test_a_change_made_here_is_published_without_polling() -> None:
    """Through the store of the service; a cart without subscribers goes straight through."""
    watch = Subscriptions(store := Counted(), Rules())
    publishing = PublishingStore(store, watch)
    with watch.subscribe("mine") as subscriber:
        await publishing.execute("mine", AddItem(sku="tea", rules=Rules()))
        await publishing.execute("other", AddItem(sku="tea", rules=Rules()))

        news = await subscriber.next_state(0)

    assert news is not None
    assert (news.cart_id, news.version) == ("mine", 1)
    assert store.asked == []


async def test_an_older_state_is_not_sent() -> None:
    """A poll that a change has overtaken notifies nobody."""
    store = AsyncMemoryStore()
    states = [await store.execute("c", GetSummary(rules=Rules()))]
    for _ in range(2):
        done = await store.execute("c", AddItem(sku="tea", rules=Rules()))
        states.append(done.summary)
    with Subscriptions(store, Rules()).subscribe("c") as subscriber:
        for state in (states[2], states[1], states[2]):
            subscriber.notify(state)
        news = await subscriber.next_state(0)
        assert news is not None
        assert news.version == 2
        subscriber.notify(states[1])
        assert await subscriber.next_state(0) is None


async def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all carts together, too."""
    monkeypatch.setattr(subscriptions, "MAX_STREAMS", 3)
    watch = Subscriptions(AsyncMemoryStore(), Rules())
    with contextlib.ExitStack() as streams:
        for n in range(3):
            streams.enter_context(watch.subscribe(str(n)))
        with pytest.raises(HttpError, match="too many follow"), watch.subscribe("one more"):
            pass
    with watch.subscribe("one more"):
        pass


async def test_none_begins_after_the_end() -> None:
    """What comes when the service has been told to stop ends at once."""
    watch = Subscriptions(AsyncMemoryStore(), Rules())
    watch.close()

    with watch.subscribe("late") as subscriber:
        assert subscriber.is_closed


async def test_a_stream_without_news_is_kept_alive(quick: None) -> None:
    """By a comment, which no browser tells its page of; and it ends when the service does."""
    from ecart.http import Request, Session

    store = AsyncMemoryStore()
    watch = Subscriptions(store, Rules())
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return await asyncio.Future()

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    request = Request(method="GET", path="/cart/events", session=Session("c"))
    running = asyncio.create_task(events.EventStream(store, Rules(), watch)(request, receive, send))
    await asyncio.sleep(0.3)
    watch.close()
    await asyncio.wait_for(running, 1)

    assert sent[1] == b"retry: 2000\n\n"
    assert sent[2].startswith(b"event: cart\nid: none\ndata: {")
    assert sent[3] == b": still here\n\n"
    assert sent[-1] == b""
    assert 3 <= sent.count(b": still here\n\n") <= 7
