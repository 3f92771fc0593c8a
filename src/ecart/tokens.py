"""Signed cart tokens: what a cookie or a `Cart-Token` header carries, so none can be guessed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from itsdangerous import BadSignature, Signer

_LONGEST = 2048
"""Characters of a token: of a cart id at its longest, in UTF-8, and of a signature."""


class SignedTokens:
    """`ecart.http.Tokens` by HMAC-SHA-256. The first secret signs, all of them verify.

    `purpose` keeps apart what is signed for different uses: none of it passes for another's.
    """

    def __init__(self, secrets: Sequence[str], purpose: str = "ecart.session") -> None:
        if not secrets or not all(secrets):
            raise ValueError("signing needs a secret that is not empty")
        # itsdangerous signs with the last key of the list.
        self._signer = Signer(list(reversed(secrets)), salt=purpose, digest_method=hashlib.sha256)

        # Verifying takes two hashes; a visitor shows the same token with each request.
        self._cart_id_in = lru_cache(maxsize=16_384)(self._verified)

    def sign(self, cart_id: str, /) -> str:
        """The signed token."""
        return self._signer.sign(cart_id).decode()

    def read(self, token: str, /) -> str | None:
        """The cart id, or None if the token was not written with one of these secrets."""
        return self._cart_id_in(token) if len(token) <= _LONGEST else None

    def _verified(self, token: str) -> str | None:
        try:
            return self._signer.unsign(token).decode()
        except (BadSignature, UnicodeError):
            return None
