"""The cart's session as signed cookies of its own, which hold the session and nothing else.

They are for apps without a session of their own, or with one that is not sure to be there. Nothing
here does I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from ecart.http import HttpSettings, Session, session_of
from ecart.http.cookies import LOOK, cookie_values, read_look
from ecart.http.messages import is_of_browser
from ecart.tokens import SignedTokens

CONTEXT_KEY = "ecart.session"
"""In an ASGI scope or a WSGI environ: the endpoint of the app, and the `CookieSession`."""


class SignedCookie:
    """The cookies of one deployment. The first secret signs them, all of them verify them."""

    def __init__(self, secret: str | Sequence[str], settings: HttpSettings | None = None) -> None:
        secrets = [secret] if isinstance(secret, str) else secret
        self.settings = (settings or HttpSettings()).cookie
        self.tokens = SignedTokens(secrets, settings)

    def read(self, cookies: str, is_secure: bool) -> Session | None:
        """The session in a `Cookie` header: that of the first cookie whose signature is valid."""
        if "=" not in cookies:
            return None
        session = self._first(cookies, self.settings.full_name(is_secure))
        if session is None and is_secure and self.settings.from_http:
            session = self._first(cookies, self.settings.full_name(False))
            session = session and replace(session, is_old=True)
        return session or read_look(cookies, is_secure, self.settings, self.tokens)

    def _first(self, cookies: str, name: str) -> Session | None:
        return next(filter(None, map(self.tokens.read, cookie_values(cookies, name))), None)

    def set_cookie(self, session: Session, is_secure: bool) -> str:
        """The `Set-Cookie` with which a browser keeps a session."""
        return self.settings.set_cookie(self.tokens.sign(session), is_secure)

    def set_look(self, session: Session, is_secure: bool) -> str:
        """The `Set-Cookie` with which a browser keeps the session of a look."""
        return self.settings.set_cookie(self.tokens.sign(session), is_secure, LOOK)

    def delete_cookies(self, is_secure: bool) -> list[str]:
        """The `Set-Cookie` headers with which a browser forgets the cart."""
        return [self.settings.set_cookie("", is_secure, suffix, max_age=0) for suffix in ("", LOOK)]


class CookieSession:
    """The session of one request to an app's own views. The cookie is read at the first use."""

    def __init__(
        self, cookie: SignedCookie, method: str, headers: Mapping[str, str], is_secure: bool
    ) -> None:
        self._cookie = cookie
        self._headers = headers
        self._only_looks = method in ("GET", "HEAD") and is_of_browser(headers)
        self._is_secure = is_secure
        self._session: Session | None = None
        self._set_cookies: list[str] = []
        self.ended: Session | None = None
        """The session that the app has ended during this request."""

    @property
    def session(self) -> Session:
        """That of the cookie, the one that was kept since, or a new one."""
        if self._session is None:
            found = self._cookie.read(self._headers.get("cookie", ""), self._is_secure)
            self._session = found or session_of(None)
        return self._session

    @property
    def cart_id(self) -> str | None:
        """The cart id that the session holds; None if the session is new."""
        return None if self.session.is_new else self.session.cart_id

    def start(self) -> Session:
        """The session, which the client keeps from now on."""
        if self.session.is_new and self._only_looks:
            self._session = Session(self.session.cart_id)
            self._set_cookies = [self._cookie.set_look(self._session, self._is_secure)]
        elif self.session.is_new:
            self.keep(self.session)
        return self.session

    def keep(self, session: Session) -> None:
        """Has the client keep this session."""
        self._session = Session(session.cart_id, id=session.id)
        self._set_cookies = [self._cookie.set_cookie(self._session, self._is_secure)]

    def end(self) -> None:
        """Has the session ended, before the response is sent, and the client forget it."""
        self.ended = None if self.session.is_new else self.session
        self.forget()

    def forget(self) -> None:
        """Has the client forget the cart; the session is a new one."""
        self._session = session_of(None)
        self._set_cookies = self._cookie.delete_cookies(self._is_secure)

    def headers(self, vary: str) -> list[tuple[str, str]]:
        """The headers that a response needs for the session, beside the `Vary` that it has."""
        headers = [("set-cookie", cookie) for cookie in self._set_cookies]
        if self._session is not None and "cookie" not in vary.lower() and vary != "*":
            headers.append(("vary", "Cookie"))  # caches must not show it to others
        return headers
