"""Repairs what is certain, each time by one atomic script, or by a flow that any client can finish.

A cart that has changed since it was read is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ecart import flows
from ecart.errors import EcartError, StoreUnavailableError
from ecart.flows import Flow
from ecart.model import CartSummary
from ecart.operations import GetSummary, Operation, Rules, new_token
from ecart.store import run, steps_on
from ecart.stores.redis import RedisStore
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.scripts import load_script
from ecart_server.doctor.carts import StoredHash
from ecart_server.redis_admin.connections import Node

_Result = TypeVar("_Result")

_REPAIR = load_script("repair_cart", "ecart_server.doctor")
_DONE = {"counters_differ": "counted again", "no_expiry": "given a life again"}


class Repairer:
    """Repairs carts on the nodes that hold them."""

    def __init__(self, nodes: Sequence[Node], keys: Keyspace) -> None:
        self._keys = keys
        self._stores = [
            (node, RedisStore(node.client, prefix=keys.prefix, partitions=keys.partitions))
            for node in nodes
        ]

    def repair(self, node: Node, stored: StoredHash, codes: set[str]) -> dict[str, str]:
        """Repairs the faults with these codes, as far as it can; what was done, by code."""
        done = {}
        if codes & set(_DONE):
            done = self._run_script(node, stored)
        if "stuck_merge" in codes and self._finish_merge(stored):
            done["stuck_merge"] = "finished"
        return done

    def _run_script(self, node: Node, stored: StoredHash) -> dict[str, str]:
        arguments = (1, stored.key, stored.fields[b"v"], new_token()[:8])
        try:
            reply = node.call("EVAL", _REPAIR.text, *arguments, timeout=0)
        except StoreUnavailableError:  # out of memory, or a replica
            return {}
        if reply[0] != b"ok":
            return {}
        changed = zip(_DONE, reply[1:], strict=True)
        return {code: _DONE[code] for code, is_done in changed if is_done == b"1"}

    def _finish_merge(self, stored: StoredHash) -> bool:
        """Runs the flow by which every change finishes a half-done merge."""
        try:
            return run(_finishing(self._keys.cart_id(stored.key)), steps_on(self))
        except EcartError:
            return False

    def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """`Store.execute`, on the node that owns the cart."""
        key = self._keys.cart(cart_id)
        store = next((store for node, store in self._stores if node.owns(key)), None)
        if store is None:
            raise StoreUnavailableError(f"no node owns the slot of {key}")
        return store.execute(cart_id, operation)


def _finishing(source_id: str) -> Flow[bool]:
    source = yield from _get_summary(source_id)
    if source.merge is None or source.state != "merging":
        return False
    target = yield from _get_summary(source.merge.target_id)
    yield from flows.finish_foreign_merge(
        source_id, source.merge, _rules(target if target.epoch else source)
    )
    return (yield from _get_summary(source_id)).state != "merging"


def _get_summary(cart_id: str) -> Flow[CartSummary]:
    summary: CartSummary = yield flows.Perform(cart_id, GetSummary())
    return summary


def _rules(cart: CartSummary) -> Rules:
    """The lifetime of the cart, and limits so wide that no unit is left behind."""
    return Rules(
        ttl_ms=cart.ttl_ms,
        currency=cart.currency,
        max_quantity=1_000_000,
        max_lines=10_000,
        max_cart_bytes=1 << 30,
    )
