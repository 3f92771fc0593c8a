"""Signed texts: what a cookie, a `Cart-Token` header or a form carries, so none can be guessed."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import quote, unquote

from itsdangerous import BadSignature, Signer
from msgspec.structs import replace

from ecart.http import Session
from ecart.http.login import id_of_former_session, is_of_user
from ecart.http.settings import HttpSettings
from ecart.operations.arguments import YEAR

_LONGEST = 2048
"""Characters of a token: of a cart id at its longest, in UTF-8, and of a signature."""

_RENEWALS = 12
"""A token is renewed, at a change, when a twelfth of its time has gone."""

_PAYLOAD = re.compile(r"([\w.~%-]+)\.([\w-]*)\.(\d{1,12})", re.ASCII)


class TextSigner:
    """Signs texts with HMAC-SHA-256. The first secret signs, all of them verify.

    `purpose` keeps apart what is signed for different uses: none of it passes for another's.
    """

    def __init__(self, secrets: Sequence[str], purpose: str) -> None:
        if not secrets or not all(secrets):
            raise ValueError("signing needs a secret that is not empty")
        # itsdangerous signs with the last key of the list.
        self._signer = Signer(list(reversed(secrets)), salt=purpose, digest_method=hashlib.sha256)

        # Verifying takes two hashes; a visitor shows the same token with each request. What is
        # not signed raises, so that no stranger fills the cache.
        self._text_in = lru_cache(maxsize=16_384)(self._verified)

    def sign(self, text: str, /) -> str:
        """The signed token."""
        return self._signer.sign(text).decode()

    def read(self, token: str, /) -> str | None:
        """The text, or None if the token was not written with one of these secrets."""
        if len(token) > _LONGEST:
            return None
        try:
            return self._text_in(token)
        except (BadSignature, UnicodeError):
            return None

    def _verified(self, token: str) -> str:
        return self._signer.unsign(token).decode()


class SignedTokens:
    """`ecart.http.Tokens`: `<cart id>.<session id>.<seconds since 1970>.<signature>`.

    The cart id is percent-encoded, so that a cookie can hold any. A visitor's token is good for a
    year, and a user's for `settings.user_session_seconds`; either is to be replaced when it is old,
    or was not signed with the first secret. Tokens of before 2.0 held a cart id alone. They are
    read, too, and replaced; those of one user's cart are one session, which a log-out ends.
    """

    def __init__(
        self,
        secrets: Sequence[str],
        settings: HttpSettings | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        settings = settings or HttpSettings()
        purpose = f"ecart.session.2{settings.cookie.deployment}"
        self._user_seconds = settings.user_session_seconds
        self._clock = clock
        self._current = TextSigner(secrets[:1], purpose)
        self._all = TextSigner(secrets, purpose)
        self._of_before = TextSigner(secrets, "ecart.session")

    def sign(self, session: Session, /) -> str:
        """As `Tokens.sign`."""
        payload = f"{quote(session.cart_id, safe='')}.{session.id}.{int(self._clock())}"
        return self._current.sign(payload)

    def read(self, token: str, /) -> Session | None:
        """As `Tokens.read`."""
        payload = self._current.read(token)
        if payload is not None:
            return self._session_in(payload)
        payload = self._all.read(token)
        if payload is not None:
            session = self._session_in(payload)
            return session and replace(session, is_old=True)
        cart_id = self._of_before.read(token)
        if cart_id is None:
            return None
        return Session(cart_id, id=id_of_former_session(cart_id), is_old=True)

    def _session_in(self, payload: str) -> Session | None:
        match = _PAYLOAD.fullmatch(payload)
        if match is None:
            return None
        cart_id = unquote(match[1])
        life = self._user_seconds if is_of_user(cart_id) else YEAR
        age = self._clock() - int(match[3])
        return None if age >= life else Session(cart_id, False, match[2], age * _RENEWALS >= life)
