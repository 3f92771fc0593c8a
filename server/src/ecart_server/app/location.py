"""Where the carts are: the engine behind a URL, or the embedded engine of a data folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ecart.stores.redis import RedisStore
from ecart.stores.redis.keys import Keyspace
from ecart_server.engine import Fsync, open_engine


class CartLocation(msgspec.Struct, frozen=True, kw_only=True):
    """Where a command finds the carts: behind `url`, else in the embedded engine of `data_dir`.

    `engine` is as in `find_binary`. `prefix` and `partitions` name the keys.
    """

    url: str
    data_dir: Path
    engine: str
    prefix: str
    partitions: int

    @property
    def keys(self) -> Keyspace:
        """The names of the carts' keys."""
        return Keyspace(self.prefix, self.partitions)

    @property
    def is_embedded(self) -> bool:
        """Whether the carts are in the embedded engine."""
        return not self.url

    @contextlib.contextmanager
    def engine_url(self) -> Iterator[str]:
        """The URL of a running engine. An embedded one that is started here syncs every second.

        Raises:
            EngineError: the embedded engine cannot be started.
        """
        with engine_url(self.url, self.data_dir, self.engine, "everysec") as (url, _):
            yield url

    @contextlib.contextmanager
    def store(self, url: str) -> Iterator[RedisStore]:
        """A store of the carts in the engine at `url`, closed at the end."""
        store = RedisStore(url, prefix=self.prefix, partitions=self.partitions)
        with contextlib.closing(store):
            yield store


@contextlib.contextmanager
def engine_url(url: str, data_dir: Path, engine: str, fsync: Fsync) -> Iterator[tuple[str, str]]:
    """The URL given, else that of the data folder's engine; and a description for people.

    An embedded engine that runs already is made to sync as strictly as `fsync` says, never less.

    Raises:
        EngineError: the embedded engine cannot be started.
    """
    if url:
        yield url, "carts in the Redis that was given"
        return
    with open_engine(data_dir, engine=engine, fsync=fsync) as opened:
        yield opened.url, f"carts in {data_dir} ({opened.binary})"
