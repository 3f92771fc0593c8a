"""Which cart a request speaks of: one `cart_id` per session, and nothing else in the session."""

from __future__ import annotations

import secrets
from typing import Protocol

import msgspec


class Session(msgspec.Struct, frozen=True):
    """The session of a request. `is_new` tells that the client does not know it yet."""

    cart_id: str
    is_new: bool = False


class Tokens(Protocol):
    """Turns a cart id into a text that only this deployment can have written, and back."""

    def sign(self, cart_id: str, /) -> str:
        """The signed token."""
        ...

    def read(self, token: str, /) -> str | None:
        """The cart id, or None if the token was not written here."""
        ...


def new_cart_id() -> str:
    """A cart id of 128 random bits: 22 URL-safe characters."""
    return secrets.token_urlsafe(16)


def session_of(cart_id: str | None) -> Session:
    """The session of a client that keeps `cart_id`, or a new one."""
    return Session(cart_id) if cart_id else Session(new_cart_id(), is_new=True)
