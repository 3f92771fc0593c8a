"""Hostile requests: work and memory in proportion to their size, and an answer, in every framework.

The requests are those of `benchmarks/hostile_requests.py`, at the largest size that servers let
through. That of the service behind its own parsers is in `server/tests/service/test_hostile.py`.
"""

from __future__ import annotations

import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.hostile_requests import OFFICE_KEY, ROWS, SECRET, Hostile, Sending

from clients import Sent
from clients.wsgi import environ_of
from growth import square_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from clients import Shop

NOISE = 0.5e-3
"""Seconds of a request that may be more for no reason of its own."""
BYTES_EACH = 200
"""That a byte of a request may take at once: of a comma, a text in a list and what it was parsed
to."""
BYTES_IN_ALL = 2**20

IS_UNQUOTING_SLOW = sys.version_info < (3, 11, 10) or (3, 12) <= sys.version_info < (3, 12, 6)
"""Whether Python's `http.cookies` takes time in square to a quoted cookie (CVE-2024-7592)."""
COOKIES_READ_BY_FRAMEWORK = {"cookies: quotes", "cookies: quotes of operators"}
NOT_OURS: dict[str, set[str]] = {
    # Django parses every Content-Type with Python's email package, which searches for each ";".
    "DjangoShop": {"Content-Type", "Content-Type: a quote"},
    "AsyncDjangoShop": {"Content-Type", "Content-Type: a quote"},
}
"""Rows whose square is a framework's or Python's, before any code of ours runs."""
if IS_UNQUOTING_SLOW:
    for name in ("DjangoShop", "AsyncDjangoShop", "FastApiShop"):
        NOT_OURS[name] = NOT_OURS.get(name, set()) | COOKIES_READ_BY_FRAMEWORK


def sent(row: Hostile, size: int) -> Sent:
    made = row.make(size)
    assert isinstance(made, Sending)
    return Sent(
        method=made.method, target=made.target, headers=made.all_headers, pieces=made.pieces
    )


def ask(shop: Shop, request: Sent) -> int:
    """The status of the answer; of a WSGI app without its framework's test client.

    That quotes and parses every path several times over.
    """
    if type(shop).__name__ not in ("FlaskShop", "DjangoShop"):
        return shop.send(request).status
    getattr(shop, "be_present", lambda: None)()
    started: list[str] = []
    app: Any = getattr(shop, "app")  # noqa: B009
    answer = app(environ_of(request), lambda status, headers: started.append(status))
    b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    return int(started[0].partition(" ")[0])


@pytest.fixture
def hostile_shop(make_shop: Callable[..., Shop]) -> Shop:
    """A deployment that knows the secret and the key of the requests."""
    return make_shop(secrets=(SECRET,), office_keys=(OFFICE_KEY,))


def rows_for(shop: Shop) -> list[Hostile]:
    """Those that reach code of ours before any other has made a square of them."""
    not_ours = NOT_OURS.get(type(shop).__name__, set())
    return [row for row in ROWS if row.largest_elsewhere and row.name not in not_ours]


def test_work_grows_with_size(hostile_shop: Shop) -> None:
    """Four times the size takes less than six times the processor time; no answer is a 5xx."""
    squares, failures = {}, {}
    for row in rows_for(hostile_shop):
        statuses: list[int] = []

        def answered(request: Sent, statuses: list[int] = statuses) -> None:
            statuses.append(ask(hostile_shop, request))

        small, large = (sent(row, row.largest_elsewhere // part) for part in (4, 1))
        if square := square_in(answered, small, large, NOISE):
            squares[row.name] = square
        if max(statuses) >= 500:
            failures[row.name] = max(statuses)

    assert (squares, failures) == ({}, {})


def test_memory_is_bounded(hostile_shop: Shop) -> None:
    """What a request takes at once, at its largest, is a small multiple of its size."""
    too_much = {}
    for row in rows_for(hostile_shop):
        request = sent(row, row.largest_elsewhere)
        ask(hostile_shop, request)  # what is imported or cached at a first one is no part of it
        tracemalloc.start()
        ask(hostile_shop, request)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        if taken > BYTES_EACH * row.largest_elsewhere + BYTES_IN_ALL:
            too_much[row.name] = taken

    assert too_much == {}
