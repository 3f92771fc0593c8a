"""What changes the life of a cart: its time to live, its end."""

from __future__ import annotations

from msgspec.structs import replace

from ecart.errors import IdempotencyKeyReusedError, VersionConflictError
from ecart.model import CartChange, CartSnapshot
from ecart.operations.carts import as_tombstone, matches
from ecart.operations.change import Change, Operation, StoredCart, absent_cart, tombstone_for


class SetTtl(Change, frozen=True, kw_only=True):
    """Gives the cart a life of its own, which later changes keep. 0 milliseconds: never expires."""

    identity = ("ttl_ms",)

    ttl_ms: int

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        if not cart.exists:
            return tombstone_for(cart, self, now_ms)
        return replace(cart, ttl_ms=self.ttl_ms, ttl_pinned=True)


class Prolong(Change, frozen=True, kw_only=True):
    """Gives a cart that was to live `early_ms` after its last change the life of the rules.

    What `set_ttl` chose stays. It changes no version and leaves no record, so it conflicts with no
    other change, and a repeat does nothing.
    """

    identity = ("early_ms",)

    early_ms: int

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartChange]:
        cart = stored.snapshot
        lives = cart.exists and cart.state != "merging"
        if lives and not cart.ttl_pinned and cart.ttl_ms == self.early_ms:
            cart = replace(cart, ttl_ms=self.rules.ttl_ms)
        return replace(stored, snapshot=cart), self._result(cart, None)


class Destroy(Change, frozen=True, kw_only=True):
    """Ends the cart, and keeps its records a while so that no late retry brings it back."""

    def _change(self, cart: CartSnapshot, now_ms: int) -> CartSnapshot | None:
        return as_tombstone(cart) if cart.exists else tombstone_for(cart, self, now_ms)


class Purge(Change, frozen=True, kw_only=True):
    """Erases the cart of this epoch and every record of it; another epoch is left alone."""

    identity = ("epoch",)

    epoch: str

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, CartChange]:
        cart = stored.snapshot
        if cart.epoch != self.epoch:
            # Not the cart that was meant, or no longer: this may be a repeat.
            return stored, self._result(cart, None)
        record = self._record_in(stored, now_ms)
        if record is not None and record.fingerprint != self.fingerprint:
            raise IdempotencyKeyReusedError
        if self.expected and not matches(cart, self.expected):
            raise VersionConflictError(cart.version)
        absent = absent_cart(cart.cart_id, self.rules.currency)
        return absent, self._result(absent.snapshot, None)


class EndSession(Operation[None], frozen=True, kw_only=True):
    """Ends a user's session, for as long as its token could still be shown: a log-out.

    The store remembers it beside the cart, not in it: a cart may end earlier than a session. To
    repeat it is safe.
    """

    ended_id: str
    life_ms: int

    def apply(self, stored: StoredCart, now_ms: int) -> tuple[StoredCart, None]:
        return stored, None
