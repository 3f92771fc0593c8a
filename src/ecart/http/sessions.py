"""The session of a request: it holds one `cart_id`, and nothing else."""

from __future__ import annotations

import secrets
from typing import Protocol

import msgspec


class Session(msgspec.Struct, frozen=True):
    """The session of a request. A client does not have one that `is_new` yet."""

    cart_id: str
    is_new: bool = False


class Tokens(Protocol):
    """Signs cart ids and verifies them, so that a token can have been made here alone."""

    def sign(self, cart_id: str, /) -> str:
        """The signed token."""
        ...

    def read(self, token: str, /) -> str | None:
        """The cart id, or None if the token was not signed here."""
        ...


def new_cart_id() -> str:
    """A cart id of 128 random bits: 22 URL-safe characters."""
    return secrets.token_urlsafe(16)


def session_of(cart_id: str | None) -> Session:
    """The session that holds `cart_id`, or a new one with an id of its own."""
    return Session(cart_id) if cart_id else Session(new_cart_id(), is_new=True)
