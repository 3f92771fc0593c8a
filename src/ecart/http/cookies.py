"""Cookies by RFC 6265: their names, what a `Cookie` header holds, and `Set-Cookie`.

A session has two cookies. A change sets `ecart`. A browser that only looks gets `ecart-look`, which
counts as long as there is no `ecart`. So the answer to a look, however late it arrives, never
replaces the session of a change that was made meanwhile, and the first change of somebody who has
looked is made in the cart that was shown, and moves it into `ecart`.

On https the names begin with `__Host-`, which no other host and no page on http can set; with
another path than `/` with `__Secure-`, which another host of the same site can set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from ecart.http.sessions import Session, Tokens
from ecart.operations.arguments import YEAR

LOOK = "-look"
"""What the name of the cookie of a look ends in."""

MOST_TRIED = 32
"""Cookies of one name that are verified; a browser has one, unless another host has set some."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PATH = re.compile(r"/[!-:<-~]*")


class CookieSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The cookie of a deployment.

    Two shops on one host have different names or paths. With `from_http` a cookie that was set on
    http counts on https, too, and is replaced: for a shop that moves over to https.
    """

    name: str = "ecart"
    path: str = "/"
    from_http: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("the name of a cookie is 1 to 64 letters, digits, _ and -")
        if not _PATH.fullmatch(self.path):
            raise ValueError("the path of a cookie begins with / and is printable ASCII without ;")

    @property
    def deployment(self) -> str:
        """What the signatures of this deployment are made with; empty for the defaults."""
        return "" if (self.name, self.path) == ("ecart", "/") else f".{self.name}{self.path}"

    def full_name(self, is_secure: bool, suffix: str = "") -> str:
        """The name of a cookie, such as `__Host-ecart-look`."""
        # Browsers take the prefixes only with Secure; Python's cookie jars send no Secure cookie
        # over http.
        if not is_secure:
            return self.name + suffix
        return f"{'__Host-' if self.path == '/' else '__Secure-'}{self.name}{suffix}"

    def set_cookie(self, value: str, is_secure: bool, suffix: str = "", max_age: int = YEAR) -> str:
        """The `Set-Cookie` of a cookie that scripts cannot read; no `max_age` deletes it."""
        secure = "; Secure" if is_secure else ""
        attributes = f"Max-Age={max_age}; HttpOnly; SameSite=Lax; Path={self.path}"
        return f"{self.full_name(is_secure, suffix)}={value}; {attributes}{secure}"


def cookie_values(header: str, name: str) -> Iterator[str]:
    """The values of all cookies of this name in a `Cookie` header (RFC 6265 §4.2.1, §5.4).

    Only spaces and tabs stand between cookies: any other byte is part of a name or a value, so
    that no other name can be read as this one.
    """
    tried = 0
    for pair in header.split(";"):
        found, equals, value = pair.partition("=")
        if equals and found.strip(" \t") == name:
            yield value.strip(" \t").strip('"')
            tried += 1
            if tried == MOST_TRIED:
                return


def read_look(
    cookies: str, is_secure: bool, settings: CookieSettings, tokens: Tokens
) -> Session | None:
    """The session of a client that has looked; its first change is to move it to its own place."""
    for value in cookie_values(cookies, settings.full_name(is_secure, LOOK)):
        session = tokens.read(value)
        if session is not None:
            return replace(session, is_old=True)
    return None
