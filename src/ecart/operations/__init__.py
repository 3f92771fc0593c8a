"""What can be done to one cart, as values. `apply()` is the executable specification.

The memory store runs `apply()`; the Redis store turns each change into one call of the script of
the same name (`AddItem`: `add_item.lua`), and a property test holds that both agree, refusals
included. Nothing here does I/O, and a refusal raises before anything is made.
"""

from ecart.operations.arguments import (
    Ttl,
    Version,
    is_lane,
    new_token,
    parse_operation_id,
    short_digest,
    ttl_milliseconds,
)
from ecart.operations.carts import handed_over
from ecart.operations.change import (
    WEEK,
    Change,
    Operation,
    Read,
    Record,
    Rules,
    StoredCart,
    absent_cart,
)
from ecart.operations.checkout import (
    QUARTER_HOUR,
    BeginCheckout,
    CompleteCheckout,
    EndCheckout,
    ReleaseCheckout,
)
from ecart.operations.life import Destroy, EndSession, Prolong, Purge, SetTtl
from ecart.operations.lines import AddItem, Clear, PutLines, RemoveLine, SetQuantity, make_add_item
from ecart.operations.merge import BeginMerge, EndMerge, MergeLines, check_policy
from ecart.operations.reads import (
    GetCart,
    GetLine,
    GetMergeSource,
    GetOperation,
    GetSummary,
    GetTtl,
    MergeSource,
)

__all__ = [
    "QUARTER_HOUR",
    "WEEK",
    "AddItem",
    "BeginCheckout",
    "BeginMerge",
    "Change",
    "Clear",
    "CompleteCheckout",
    "Destroy",
    "EndCheckout",
    "EndMerge",
    "EndSession",
    "GetCart",
    "GetLine",
    "GetMergeSource",
    "GetOperation",
    "GetSummary",
    "GetTtl",
    "MergeLines",
    "MergeSource",
    "Operation",
    "Prolong",
    "Purge",
    "PutLines",
    "Read",
    "Record",
    "ReleaseCheckout",
    "RemoveLine",
    "Rules",
    "SetQuantity",
    "SetTtl",
    "StoredCart",
    "Ttl",
    "Version",
    "absent_cart",
    "check_policy",
    "handed_over",
    "is_lane",
    "make_add_item",
    "new_token",
    "parse_operation_id",
    "short_digest",
    "ttl_milliseconds",
]
