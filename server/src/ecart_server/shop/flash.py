"""Flash messages: what the next page shows the shopper once, carried by a cookie for a minute.

The cookie is signed, so that no link and no other site can put text into the page. The signature
names the cart, too: what a form of one session said is never shown in another.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence

import msgspec

from ecart.http import Request
from ecart.http.cookies import CookieSettings, cookie_values
from ecart.operations import short_digest
from ecart.tokens import TextSigner

_NOTE = "-note"
_SECONDS = 60
_MAX_LENGTH = 1900
"""Characters of the value before it is signed: a signed token has at most 2,048."""


class FlashMessage(msgspec.Struct, frozen=True):
    """A text for the shopper. `undo` are the fields of a form that reverts the change."""

    text: str
    undo: Mapping[str, str] = {}


class FlashMessages:
    """Reads and writes the cookie of flash messages. The first of `secrets` signs it."""

    def __init__(self, secrets: Sequence[str], settings: CookieSettings) -> None:
        self._signer = TextSigner(secrets, f"ecart.note.2{settings.deployment}")
        self._settings = settings

    def read(self, request: Request) -> FlashMessage | None:
        """The message of this session in the cookies of a request; None if there is none."""
        cookies = request.headers.get("cookie", "")
        for value in cookie_values(cookies, self._settings.full_name(request.is_secure, _NOTE)):
            cart, _, message = (self._signer.read(value) or "").partition(".")
            if message and cart == short_digest(request.session.cart_id):
                return msgspec.json.decode(urlsafe_b64decode(message), type=FlashMessage)
        return None

    def set_cookie(self, message: FlashMessage, request: Request) -> str:
        """The `Set-Cookie` of a message; one that is too long loses its `undo`."""
        value = _encode(message)
        if len(value) > _MAX_LENGTH:
            value = _encode(FlashMessage(message.text[:300]))
        signed = self._signer.sign(f"{short_digest(request.session.cart_id)}.{value}")
        return self._settings.set_cookie(signed, request.is_secure, _NOTE, _SECONDS)

    def clear_cookie(self, request: Request) -> str:
        """The `Set-Cookie` that removes a message which has been shown."""
        return self._settings.set_cookie("", request.is_secure, _NOTE, 0)


def _encode(message: FlashMessage) -> str:
    return urlsafe_b64encode(msgspec.json.encode(message)).decode()
