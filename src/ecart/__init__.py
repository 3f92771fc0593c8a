"""The shopping cart that never loses an item.

`Cart` and `AsyncCart` are handles on carts kept in Redis or Valkey; `MemoryStore` keeps them in
this process, for tests. Errors and values are those of `ecart.errors` and `ecart.model`.
"""

from typing import TYPE_CHECKING, Any

from ecart.cart import AsyncCart, Cart
from ecart.errors import (
    CorruptCartError,
    EcartError,
    InvalidInputError,
    OutcomeUnknownError,
    RefusedError,
    StoreError,
    StoreUnavailableError,
)
from ecart.model import CartChange, CartSnapshot, CartSummary, LineItem, Totals, line_id_for
from ecart.operations import Rules
from ecart.stores.memory import AsyncMemoryStore, MemoryStore
from ecart.stores.redis import RedisStore

if TYPE_CHECKING:
    from ecart.stores.redis import AsyncRedisStore

__version__ = "2.0.0.dev0"

__all__ = [
    "AsyncCart",
    "AsyncMemoryStore",
    "AsyncRedisStore",
    "Cart",
    "CartChange",
    "CartSnapshot",
    "CartSummary",
    "CorruptCartError",
    "EcartError",
    "InvalidInputError",
    "LineItem",
    "MemoryStore",
    "OutcomeUnknownError",
    "RedisStore",
    "RefusedError",
    "Rules",
    "StoreError",
    "StoreUnavailableError",
    "Totals",
    "line_id_for",
]


def __getattr__(name: str) -> Any:
    if name == "AsyncRedisStore":  # brings asyncio along, which not everybody needs
        from ecart.stores.redis import AsyncRedisStore

        return AsyncRedisStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
