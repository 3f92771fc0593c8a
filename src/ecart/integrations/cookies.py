"""The cart's session as a signed cookie of its own, which holds the cart id and nothing else.

It is for apps without a session of their own, or with one that is not sure to be there. Nothing
here does I/O.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ecart.http import Session, session_of
from ecart.tokens import SignedTokens

COOKIE_SECONDS = 365 * 24 * 3600

CONTEXT_KEY = "ecart.session"
"""In an ASGI scope or a WSGI environ: the endpoint of the app, and the `CookieSession`."""


class SignedCookie:
    """The cookie of one deployment. The first secret signs it, all of them verify it."""

    def __init__(self, secret: str | Sequence[str]) -> None:
        self.tokens = SignedTokens([secret] if isinstance(secret, str) else secret)

    def read(self, cookies: str, is_secure: bool) -> str | None:
        """The cart id in a `Cookie` header, if its signature is valid."""
        pair = _PAIRS[is_secure].search(cookies)
        return None if pair is None else self.tokens.read(pair[1].strip().strip('"'))

    def set_cookie(self, cart_id: str, is_secure: bool) -> str:
        """The `Set-Cookie` with which a browser keeps a cart id."""
        return _set_cookie(self.tokens.sign(cart_id), COOKIE_SECONDS, is_secure)


def delete_cookie(is_secure: bool) -> str:
    """The `Set-Cookie` with which a browser forgets the cart."""
    return _set_cookie("", 0, is_secure)


def _set_cookie(value: str, seconds: int, is_secure: bool) -> str:
    secure = "; Secure" if is_secure else ""
    attributes = f"Max-Age={seconds}; HttpOnly; SameSite=Lax; Path=/"
    return f"{_name(is_secure)}={value}; {attributes}{secure}"


def _name(is_secure: bool) -> str:
    # Browsers take __Host- only with Secure; Python's cookie jars send no Secure cookie over http.
    return "__Host-ecart" if is_secure else "ecart"


_PAIRS = {
    is_secure: re.compile(rf"(?:^|;)\s*{_name(is_secure)}=([^;]*)") for is_secure in (False, True)
}
"""What the cookie of that name is in a `Cookie` header (RFC 6265 §4.2.1)."""


class CookieSession:
    """The session of one request to an app's own views. The cookie is read at the first use."""

    def __init__(self, cookie: SignedCookie, cookies: str, is_secure: bool) -> None:
        self._cookie = cookie
        self._cookies = cookies
        self._is_secure = is_secure
        self._session: Session | None = None
        self._set_cookie: str | None = None

    @property
    def session(self) -> Session:
        """That of the cookie, the one that was kept since, or a new one."""
        if self._session is None:
            self._session = session_of(self._cookie.read(self._cookies, self._is_secure))
        return self._session

    @property
    def cart_id(self) -> str | None:
        """The cart id that the session holds; None if the session is new."""
        return None if self.session.is_new else self.session.cart_id

    def start(self) -> str:
        """The cart id, which the client keeps from now on."""
        if self.session.is_new:
            self.keep(self.session.cart_id)
        return self.session.cart_id

    def keep(self, cart_id: str) -> None:
        """Has the client keep this cart."""
        self._session = Session(cart_id)
        self._set_cookie = self._cookie.set_cookie(cart_id, self._is_secure)

    def forget(self) -> None:
        """Has the client forget the cart; the session is a new one."""
        self._session = session_of(None)
        self._set_cookie = delete_cookie(self._is_secure)

    def headers(self, vary: str) -> list[tuple[str, str]]:
        """The headers that a response needs for the session, beside the `Vary` that it has."""
        headers = []
        if self._session is not None and "cookie" not in vary.lower() and vary != "*":
            headers.append(("vary", "Cookie"))  # caches must not show it to others
        if self._set_cookie is not None:
            headers.append(("set-cookie", self._set_cookie))
        return headers
