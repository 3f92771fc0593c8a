"""What an operator may choose about the HTTP contract."""

from __future__ import annotations

import msgspec

from ecart.operations import Rules


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`body_limit` is in bytes. `trusted_origins` may send changes beside the site's own pages."""

    rules: Rules = Rules()
    accept_unknown_skus: bool = True
    body_limit: int = 16_384
    trusted_origins: frozenset[str] = frozenset()
