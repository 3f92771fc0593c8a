"""The session of a request: whose cart it is, and whether the client is to get another token."""

from __future__ import annotations

import secrets
from typing import Protocol

import msgspec


class Session(msgspec.Struct, frozen=True):
    """The session of a request. A client does not have one that `is_new` yet.

    `id` names the log-in that it began with, so that a log-out can end it; a visitor's has none.
    What the client has of one that `is_old` is to be replaced: it is near its end, was signed with
    an earlier secret or in an earlier form, or is in the cookie of a look.
    """

    cart_id: str
    is_new: bool = False
    id: str = ""
    is_old: bool = False


class Tokens(Protocol):
    """Signs sessions and verifies them, so that a token can have been made here alone."""

    def sign(self, session: Session, /) -> str:
        """The signed token: ASCII that a cookie can hold."""
        ...

    def read(self, token: str, /) -> Session | None:
        """The session, or None if the token was not signed here, or has had its time."""
        ...


def new_cart_id() -> str:
    """A cart id of 128 random bits: 22 URL-safe characters."""
    return secrets.token_urlsafe(16)


def session_of(cart_id: str | None) -> Session:
    """The session that holds `cart_id`, or a new one with an id of its own."""
    return Session(cart_id) if cart_id else Session(new_cart_id(), is_new=True)
