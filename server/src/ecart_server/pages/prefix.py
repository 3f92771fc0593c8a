"""The path below which a proxy serves the pages, such as `/shop`: what every link begins with."""

from __future__ import annotations

from contextvars import ContextVar

PREFIX: ContextVar[str] = ContextVar("PREFIX", default="")
"""That of the request which is being answered, without a slash at its end; empty for none."""


def at(path: str) -> str:
    """The URL of a path of the service, as the browser of this request has to ask for it."""
    return f"{PREFIX.get()}{path}"
