"""The carts of a deployment by their last activity: lists, statistics, and upkeep of the index.

`ecart.stores.redis.index` writes the index, a sorted set of cart ids by time for each partition. It
is a secondary index that may be wrong: it is written beside a change and not with it, at most once
a minute for a cart, and nothing waits for it. So an entry may be a minute behind its cart, missing,
or dead, because the cart has expired or was destroyed. Only the cart itself is authoritative. This
package is the reading side, and makes an index with such errors usable in three ways:

- Read repair. Every reader fetches the headers of the carts that its entries name, answers from
  those alone, and repairs the index: dead entries are removed, entries that are more than a minute
  behind get the time of the cart. Removing is a compare-and-delete: an entry stays if its score is
  another than the one that was read, since the cart may have been created again in between. Thus a
  reader never reports a cart that does not exist. It can only miss one that has no entry.
- Anti-entropy. Readers cannot see a missing entry, so `sweep` compares the index with the carts:
  it walks through all keys with SCAN, adds the entries that are missing, and removes the dead ones.
  It reads every cart, which is a job for the background. A lease (`redis_admin.lease`) lets one
  process of the deployment do it. If two do it at a time, that does no harm: all writes are
  idempotent.
- Sampling. `survey` aggregates over the carts that the indexes name. A cart's partition is a hash
  of its id, so the carts of some partitions are a random sample of all. Where there are too many
  carts, it reads partitions in random order until it has seen enough, and reports how many.

A page of `list_carts` is a k-way merge of the sorted sets of all partitions. Its cursor is the
score and key of the last entry, not a number of entries, so that what is added or removed between
two pages shifts no other cart.

Nothing here changes a cart. The nodes are those of `redis_admin.connections.open_nodes`.
"""

from ecart_server.cart_index.index_reader import find_cart
from ecart_server.cart_index.listing import CartPage, InvalidCursorError, list_carts
from ecart_server.cart_index.live import ActiveCart, ActivityMonitor, ActivitySample
from ecart_server.cart_index.survey import Bucket, CartRow, Survey, cart_row, index_sizes, survey
from ecart_server.cart_index.sweep import Sweep, sweep

__all__ = [
    "ActiveCart",
    "ActivityMonitor",
    "ActivitySample",
    "Bucket",
    "CartPage",
    "CartRow",
    "InvalidCursorError",
    "Survey",
    "Sweep",
    "cart_row",
    "find_cart",
    "index_sizes",
    "list_carts",
    "survey",
    "sweep",
]
