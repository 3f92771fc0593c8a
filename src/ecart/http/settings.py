"""The settings of the HTTP API."""

from __future__ import annotations

import msgspec

from ecart.http.cookies import CookieSettings
from ecart.model import MergePolicy
from ecart.operations import QUARTER_HOUR, Rules, check_policy, ttl_milliseconds

MONTH = 30 * 24 * 3600
SHORTEST_KEY = 16
"""Characters of a back-office key: fewer can be guessed."""


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the HTTP API of one deployment.

    `body_limit` is in bytes. Pages of `trusted_origins` may send changes, beside the site's own.
    `office_keys`, of 16 characters or more, open the back-office routes, which do not exist
    without one. A check-out holds the cart for `hold_seconds`; with `keep_additions`, what is
    added meanwhile waits for the next order instead of being refused. `merge_policy` decides what
    a log-in does with lines that both carts have. A cart that is begun without a session lives
    `first_ttl_seconds` until the session is used again; None: as long as any other. A user's
    session lasts `user_session_seconds` from the log-in, or from the last change when it was
    renewed. `cookie` is for those integrations whose session is a cookie of ecart's own.
    """

    rules: Rules = Rules()
    accept_unknown_skus: bool = True
    body_limit: int = 16_384
    trusted_origins: frozenset[str] = frozenset()
    office_keys: tuple[str, ...] = ()
    hold_seconds: int = QUARTER_HOUR
    keep_additions: bool = False
    merge_policy: MergePolicy = "sum"
    first_ttl_seconds: int | None = None
    user_session_seconds: int = MONTH
    cookie: CookieSettings = CookieSettings()

    def __post_init__(self) -> None:
        # A text where a list is wanted would make each of its letters a key.
        if any(len(key) < SHORTEST_KEY for key in self.office_keys):
            raise ValueError("office_keys is a list of keys of 16 characters or more")
        check_policy(self.merge_policy)
        if not ttl_milliseconds(self.hold_seconds):
            raise ValueError("hold_seconds is 1 second to 365 days")
        ttl_milliseconds(self.first_ttl_seconds)
        if not ttl_milliseconds(self.user_session_seconds):
            raise ValueError("user_session_seconds is 1 second to 365 days")

    @property
    def first_ttl_ms(self) -> int:
        """How long the cart of a first visit lives; 0 if no shorter than any other."""
        first_ms, ttl_ms = ttl_milliseconds(self.first_ttl_seconds), self.rules.ttl_ms
        return 0 if ttl_ms and first_ms >= ttl_ms else first_ms
