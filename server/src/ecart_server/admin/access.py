"""Who may see the operators' pages: the admin key, the session cookie, and the tokens of forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence

import msgspec
from itsdangerous import BadSignature, TimestampSigner

from ecart_server.pages.forms import FormTokens

SESSION_SECONDS = 12 * 3600

_MAX_COOKIE_LENGTH = 256


class Visitor(msgspec.Struct, frozen=True):
    """A browser with our session cookie. `is_logged_in`: it has shown the key."""

    nonce: str
    is_logged_in: bool = False


class Access:
    """Checks the admin key, and signs sessions and the tokens of forms.

    The key is part of what signatures are made with, so that another key ends all sessions. The
    first of `signing_secrets` signs, all of them verify.
    """

    def __init__(self, key: str, signing_secrets: Sequence[str]) -> None:
        self._digest = _digest(key)
        salt = f"ecart.admin.{self._digest.hex()}"
        # itsdangerous signs with the last key of the list.
        last_signs = list(reversed(signing_secrets))
        self._cookies = TimestampSigner(last_signs, salt=salt, digest_method=hashlib.sha256)
        self.form_tokens = FormTokens(signing_secrets, f"{salt}.form")

    def is_key(self, given: str) -> bool:
        """Whether this is the admin key; compared in constant time."""
        return hmac.compare_digest(_digest(given), self._digest)

    def cookie_for(self, visitor: Visitor) -> str:
        """The value of the visitor's session cookie."""
        kind = "in" if visitor.is_logged_in else "out"
        return self._cookies.sign(f"{kind}.{visitor.nonce}").decode()

    def visitor_of(self, cookie: str | None) -> Visitor | None:
        """The visitor in a session cookie; None if we did not sign it, or over 12 hours ago."""
        if cookie is None or len(cookie) > _MAX_COOKIE_LENGTH:
            return None
        try:
            value = self._cookies.unsign(cookie, max_age=SESSION_SECONDS).decode()
        except (BadSignature, UnicodeError):
            return None
        kind, _, nonce = value.partition(".")
        return Visitor(nonce, is_logged_in=kind == "in")


def new_visitor(*, is_logged_in: bool) -> Visitor:
    """A visitor with a new session and a random nonce of 128 bits."""
    return Visitor(secrets.token_urlsafe(16), is_logged_in)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
