"""Memory stays flat, however many carts there are."""

from __future__ import annotations

import tracemalloc
from contextlib import closing
from typing import TYPE_CHECKING

from ecart import Cart, RedisStore
from ecart_server.transfer import export_carts
from transfer.filling import KEYS, export_lines, import_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engines import Engine

FEW, MANY = 500, 1500


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def copies(line: bytes, first: int, last: int) -> Iterator[bytes]:
    """The same cart under many ids."""
    for number in range(first, last):
        yield line.replace(b'"0"', b'"%d"' % number, 1)


def test_more_carts_take_no_more_memory(engine: Engine) -> None:
    """Neither on the way in nor on the way out."""
    with closing(RedisStore(engine.url)) as store:
        Cart("0", store).add("apple", 3, unit_price="0.5", title="An apple")
        Cart("0", store).add("pear", unit_price="1.25", options={"size": "M"})
    (text,) = export_lines(engine.url)
    line = text.encode()

    def export() -> None:
        export_carts(engine.url, KEYS, lambda text: None)

    import_lines(engine.url, copies(line, 0, 10))  # what is kept for good
    few_in = peak(lambda: import_lines(engine.url, copies(line, 0, FEW)))
    few_out = peak(export)
    many_in = peak(lambda: import_lines(engine.url, copies(line, FEW, MANY)))
    many_out = peak(export)

    print(f"in {few_in} and {many_in} bytes, out {few_out} and {many_out}")
    assert many_in < 1.3 * few_in + 300_000
    assert many_out < 1.3 * few_out + 300_000
