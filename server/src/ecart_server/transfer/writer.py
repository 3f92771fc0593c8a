"""Writes carts under their keys, many at a time, each by one script on the node that owns the key.

The script is idempotent: a cart that is there already stays, and its outcome is `same`. So after a
failure all carts that have no outcome yet are sent again.
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
"""What happens to another cart under the key: `keep` leaves it, `update` replaces an older version
of the same cart, `replace` replaces any."""

_HEADER = ("v", "c", "m", "s")
_SCRIPT = load_script("import_cart", "ecart_server.transfer")


class PendingCart(msgspec.Struct, frozen=True):
    """A cart to write: the number of its line, its key, and the fields of its hash.

    `expires_ms` and `active_ms` are milliseconds since 1970. `expires_ms` None: it never expires.
    `active_ms`: its last activity, for the index; None: it has ended, and gets no entry.
    """

    number: int
    cart_id: str
    key: str
    fields: dict[str, str]
    epoch: str
    version: int
    expires_ms: int | None
    active_ms: int | None


class CartWriter:
    """Writes carts into the engines behind a URL. Close it."""

    def __init__(self, url: str, policy: Policy) -> None:
        self._url = url
        self._policy = policy
        self._open = contextlib.ExitStack()
        self._nodes = self._open.enter_context(opened_nodes(url))

    def close(self) -> None:
        """Closes the connections."""
        self._open.close()

    def write(self, carts: list[PendingCart]) -> list[str]:
        """Writes these carts, and returns the outcome of each.

        An outcome is `written`, `same`, `newer`, `older` or `other` (what is under the key stays),
        `ended` (the cart has expired), or `corrupt_cart` (what is under the key cannot be read).

        Raises:
            StoreUnavailableError: an engine refused them or did not answer, after retries.
        """
        outcomes: dict[int, str] = {}
        end = time.monotonic() + RETRY_SECONDS
        while pending := {i: cart for i, cart in enumerate(carts) if i not in outcomes}:
            failure = self._attempt(pending, outcomes)
            if failure is None:
                continue
            if classify(failure) is not Failure.NOT_EXECUTED or time.monotonic() > end:
                raise StoreUnavailableError(str(failure)) from failure
            time.sleep(0.1)
            # A slot may have moved, or a replica may have become the primary.
            self._open.close()
            self._nodes = self._open.enter_context(opened_nodes(self._url))
        return [outcomes[i] for i in range(len(carts))]

    def _attempt(
        self, pending: dict[int, PendingCart], outcomes: dict[int, str]
    ) -> Exception | None:
        """Sends each cart once and adds the outcomes; returns one of the failures, if any."""
        missing: dict[int, PendingCart] = {}
        for i, header in self._send(pending, lambda cart: ("HMGET", cart.key, *_HEADER)).items():
            fields = pending[i].fields
            if header == [fields[name].encode() if name in fields else None for name in _HEADER]:
                outcomes[i] = "same"
            else:
                missing[i] = pending[i]
        replies = self._send(missing, lambda cart: ("EVALSHA", _SCRIPT.sha, *self._arguments(cart)))
        unknown = {i: missing[i] for i, reply in replies.items() if _is_unknown_script(reply)}
        replies |= self._send(unknown, lambda cart: ("EVAL", _SCRIPT.text, *self._arguments(cart)))
        failures = [reply for reply in replies.values() if isinstance(reply, Exception)]
        outcomes |= {
            i: reply[1 if reply[0] == b"ok" else 0].decode()
            for i, reply in replies.items()
            if not isinstance(reply, Exception)
        }
        self._add_to_index(pending[i] for i in replies if outcomes.get(i) == "written")
        return failures[0] if failures else None

    def _add_to_index(self, carts: Iterable[PendingCart]) -> None:
        """Adds the index entries of these carts, best effort: a sweep adds what is missing."""
        by_node: dict[int, list[Command]] = {}
        for cart in carts:
            if cart.active_ms is not None:
                commands = by_node.setdefault(self._owner(cart.key), [])
                commands += note(cart.key, cart.active_ms)
        for number, commands in by_node.items():
            self._nodes[number].pipeline(commands)

    def _send(
        self, carts: dict[int, PendingCart], command: Callable[[PendingCart], Command]
    ) -> dict[int, Any]:
        """The reply to a command for each of these carts, in one round trip to each node."""
        replies: dict[int, Any] = {}
        by_node: dict[int, list[int]] = {}
        for i, cart in carts.items():
            by_node.setdefault(self._owner(cart.key), []).append(i)
        for number, indices in by_node.items():
            answers = self._nodes[number].pipeline(command(carts[i]) for i in indices)
            replies |= zip(indices, answers, strict=True)
        return replies

    def _owner(self, key: str) -> int:
        owners = (number for number, node in enumerate(self._nodes) if node.owns(key))
        try:
            return next(owners)
        except StopIteration:
            raise StoreUnavailableError(f"no node owns the slot of {key}") from None

    def _arguments(self, cart: PendingCart) -> Command:
        expires = "" if cart.expires_ms is None else cart.expires_ms
        header = [cart.fields.get(name, "") for name in _HEADER]
        rest = [part for name in cart.fields.items() if name[0] not in _HEADER for part in name]
        return (1, cart.key, self._policy, expires, cart.epoch, cart.version, *header, *rest)


def _is_unknown_script(reply: object) -> bool:
    return isinstance(reply, Exception) and classify(reply) is Failure.NO_SCRIPT
