"""Who may look: the key, the session of who showed it, and the tokens of that session's forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence

import msgspec
from itsdangerous import BadSignature, TimestampSigner

from ecart_server.pages.forms import FormTokens

SESSION_SECONDS = 12 * 3600

_LONGEST = 256


class Visitor(msgspec.Struct, frozen=True):
    """A browser that keeps our cookie. `is_in`: it has shown the key."""

    nonce: str
    is_in: bool = False


class Access:
    """The key of the operator's view, and what is signed for those who have it.

    Another key, or other secrets, end all sessions.
    """

    def __init__(self, key: str, signing: Sequence[str]) -> None:
        self._digest = _digest(key)
        salt = f"ecart.admin.{self._digest.hex()}"
        # itsdangerous signs with the last key of the list.
        last_signs = list(reversed(signing))
        self._cookies = TimestampSigner(last_signs, salt=salt, digest_method=hashlib.sha256)
        self.form_tokens = FormTokens(signing, f"{salt}.form")

    def is_key(self, given: str) -> bool:
        """Whether this is the key, told in the same time whatever is given."""
        return hmac.compare_digest(_digest(given), self._digest)

    def cookie_of(self, visitor: Visitor) -> str:
        """What the visitor's browser is to keep."""
        kind = "in" if visitor.is_in else "out"
        return self._cookies.sign(f"{kind}.{visitor.nonce}").decode()

    def visitor_of(self, cookie: str | None) -> Visitor | None:
        """Who keeps this cookie; None if we did not write it, or too long ago."""
        if cookie is None or len(cookie) > _LONGEST:
            return None
        try:
            kept = self._cookies.unsign(cookie, max_age=SESSION_SECONDS).decode()
        except (BadSignature, UnicodeError):
            return None
        kind, _, nonce = kept.partition(".")
        return Visitor(nonce, is_in=kind == "in")


def new_visitor(*, is_in: bool) -> Visitor:
    """A visitor that nobody else can be."""
    return Visitor(secrets.token_urlsafe(16), is_in)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
