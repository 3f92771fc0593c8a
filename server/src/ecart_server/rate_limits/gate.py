"""The gate of the service: a bucket for each session, and two for each address.

Changes are counted, by session and by address. So are sessions that begin, by address: with a
change, or with a look. A look is always answered; where too many sessions have begun, it begins
none. Each worker process counts for itself (decision 29).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import msgspec

from ecart.http import Request
from ecart.http.guards import CHANGING
from ecart.http.problems import HttpError
from ecart.http.rate_gate import ALLOWED, RateDecision
from ecart_server.rate_limits.addresses import origin_of
from ecart_server.rate_limits.bucket import SECOND, Rate, Verdict
from ecart_server.rate_limits.buckets import MOST, Buckets

_log = logging.getLogger("ecart.service")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many changes a session and an address make, and sessions an address begins; None: any.

    Who comes from this machine is not counted, unless `counts_loopback`.
    """

    session: Rate | None = Rate(120, 60)
    address: Rate | None = Rate(600, 60)
    new_sessions: Rate | None = Rate(60, 60)
    counts_loopback: bool = False


Draw = tuple[Buckets, str]


class RateGate:
    """`ecart.http.rate_gate.Gate` for one process. `clock` tells nanoseconds that only grow."""

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        most: int = MOST,
    ) -> None:
        self._counts_loopback = limits.counts_loopback
        self._clock = clock
        self._has_warned = False
        self._session, self._address, self._new_sessions = (
            None if rate is None else Buckets(name, rate, most)
            for name, rate in (
                ("session", limits.session),
                ("address", limits.address),
                ("new-sessions", limits.new_sessions),
            )
        )

    def decide(self, request: Request, /) -> RateDecision:
        """Counts a change, and a session that begins.

        Raises:
            HttpError: `rate_limited`, with `Retry-After`; nothing was counted then.
        """
        origin = origin_of(request.address)
        if origin.is_here and not self._counts_loopback:
            return ALLOWED
        if request.method in CHANGING:
            return self._change(request, origin.name)
        return self._look(origin.name) if request.session.is_new else ALLOWED

    def _change(self, request: Request, origin: str) -> RateDecision:
        # A forged session is a new one: nobody gets a bucket by making up a cookie.
        is_new = request.session.is_new
        by = (self._new_sessions, origin) if is_new else (self._session, request.session.cart_id)
        draws = [(b, key) for b, key in (by, (self._address, origin)) if b is not None]
        verdicts, is_granted = self._take(draws)
        if not is_granted:
            self._warn_of_proxy(request)
            raise _refusal(draws, verdicts)
        return RateDecision(_headers(draws, verdicts))

    def _look(self, origin: str) -> RateDecision:
        draws = [] if self._new_sessions is None else [(self._new_sessions, origin)]
        verdicts, is_granted = self._take(draws)
        return RateDecision(_headers(draws, verdicts), may_start_session=is_granted)

    def _take(self, draws: Sequence[Draw]) -> tuple[list[Verdict], bool]:
        """A token of each bucket, or of none."""
        now = self._clock()
        asked = [buckets.ask(key, now) for buckets, key in draws]
        is_granted = all(verdict.is_granted for _, verdict in asked)
        if is_granted:
            for (buckets, key), (full_at, _) in zip(draws, asked, strict=True):
                buckets.keep(key, full_at)
        return [verdict for _, verdict in asked], is_granted

    def _warn_of_proxy(self, request: Request) -> None:
        """Tells once that a proxy's clients may be counted as one."""
        forwarded = request.headers.get("x-forwarded-for")
        if forwarded is None or request.address in forwarded or self._has_warned:
            return
        self._has_warned = True
        _log.warning(
            "%s is limited, and forwards for others: if it is a proxy of yours, name it in "
            "--trusted-proxies, or all its clients are counted as one",
            request.address,
        )


def _headers(draws: Sequence[Draw], verdicts: Sequence[Verdict]) -> dict[str, str]:
    """`RateLimit` and its policy (draft-ietf-httpapi-ratelimit-headers-10)."""
    if not draws:
        return {}
    policies = [f'"{b.name}";q={b.rate.count};w={b.rate.seconds}' for b, _ in draws]
    states = [
        f'"{b.name}";r={verdict.left};t={_seconds(verdict.full_in)}'
        for (b, _), verdict in zip(draws, verdicts, strict=True)
    ]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}


def _refusal(draws: Sequence[Draw], verdicts: Sequence[Verdict]) -> HttpError:
    wait = _seconds(max(verdict.wait for verdict in verdicts))
    headers = {**_headers(draws, verdicts), "Retry-After": str(wait)}
    return HttpError("rate_limited", f"too much at once; try again in {wait} s", headers=headers)


def _seconds(nanoseconds: int) -> int:
    return -(-nanoseconds // SECOND)
