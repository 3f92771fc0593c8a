"""The rate limiter in front of the API, as far as the API knows it.

The service limits rates. Apps with an integration have limiters of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from ecart.http.messages import Request


class RateDecision(msgspec.Struct, frozen=True):
    """What a rate limiter decided of a request that it lets through.

    `headers` go into the response. Without `may_start_session`, a client without a session gets
    an answer and no session.
    """

    headers: Mapping[str, str] = {}
    may_start_session: bool = True


class Gate(Protocol):
    """Counts the requests of shoppers, and wrong keys. It is asked before any I/O."""

    def decide(self, request: Request, /) -> RateDecision:
        """Lets a request through; `request.session` is verified, `request.address` is trusted.

        Raises:
            HttpError: `rate_limited`; a client that is refused gets no session either.
        """
        ...

    def check_attempts(self, request: Request, /) -> None:
        """Refuses a request with a key, right or wrong, after too many wrong ones from its address.

        Raises:
            HttpError: `rate_limited`.
        """
        ...

    def count_wrong_key(self, request: Request, /) -> None:
        """Counts a wrong key."""
        ...


ALLOWED = RateDecision()
ALLOWED_WITHOUT_SESSION = RateDecision(may_start_session=False)
