"""Mending what is certain. Each repair is one atomic step, or a flow that anybody may finish.

A cart that changes meanwhile is left: the next look sees it as it is then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from ecart import flows
from ecart.errors import EcartError, StoreUnavailableError
from ecart.flows import Flow
from ecart.model import CartSummary
from ecart.operations import GetSummary, Operation, Rules, new_token
from ecart.store import run, steps_on
from ecart.stores.redis import RedisStore
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.scripts import load_script
from ecart_server.doctor.carts import Held
from ecart_server.redis_admin.connections import Node

_Result = TypeVar("_Result")

_MEND = load_script("mend_cart", "ecart_server.doctor")
_DONE = {"counters_differ": "counted again", "no_expiry": "given a life again"}


class Repairer:
    """Mends carts on the nodes that hold them."""

    def __init__(self, nodes: Sequence[Node], keys: Keyspace) -> None:
        self._keys = keys
        self._stores = [
            (node, RedisStore(node.client, prefix=keys.prefix, partitions=keys.partitions))
            for node in nodes
        ]

    def mend(self, node: Node, held: Held, codes: set[str]) -> dict[str, str]:
        """What was done, by code of the finding. Codes that are not repaired are passed over."""
        done = {}
        if codes & set(_DONE):
            done = self._mend_cart(node, held)
        if "stuck_merge" in codes and self._finish_merge(held):
            done["stuck_merge"] = "finished"
        return done

    def _mend_cart(self, node: Node, held: Held) -> dict[str, str]:
        arguments = (1, held.key, held.fields[b"v"], new_token()[:8])
        try:
            reply = node.call("EVAL", _MEND.text, *arguments, timeout=0)
        except StoreUnavailableError:  # a full memory, a replica: it stays as it is
            return {}
        if reply[0] != b"ok":
            return {}
        changed = zip(_DONE, reply[1:], strict=True)
        return {code: _DONE[code] for code, is_done in changed if is_done == b"1"}

    def _finish_merge(self, held: Held) -> bool:
        """Goes through the flow of every change that meets a half-done merge."""
        try:
            return run(_finishing(self._keys.cart_id(held.key)), steps_on(self))
        except EcartError:
            return False

    def execute(self, cart_id: str, operation: Operation[_Result], /) -> _Result:
        """As `Store.execute`, on the node that owns the cart."""
        key = self._keys.cart(cart_id)
        store = next((store for node, store in self._stores if node.owns(key)), None)
        if store is None:
            raise StoreUnavailableError(f"no node owns the slot of {key}")
        return store.execute(cart_id, operation)


def _finishing(source_id: str) -> Flow[bool]:
    source = yield from _look(source_id)
    if source.merge is None or source.state != "merging":
        return False
    target = yield from _look(source.merge.target_id)
    yield from flows.finish_foreign_merge(
        source_id, source.merge, _rules(target if target.epoch else source)
    )
    return (yield from _look(source_id)).state != "merging"


def _look(cart_id: str) -> Flow[CartSummary]:
    summary: CartSummary = yield flows.Perform(cart_id, GetSummary())
    return summary


def _rules(cart: CartSummary) -> Rules:
    """The life that the cart has, and limits so wide that no unit is left behind."""
    widest: dict[str, Any] = {"max_quantity": 1_000_000, "max_lines": 10_000}
    return Rules(ttl_ms=cart.ttl_ms, currency=cart.currency, **widest)
