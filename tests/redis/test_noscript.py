"""The engine's script cache may vanish at any time: nobody notices."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ecart import Cart, RedisStore

if TYPE_CHECKING:
    from engines import Engine


def test_the_first_call_brings_the_script(any_engine: Engine) -> None:
    """An engine that never saw the script learns it with the call."""
    with any_engine.connected() as client:
        client.script_flush()

        assert Cart("c", client).add("apple").version == 1
        assert client.info("commandstats")["cmdstat_evalsha"]["calls"] >= 1


def test_losing_the_scripts_under_load_is_invisible(any_engine: Engine) -> None:
    """SCRIPT FLUSH in a loop while four threads add: every unit once, no error."""
    over = threading.Event()

    def flush() -> int:
        flushed = 0
        with any_engine.connected() as client:
            while not over.is_set():
                client.script_flush()
                flushed += 1
                time.sleep(0.0005)
        return flushed

    store = RedisStore(any_engine.url)
    with ThreadPoolExecutor(5) as pool:
        flushing = pool.submit(flush)
        adding = [pool.submit(Cart("c", store).add, "apple") for _ in range(800)]
        results = [future.result() for future in adding]
        over.set()

    assert flushing.result() > 20
    assert sorted(result.version for result in results) == list(range(1, 801))
    assert Cart("c", store).summary().total_quantity == 800
    store.close()
