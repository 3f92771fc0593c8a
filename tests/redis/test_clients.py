"""Whatever client a caller has: redis-py or valkey-py, sync or asyncio, decoding or not."""

from __future__ import annotations

import asyncio
import inspect
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio
import valkey
import valkey.asyncio

from ecart import AsyncCart, AsyncRedisStore, Cart, LineItem, RedisStore
from ecart.errors import LineNotFoundError, VersionConflictError
from waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine, Engines

CLASSES: dict[str, Any] = {
    "redis": redis.Redis,
    "redis-asyncio": redis.asyncio.Redis,
    "valkey": valkey.Valkey,
    "valkey-asyncio": valkey.asyncio.Valkey,
}
CLUSTERS: dict[str, Any] = {
    "redis": redis.RedisCluster,
    "redis-asyncio": redis.asyncio.RedisCluster,
    "valkey": valkey.ValkeyCluster,
    "valkey-asyncio": valkey.asyncio.ValkeyCluster,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "decoding": {"decode_responses": True},
    "latin-1": {"decode_responses": True, "encoding": "latin-1"},
    "resp2": {"protocol": 2},
    "resp3": {"protocol": 3},
    "resp3-decoding": {"protocol": 3, "decode_responses": True},
    "one-connection": {"single_connection_client": True},
}


def skip_what_its_library_cannot(kind: Any, options: dict[str, Any]) -> None:
    if kind is redis.Redis and options.get("protocol") == 3 and redis.__version__[:2] == "7.":
        pytest.skip("a client of redis-py 7 made for a Unix socket cannot do RESP3")


@pytest.fixture(params=CLASSES.values(), ids=CLASSES)
def connect(
    request: pytest.FixtureRequest, runner: asyncio.Runner
) -> Iterator[Callable[..., Cart]]:
    """Makes a client of a class, and a cart on it."""
    opened: list[Any] = []

    def make(kind: Any = request.param, **options: Any) -> Any:
        skip_what_its_library_cannot(kind, options)
        client = kind(**options)
        opened.append(client)
        return cart_on(client, runner)

    yield make
    for client in opened:
        close(client, runner)


def cart_on(client: Any, runner: asyncio.Runner) -> Any:
    if inspect.iscoroutinefunction(client.execute_command):
        return Waiting(AsyncCart("c", client), runner)
    return Cart("c", client)


def close(client: Any, runner: asyncio.Runner) -> None:
    if inspect.iscoroutinefunction(client.execute_command):
        runner.run(client.aclose())
    else:
        client.close()


def everything_works(cart: Cart) -> None:
    """Each kind of reply there is, through one client."""
    assert cart.get().lines == ()
    assert cart.ttl() == 0
    change = cart.add("apfel", 2, unit_price="1.50", title="Äpfel|日本", details={"ö": [1.5]})
    line = LineItem("apfel", 2, Decimal("1.5"), 1, "Äpfel|日本", {}, {"ö": [1.5]})
    assert change.line == line
    assert cart.line("apfel") == line
    assert cart.line("birne") is None
    assert cart.get().lines == (line,)
    assert cart.get().version == cart.summary().version == 1
    assert cart.add("ключ", unit_price="0.1", operation_id="é").line.title is None  # type: ignore[union-attr]
    assert cart.add("ключ", unit_price="0.1", operation_id="é").replayed
    with pytest.raises(VersionConflictError) as conflict:
        cart.clear(expected_version=1)
    assert conflict.value.version == 2
    with pytest.raises(LineNotFoundError):
        cart.remove("birne")
    assert cart.set_quantity("apfel", 5).summary.subtotal == Decimal("7.6")
    assert cart.set_ttl(100).summary.ttl_ms == 100_000
    assert cart.ttl() == 100
    assert cart.contains("ключ")
    assert cart.remove("ключ").summary.line_count == 1
    assert cart.clear().summary.line_count == 0
    assert cart.destroy().summary.state == "gone"
    assert cart.ttl() == 0
    assert cart.purge().version == 0


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_any_client_will_do(
    connect: Callable[..., Cart], options: dict[str, Any], engine: Engine
) -> None:
    """By what it can do, not by its class; its own decoding is none of our business."""
    everything_works(connect(unix_socket_path=str(engine.socket), **options))


def test_the_replies_of_tomorrow_will_do(engine: Engine) -> None:
    """redis-py 8 can be told to shape replies otherwise."""
    if "legacy_responses" not in inspect.signature(redis.Redis.__init__).parameters:
        pytest.skip("an older redis-py")
    with engine.connected(legacy_responses=False) as client:
        everything_works(Cart("c", client))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_any_client_will_do_on_any_engine(options: dict[str, Any], any_engine: Engine) -> None:
    """RESP2 and RESP3 are spoken from Redis 6.2 on."""
    skip_what_its_library_cannot(redis.Redis, options)
    with any_engine.connected(**options) as client:
        everything_works(Cart("c", client))


def test_resp3_over_a_unix_socket(engine: Engine) -> None:
    """Asked for in a URL, with any redis-py."""
    store = RedisStore(f"{engine.url}?protocol=3")

    everything_works(Cart("c", store))

    store.close()


@pytest.mark.parametrize(
    "url", ["unix://{socket}", "redis://127.0.0.1:{port}/0", "valkey://127.0.0.1:{port}",
            "redis://127.0.0.1:{port}?protocol=3&decode_responses=true"],
)  # fmt: skip
def test_any_url_will_do(url: str, engine: Engine, runner: asyncio.Runner) -> None:
    """A URL opens our own client, sync and asyncio."""
    place = url.format(socket=engine.socket, port=engine.port)
    store, async_store = RedisStore(place), AsyncRedisStore(place)

    everything_works(Cart("c", store))
    everything_works(Waiting(AsyncCart("c", async_store), runner))

    store.close()
    runner.run(async_store.close())


def test_a_prefix_and_partitions_of_ones_own(engine: Engine) -> None:
    """Two tenants on one engine do not see each other."""
    with engine.connected() as client:
        ours = Cart("c", RedisStore(client, prefix="shop-a", partitions=1))
        theirs = Cart("c", RedisStore(client, prefix="shop-b", partitions=16_384))
        ours.add("apple")

        assert theirs.get().lines == ()
        theirs.add("pear")
        assert sorted(client.keys()) == [
            b"shop-a:{0}:cart:c",
            b"shop-a:{0}:index",
            b"shop-b:{8047}:cart:c",
            b"shop-b:{8047}:index",
        ]


async def test_an_asyncio_url_serves_many_loops(engine: Engine) -> None:
    """A store made once, used from two event loops: each has its own connections."""
    store = AsyncRedisStore(engine.url)
    await AsyncCart("c", store).add("apple")

    def in_another_loop() -> int:
        async def main() -> int:
            change = await AsyncCart("c", store).add("apple")
            await store.close()
            return change.version

        return asyncio.run(main())

    assert await asyncio.to_thread(in_another_loop) == 2
    assert (await AsyncCart("c", store).add("apple")).version == 3
    await store.close()


@pytest.fixture
def cluster(engines: Engines) -> Engine:
    return engines.acquire_cluster()


@pytest.mark.parametrize("kind", CLUSTERS)
@pytest.mark.parametrize("options", [{}, {"decode_responses": True}], ids=["plain", "decoding"])
def test_a_cluster_client_will_do(
    kind: str, options: dict[str, Any], cluster: Engine, runner: asyncio.Runner
) -> None:
    """One key a script, so that any slot will do; carts spread over partitions."""
    client = CLUSTERS[kind](host="127.0.0.1", port=cluster.port, **options)
    try:
        everything_works(cart_on(client, runner))
        for number in range(20):
            cart = (
                Waiting(AsyncCart(number, client), runner)
                if "async" in kind
                else Cart(number, client)
            )
            cart.add("apple")
    finally:
        close(client, runner)

    with cluster.connected() as observer:
        slots = {observer.execute_command("CLUSTER KEYSLOT", key) for key in observer.keys("*")}
    assert len(slots) > 15
