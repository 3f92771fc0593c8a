"""What the page says after a form was sent: kept in a cookie until it is shown, for one minute.

It is signed, so that no link and no other site can put words into the page.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence

import msgspec

from ecart.tokens import SignedTokens

_NAME = "ecart-note"
_SECONDS = 60
_LONGEST = 1900
"""Characters of the value, before it is signed: a token is at most 2,048 characters long."""


class Note(msgspec.Struct, frozen=True):
    """`text` for the shopper; `undo` are the fields of a form that takes the change back."""

    text: str
    undo: Mapping[str, str] = {}


class Notes:
    """The cookie of one deployment."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._tokens = SignedTokens(secrets, "ecart.note")

    def read(self, cookies: str) -> Note | None:
        """The note that the `Cookie` header of a request carries."""
        for pair in cookies.split(";"):
            name, _, value = pair.strip().partition("=")
            said = self._tokens.read(value) if name == _NAME else None
            if said is not None:
                return msgspec.json.decode(urlsafe_b64decode(said), type=Note)
        return None

    def kept(self, note: Note) -> str:
        """The `Set-Cookie` that has a browser bring the note along."""
        value = _packed(note)
        if len(value) > _LONGEST:
            value = _packed(Note(note.text[:300]))
        return _set_cookie(self._tokens.sign(value), _SECONDS)

    def dropped(self) -> str:
        """The `Set-Cookie` for when it has been shown."""
        return _set_cookie("", 0)


def _packed(note: Note) -> str:
    return urlsafe_b64encode(msgspec.json.encode(note)).decode()


def _set_cookie(value: str, seconds: int) -> str:
    return f"{_NAME}={value}; Max-Age={seconds}; HttpOnly; SameSite=Lax; Path=/"
