"""Stores by URL: one server, Sentinel, a cluster. Fail-over itself is proved in tests/faults."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from ecart import AsyncCart, AsyncRedisStore, Cart, RedisStore, StoreUnavailableError
from ecart.errors import InvalidUrlError, StoreError
from ecart.stores.redis.clients import open_async_client, open_client
from ecart.stores.redis.urls import Address, read_url
from engines import free_port

if TYPE_CHECKING:
    from engines import Engines

ADDRESSES = {
    "redis://h:1/2?protocol=3": Address("", "redis://h:1/2?protocol=3"),
    "valkey://h": Address("", "redis://h"),
    "valkeys://h": Address("", "rediss://h"),
    "unix:///run/s?db=1": Address("", "unix:///run/s?db=1"),
    "redis+cluster://a:1,b": Address(
        "cluster", "redis://localhost/", (("a", 1), ("b", 6379))
    ),
    "rediss+cluster://u:p@a:1/0?protocol=3": Address(
        "cluster", "rediss://u:p@localhost/0?protocol=3", (("a", 1),)
    ),
    "valkey+sentinel://a,[::1]:3/shop": Address(
        "sentinel", "redis://localhost/", (("a", 26379), ("::1", 3)), "shop"
    ),
    "redis+sentinel://:p%40w@a:1/my%20shop/7": Address(
        "sentinel", "redis://:p%40w@localhost/7", (("a", 1),), "my shop"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("url", "address"), ADDRESSES.items())
def test_a_url_is_read(url: str, address: Address) -> None:
    assert read_url(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "", "redis", "http://h", "unix+cluster:///s", "redis+other://h", "redis+sentinel://h:1",
        "redis+sentinel://h:1/", "redis+cluster://h/1", "redis+cluster://", "redis+cluster://h:x",
        "redis+cluster://h:1,,g:2", "redis+cluster://h:99999",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [RedisStore, AsyncRedisStore])
def test_what_is_no_url_is_refused_at_once(kind: type[RedisStore], url: str) -> None:
    with pytest.raises(InvalidUrlError) as refused:
        kind(url)

    assert refused.value.code == "invalid_url"


SECRET_PARTS = ("s3cr", "3tpart")

UNREADABLE = [
    "redis://:s3cr/3tpart@h", "redis://:s3cr#3tpart@h:6379/0", "redis://:s3cr?3tpart@h",
    "redis://:s3cr[3tpart@h", "redis://:s3cr]3tpart@h", "redis://:s3cr@3tpart@h",
    "redis://u:12/s3cr3tpart@h", "redis://:12?s3cr3tpart@h", "rediss://:s3cr/3tpart@h",
    "redis+cluster://:s3cr/3tpart@h:1", "redis+sentinel://:s3cr#3tpart@h:1/shop",
    "redis+sentinel://:s3cr?3tpart@h:1/shop", "redis://:s3cr3tpart@h:port",
    "redis://:s3cr3tpart@h:0", "redis://:s3cr3tpart@h:-1", "redis://:s3cr3tpart@h:65536",
    "redis://:s3cr3tpart@h/x", "redis://:s3cr3tpart@h/0?bogus=1", "REDIS://:s3cr3tpart@h",
    "redis://:s3cr3tpart@h?socket_timeout=soon", "redis://:s3cr3tpart@h?db=first",
    "rediss://:s3cr3tpart@h?ssl_cert_reqs=bogus", "redis://:s3cr3tpart@h?Socket_timeout=1",
    "redis://:s3cr3tpart@h?self=1", "redis://:s3cr3tpart@h?kwargs=1", "redis://:s3cr3tpart@h?args=1",
    "redis://:s3cr3tpart@h?timeout=3", "redis://:s3cr3tpart@h?parser_class=x",
    "redis://:s3cr3tpart@h?protocol=9", "redis://:s3cr3tpart@h?retry=1",
    "redis+cluster://:s3cr3tpart@h:1?bogus=1", "redis+sentinel://:s3cr3tpart@h:x/shop",
]  # fmt: skip


@pytest.mark.parametrize("url", UNREADABLE)
@pytest.mark.parametrize("kind", [RedisStore, AsyncRedisStore])
def test_nothing_of_the_password_is_shown(kind: type[RedisStore], url: str) -> None:
    """Neither in the message nor by a cause; and the store is not made."""
    with pytest.raises(InvalidUrlError) as refused:
        kind(url)

    text = "".join(traceback.format_exception(refused.value)).replace(url, "")
    shown = text + str(refused.value) + repr(refused.value)
    assert [part for part in SECRET_PARTS if part in shown] == []
    assert refused.value.__cause__ is None
    assert "%2F" in shown or "begins with redis://" in shown


@pytest.mark.parametrize(
    "url",
    [
        "redis://", "redis://h", "redis://h/", "redis://h:1/15", "redis://:p%2Fw%23%3F%40%5B%5D@h",
        "redis://u:p@[::1]:6379/0", "redis://h?db=1&socket_timeout=0.5&client_name=a%40b",
        "redis://h?health_check_interval=10&max_connections=5&protocol=3", "unix:///a@b/c?db=1",
        "rediss://h?ssl_cert_reqs=none&ssl_ca_certs=/ca", "redis+sentinel://:p%2Fw@a,b:1/s/0",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [RedisStore, AsyncRedisStore])
def test_what_redis_py_takes_is_taken(kind: type[RedisStore], url: str) -> None:
    kind(url)


@pytest.mark.parametrize("options", ["", "?socket_timeout=0.5"])
def test_the_options_of_a_url_reach_the_connections(options: str) -> None:
    """Those of ours, unless others are given."""
    wanted = {"socket_timeout": 0.5 if options else 2.0, "password": "p", "db": 7}
    client = open_client(read_url(f"redis+sentinel://:p@localhost:1/shop/7{options}"))
    asyncio_client = open_async_client(read_url(f"redis+sentinel://:p@localhost:1/shop/7{options}"))

    for opened in (client, asyncio_client):
        given = opened.connection_pool.connection_kwargs
        assert {name: given[name] for name in wanted} == wanted
        assert opened.get_retry()._retries == 0


async def test_a_cluster_is_reached_by_its_url(engines: Engines) -> None:
    """Whichever of the nodes named is there; sync and asyncio see the same carts."""
    node = engines.acquire_cluster()
    url = f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{node.port}"
    store, async_store = RedisStore(url), AsyncRedisStore(url)

    for number in range(10):
        Cart(number, store).add("apple")
        await AsyncCart(number, async_store).add("apple")

    assert [Cart(n, store).summary().total_quantity for n in range(10)] == [2] * 10
    store.close()
    await async_store.close()


@pytest.mark.parametrize(
    "form", ["redis+cluster://127.0.0.1:{}", "redis+sentinel://127.0.0.1:{}/s"]
)
async def test_nobody_there_is_reported_when_it_is_asked(form: str) -> None:
    """Not when the store is made; reads and changes alike, within the deadline."""
    url = form.format(free_port())
    store, async_store = RedisStore(url, deadline=0.2), AsyncRedisStore(url, deadline=0.2)

    with pytest.raises(StoreUnavailableError):
        Cart("c", store).get()
    with pytest.raises(StoreUnavailableError):
        await AsyncCart("c", async_store).get()
    for kind in ("cluster", "sentinel"):
        if kind in form:
            with pytest.raises(StoreError):
                Cart("c", store).add("apple")
            with pytest.raises(StoreError):
                await AsyncCart("c", async_store).add("apple")
    store.close()
    await async_store.close()


async def test_a_closed_store_opens_again(engines: Engines) -> None:
    """Closing gives back connections; the store itself has nothing to lose."""
    url = engines.acquire("valkey9").url
    store, async_store = RedisStore(url), AsyncRedisStore(url)
    Cart("c", store).add("apple")
    store.close()
    store.close()
    await AsyncCart("c", async_store).add("apple")
    await async_store.close()

    assert Cart("c", store).add("apple").version == 3
    assert (await AsyncCart("c", async_store).add("apple")).version == 4
    store.close()
    await async_store.close()
