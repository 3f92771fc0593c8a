"""What the contract asks before a shopper's request does anything: whether it may pass.

The service has a gate, which limits rates. The hosts of integrations have limiters of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from ecart.http.messages import Request


class Passage(msgspec.Struct, frozen=True):
    """How a request may pass: what its answer says of that, and whether it may begin a session."""

    headers: Mapping[str, str] = {}
    may_begin: bool = True


class Gate(Protocol):
    """Counts the requests of shoppers. It is asked once for each, before any I/O."""

    def passage(self, request: Request, /) -> Passage:
        """The passage of a request; `request.session` is verified, `request.address` is trusted.

        Raises:
            HttpError: `rate_limited`; whoever is refused gets no session either.
        """
        ...


FREE = Passage()
NO_SESSION = Passage(may_begin=False)
