"""Flash messages: what the next page shows the shopper once, carried by a cookie for a minute.

The cookie is signed, so that no link and no other site can put text into the page.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence

import msgspec

from ecart.tokens import SignedTokens

_COOKIE = "ecart-note"
_SECONDS = 60
_MAX_LENGTH = 1900
"""Characters of the value before it is signed: a signed token has at most 2,048."""


class FlashMessage(msgspec.Struct, frozen=True):
    """A text for the shopper. `undo` are the fields of a form that reverts the change."""

    text: str
    undo: Mapping[str, str] = {}


class FlashMessages:
    """Reads and writes the cookie of flash messages. The first of `secrets` signs it."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._tokens = SignedTokens(secrets, "ecart.note")

    def read(self, cookies: str) -> FlashMessage | None:
        """The message in the `Cookie` header of a request; None if there is none of ours."""
        for pair in cookies.split(";"):
            name, _, value = pair.strip().partition("=")
            verified = self._tokens.read(value) if name == _COOKIE else None
            if verified is not None:
                return msgspec.json.decode(urlsafe_b64decode(verified), type=FlashMessage)
        return None

    def set_cookie(self, message: FlashMessage) -> str:
        """The `Set-Cookie` of a message; one that is too long loses its `undo`."""
        value = _encode(message)
        if len(value) > _MAX_LENGTH:
            value = _encode(FlashMessage(message.text[:300]))
        return _set_cookie(self._tokens.sign(value), _SECONDS)

    def clear_cookie(self) -> str:
        """The `Set-Cookie` that removes a message which has been shown."""
        return _set_cookie("", 0)


def _encode(message: FlashMessage) -> str:
    return urlsafe_b64encode(msgspec.json.encode(message)).decode()


def _set_cookie(value: str, seconds: int) -> str:
    return f"{_COOKIE}={value}; Max-Age={seconds}; HttpOnly; SameSite=Lax; Path=/"
