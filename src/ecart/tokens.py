"""Signed cart tokens: what a cookie or a `Cart-Token` header carries, so none can be guessed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from itsdangerous import BadSignature, Signer


class SignedTokens:
    """`ecart.http.Tokens` by HMAC-SHA-256. The first secret signs, all of them verify."""

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets or not all(secrets):
            raise ValueError("signing needs a secret that is not empty")
        # itsdangerous signs with the last key of the list.
        self._signer = Signer(
            list(reversed(secrets)), salt="ecart.session", digest_method=hashlib.sha256
        )

    def sign(self, cart_id: str, /) -> str:
        """The signed token."""
        return self._signer.sign(cart_id).decode()

    def read(self, token: str, /) -> str | None:
        """The cart id, or None if the token was not written with one of these secrets."""
        try:
            return self._signer.unsign(token).decode()
        except (BadSignature, UnicodeError):
            return None
