"""Carts seen from above: listed by their last activity, counted, and the index kept true.

All of it is asked of the index, and of the carts that it names; only `sweep` walks through keys.
Nothing here changes a cart. The nodes are those of `ecart.stores.redis.nodes.open_nodes`.
"""

from ecart.overview.listing import InvalidCursorError, Page, list_carts
from ecart.overview.looking import find
from ecart.overview.pulse import Active, Pulse, Watch
from ecart.overview.survey import Bucket, Listed, Survey, index_sizes, listed, survey
from ecart.overview.sweep import Sweep, sweep

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
