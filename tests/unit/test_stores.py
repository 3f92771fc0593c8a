"""Which store a handle makes of what it is given."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from ecart import (
    AsyncCart,
    AsyncMemoryStore,
    AsyncRedisStore,
    Cart,
    MemoryStore,
    RedisStore,
)
from ecart.errors import InvalidUrlError
from ecart.stores.redis.clients import retries_by_itself
from engines import eventually

if TYPE_CHECKING:
    from engines import Engine


@pytest.mark.parametrize("kind", [Cart, AsyncCart])
@pytest.mark.parametrize("target", [None, 5, b"redis://x", ["x"]], ids=repr)
def test_what_is_no_store_is_refused(kind: type[Cart | AsyncCart], target: Any) -> None:
    """Neither client, URL nor store: a `TypeError` at once, not at the first call."""
    with pytest.raises(TypeError, match="URL"):
        kind("c", target)


@pytest.mark.parametrize("kind", [Cart, AsyncCart])
@pytest.mark.parametrize("url", ["localhost:6379", "http://x", "x", "", "//x", "redis:/x"])
def test_odd_urls_are_refused(kind: type[Cart | AsyncCart], url: str) -> None:
    """A scheme that is not known: `invalid_url` at once."""
    with pytest.raises(InvalidUrlError) as refused:
        kind("c", url)

    assert refused.value.code == "invalid_url"


def test_sync_and_asyncio_are_not_mixed_up() -> None:
    """A store or client of the other kind is a `TypeError` that says which one it is."""
    with pytest.raises(TypeError, match="is not a store"):
        Cart("c", AsyncMemoryStore())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is not an asyncio store"):
        AsyncCart("c", MemoryStore())  # type: ignore[arg-type]
    with redis.Redis() as client, pytest.raises(TypeError, match="not an asyncio client"):
        AsyncCart("c", client)
    with pytest.raises(TypeError, match="an asyncio client"):
        Cart("c", redis.asyncio.Redis())


def test_one_url_has_one_client(engine: Engine) -> None:
    """Handles are made per request; they find the connections of the URL again."""
    assert Cart("a", engine.url).store is Cart("b", engine.url).store
    assert AsyncCart("a", engine.url).store is AsyncCart("b", engine.url).store


def test_a_store_stays_itself() -> None:
    """What is given as a store is used as it is."""
    store = MemoryStore()

    assert Cart("c", store).store is store


def test_a_store_closes_what_it_opened(own_engine: Engine) -> None:
    """The client of a URL is the store's; after `close` it opens another connection if asked."""
    store = RedisStore(own_engine.url)
    Cart("c", store).add("apple")
    with own_engine.connected() as observer:
        assert eventually(lambda: len(observer.client_list()) == 2)

        store.close()

        assert eventually(lambda: len(observer.client_list()) == 1)


async def test_an_asyncio_store_closes_what_it_opened(own_engine: Engine) -> None:
    """`close` ends the running loop's connections."""
    store = AsyncRedisStore(own_engine.url)
    await AsyncCart("c", store).add("apple")
    with own_engine.connected() as observer:
        assert eventually(lambda: len(observer.client_list()) == 2)

        await store.close()

        assert eventually(lambda: len(observer.client_list()) == 1)


def test_a_client_stays_the_callers(engine: Engine) -> None:
    """`close` of a store on somebody's client, or its end, leaves the client alone."""
    with engine.connected() as client:
        store = RedisStore(client)
        Cart("c", store).add("apple")
        connected_as = client.client_id()
        store.close()
        del store
        gc.collect()

        # A client that was closed connects anew, without a word.
        assert client.client_id() == connected_as


@pytest.mark.parametrize(
    "options, may_repeat",
    [
        ({}, True),
        ({"retry": Retry(NoBackoff(), 0)}, False),
        ({"retry": Retry(NoBackoff(), 1)}, True),
    ],
)
def test_a_client_that_repeats_is_known(options: dict[str, Any], may_repeat: bool) -> None:
    """redis-py repeats by default: a refused connection then proves nothing."""
    with redis.Redis(**options) as client:
        assert retries_by_itself(client) is may_repeat


def test_an_unknown_client_may_repeat() -> None:
    """If in doubt, yes."""
    assert retries_by_itself(object())
