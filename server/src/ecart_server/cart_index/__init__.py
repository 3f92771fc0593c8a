"""Carts seen from above: listed by their last activity, counted, and the index kept true.

All of it is asked of the index, and of the carts that it names; only `sweep` walks through keys.
Nothing here changes a cart. The nodes are those of `redis_admin.connections.open_nodes`.
"""

from ecart_server.cart_index.index_reader import find
from ecart_server.cart_index.listing import InvalidCursorError, Page, list_carts
from ecart_server.cart_index.live import Active, Pulse, Watch
from ecart_server.cart_index.survey import Bucket, Listed, Survey, index_sizes, listed, survey
from ecart_server.cart_index.sweep import Sweep, sweep

__all__ = [
    "Active",
    "Bucket",
    "InvalidCursorError",
    "Listed",
    "Page",
    "Pulse",
    "Survey",
    "Sweep",
    "Watch",
    "find",
    "index_sizes",
    "list_carts",
    "listed",
    "survey",
    "sweep",
]
