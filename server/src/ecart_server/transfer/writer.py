"""Puts carts under their keys, many at a time, each by one script on the node that owns it.

Sent again, a cart is found in place and nothing changes; so every failure is met by another try.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.failures import Failure, classify
from ecart.stores.redis.index import note
from ecart.stores.redis.scripts import load_script
from ecart.stores.redis.transport.wire import Command
from ecart_server.redis_admin.connections import RETRY_SECONDS, opened_nodes

Policy = Literal["keep", "update", "replace"]
"""What becomes of a cart that is there and differs: it stays; a later version of the same cart
takes its place; any other does."""

_HEADER = ("v", "c", "m", "s")
_SCRIPT = load_script("import_cart", "ecart_server.transfer")


class Placed(msgspec.Struct, frozen=True):
    """A cart on its way: its place among the lines, and what is to be under its key.

    `active_ms` is what the index is to say of it; None for one that has ended.
    """

    number: int
    cart_id: str
    key: str
    fields: dict[str, str]
    epoch: str
    version: int
    expires_ms: int | None
    active_ms: int | None


Carts = dict[int, Placed]


class Placer:
    """Where carts are put. Close it."""

    def __init__(self, url: str, policy: Policy) -> None:
        self._url = url
        self._policy = policy
        self._open = contextlib.ExitStack()
        self._nodes = self._open.enter_context(opened_nodes(url))

    def close(self) -> None:
        """Closes the clients."""
        self._open.close()

    def place(self, carts: list[Placed]) -> list[str]:
        """What became of each: `written`, `same`, `newer`, `older`, `other`, `ended`, or, if
        what is there cannot be read, `corrupt_cart`.

        Raises:
            StoreUnavailableError: an engine did not take them, also when asked again.
        """
        outcomes: dict[int, str] = {}
        end = time.monotonic() + RETRY_SECONDS
        while left := {i: cart for i, cart in enumerate(carts) if i not in outcomes}:
            failure = self._try(left, outcomes)
            if failure is None:
                continue
            if classify(failure) is not Failure.NOT_EXECUTED or time.monotonic() > end:
                raise StoreUnavailableError(str(failure)) from failure
            time.sleep(0.1)
            self._look_again()
        return [outcomes[i] for i in range(len(carts))]

    def _try(self, carts: Carts, outcomes: dict[int, str]) -> Exception | None:
        """Notes the outcomes that there are; of those that failed, one failure."""
        rest: Carts = {}
        for i, found in self._ask(carts, lambda cart: ("HMGET", cart.key, *_HEADER)).items():
            is_there = found == [_bytes(carts[i].fields.get(name)) for name in _HEADER]
            if is_there:
                outcomes[i] = "same"
            else:
                rest[i] = carts[i]
        replies = self._ask(rest, lambda cart: ("EVALSHA", _SCRIPT.sha, *self._arguments(cart)))
        unknown = {i: rest[i] for i, reply in replies.items() if _is_of_unknown_script(reply)}
        replies |= self._ask(unknown, lambda cart: ("EVAL", _SCRIPT.text, *self._arguments(cart)))
        failed = [reply for reply in replies.values() if isinstance(reply, Exception)]
        outcomes |= {
            i: reply[1 if reply[0] == b"ok" else 0].decode()
            for i, reply in replies.items()
            if not isinstance(reply, Exception)
        }
        self._note(carts[i] for i in replies if outcomes.get(i) == "written")
        return failed[0] if failed else None

    def _note(self, carts: Iterable[Placed]) -> None:
        """Puts them into the index. A sweep would find what is missing there."""
        of_nodes: dict[int, list[Command]] = {}
        for cart in carts:
            if cart.active_ms is not None:
                commands = of_nodes.setdefault(self._owner(cart.key), [])
                commands += note(cart.key, cart.active_ms)
        for number, commands in of_nodes.items():
            self._nodes[number].pipeline(commands)

    def _ask(self, carts: Carts, command: Callable[[Placed], Command]) -> dict[int, Any]:
        replies: dict[int, Any] = {}
        by_node: dict[int, list[int]] = {}
        for i, cart in carts.items():
            by_node.setdefault(self._owner(cart.key), []).append(i)
        for number, places in by_node.items():
            answers = self._nodes[number].pipeline(command(carts[i]) for i in places)
            replies |= zip(places, answers, strict=True)
        return replies

    def _owner(self, key: str) -> int:
        owners = (number for number, node in enumerate(self._nodes) if node.owns(key))
        try:
            return next(owners)
        except StopIteration:
            raise StoreUnavailableError(f"no node owns the slot of {key}") from None

    def _arguments(self, cart: Placed) -> Command:
        expires = "" if cart.expires_ms is None else cart.expires_ms
        header = [cart.fields.get(name, "") for name in _HEADER]
        rest = [part for name in cart.fields.items() if name[0] not in _HEADER for part in name]
        return (1, cart.key, self._policy, expires, cart.epoch, cart.version, *header, *rest)

    def _look_again(self) -> None:
        """Slots may have moved, or another node may be the primary now."""
        self._open.close()
        self._nodes = self._open.enter_context(opened_nodes(self._url))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _is_of_unknown_script(reply: object) -> bool:
    return isinstance(reply, Exception) and classify(reply) is Failure.NO_SCRIPT
