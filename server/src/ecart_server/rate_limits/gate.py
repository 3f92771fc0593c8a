"""The service's rate limits: which bucket a request takes from, and the headers that report it.

Changes take a token of their session, and one of their address; so do reads, from buckets of their
own. A session that begins takes one of its address, whether it begins with a change or with a
read; where too many have begun, a change is refused, and a read is answered without a session.
Wrong keys of the back office are counted, too. Each worker process counts for itself (decision 29).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from ecart.http import Request
from ecart.http.guards import CHANGING
from ecart.http.problems import HttpError
from ecart.http.rate_gate import ALLOWED, RateDecision
from ecart_server.rate_limits.addresses import client_address
from ecart_server.rate_limits.bucket import SECOND, Decision, Rate
from ecart_server.rate_limits.buckets import MAX_BUCKETS, Buckets
from ecart_server.rate_limits.wrong_keys import WrongKeys

_log = logging.getLogger("ecart.service")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Changes and reads per session and per address, and new sessions per address; None: unlimited.

    `streams` of events are open at once from one address; 0: any number. Requests from this machine
    are not counted, unless `counts_loopback`.
    """

    session: Rate | None = Rate(120, 60)
    address: Rate | None = Rate(600, 60)
    new_sessions: Rate | None = Rate(60, 60)
    session_reads: Rate | None = Rate(600, 60)
    address_reads: Rate | None = Rate(3000, 60)
    streams: int = 100
    counts_loopback: bool = False


Draw = tuple[Buckets, str]
"""A token to take: of which limit, and of which key's bucket."""


class RateGate:
    """`ecart.http.rate_gate.Gate` for one process. `clock` gives monotonic nanoseconds."""

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
        bucket_limit: int = MAX_BUCKETS,
    ) -> None:
        self._counts_loopback = limits.counts_loopback
        self._clock = clock
        self._has_warned = False
        self._wrong_keys = WrongKeys(lambda: clock() / SECOND)
        self._session, self._address, self._new_sessions, self._reads, self._address_reads = (
            None if rate is None else Buckets(name, rate, bucket_limit)
            for name, rate in (
                ("session", limits.session),
                ("address", limits.address),
                ("new-sessions", limits.new_sessions),
                ("session-reads", limits.session_reads),
                ("address-reads", limits.address_reads),
            )
        )

    def decide(self, request: Request, /) -> RateDecision:
        """Counts a change or a read, and a session that begins.

        Raises:
            HttpError: `rate_limited`, with `Retry-After`; nothing was counted then.
        """
        if not self._counts(request):
            return ALLOWED
        client = client_address(request.address)
        # A forged cookie gives a new session, so that inventing cookies gives no new buckets.
        is_new, cart_id = request.session.is_new, request.session.cart_id
        begun = [(self._new_sessions, client.name)] if is_new else []
        if request.method in CHANGING:
            known = [] if is_new else [(self._session, cart_id)]
            return RateDecision(self._draw(request, *begun, *known, (self._address, client.name)))
        known = [] if is_new else [(self._reads, cart_id)]
        headers = self._draw(request, *known, (self._address_reads, client.name))
        draws = [(buckets, key) for buckets, key in begun if buckets is not None]
        decisions, may_start_session = self._take(draws)
        return RateDecision(_joined(_headers(draws, decisions), headers), may_start_session)

    def check_attempts(self, request: Request, /) -> None:
        """Refuses a key, even the right one, after too many wrong ones from this address.

        Raises:
            HttpError: `rate_limited`, with `Retry-After`.
        """
        if self._counts(request):
            self._wrong_keys.check(request.address)

    def count_wrong_key(self, request: Request, /) -> None:
        """Counts a wrong key, for its address and for all together."""
        if self._counts(request):
            self._wrong_keys.record_failure(request.address)

    def _counts(self, request: Request) -> bool:
        return self._counts_loopback or not client_address(request.address).is_loopback

    def _draw(self, request: Request, *given: tuple[Buckets | None, str]) -> dict[str, str]:
        """Takes a token of each limit that there is; the headers that report it."""
        draws = [(buckets, key) for buckets, key in given if buckets is not None]
        decisions, is_granted = self._take(draws)
        if not is_granted:
            self._warn_of_proxy(request)
            raise _rate_limited(draws, decisions)
        return _headers(draws, decisions)

    def _take(self, draws: Sequence[Draw]) -> tuple[list[Decision], bool]:
        """Takes a token of each bucket, or of none if one of them has none."""
        now = self._clock()
        peeked = [buckets.peek(key, now) for buckets, key in draws]
        is_granted = all(decision.is_granted for _, decision in peeked)
        if is_granted:
            for (buckets, key), (full_at, _) in zip(draws, peeked, strict=True):
                buckets.put(key, full_at)
        return [decision for _, decision in peeked], is_granted

    def _warn_of_proxy(self, request: Request) -> None:
        """Warns once if a refused client looks like a proxy, whose clients would count as one."""
        forwarded = request.headers.get("x-forwarded-for")
        if forwarded is None or request.address in forwarded or self._has_warned:
            return
        self._has_warned = True
        _log.warning(
            "%s is limited, and forwards for others: if it is a proxy of yours, name it in "
            "--trusted-proxies, or all its clients are counted as one",
            request.address,
        )


def _headers(draws: Sequence[Draw], decisions: Sequence[Decision]) -> dict[str, str]:
    """`RateLimit` and its policy (draft-ietf-httpapi-ratelimit-headers-10)."""
    if not draws:
        return {}
    policies = [f'"{b.name}";q={b.rate.count};w={b.rate.seconds}' for b, _ in draws]
    states = [
        f'"{b.name}";r={decision.left};t={_seconds(decision.full_in)}'
        for (b, _), decision in zip(draws, decisions, strict=True)
    ]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}


def _joined(first: Mapping[str, str], second: Mapping[str, str]) -> Mapping[str, str]:
    if not first or not second:
        return first or second
    return {name: f"{first[name]}, {second[name]}" for name in first}


def _rate_limited(draws: Sequence[Draw], decisions: Sequence[Decision]) -> HttpError:
    wait = _seconds(max(decision.wait for decision in decisions))
    headers = {**_headers(draws, decisions), "Retry-After": str(wait)}
    return HttpError("rate_limited", f"too much at once; try again in {wait} s", headers=headers)


def _seconds(nanoseconds: int) -> int:
    """Whole seconds, rounded up."""
    return -(-nanoseconds // SECOND)
