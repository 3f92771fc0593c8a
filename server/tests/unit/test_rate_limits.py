"""The buckets of the rate limits, by a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecart_server.rate_limits import Rate, parse_rate
from ecart_server.rate_limits.addresses import ClientAddress, client_address
from ecart_server.rate_limits.bucket import SECOND, Decision, take
from ecart_server.rate_limits.buckets import Buckets

THREE = Rate(3, 60)


def test_a_bucket_is_emptied_and_fills_again() -> None:
    """Three at once; then one each twenty seconds."""
    full_at, told = 0, []
    for second in (0, 0, 0, 0, 19, 20, 21, 100):
        full_at, decision = take(THREE, full_at, (1000 + second) * SECOND)
        told.append((decision.is_granted, decision.left, decision.wait // SECOND))

    assert told == [
        (True, 2, 0),
        (True, 1, 0),
        (True, 0, 0),
        (False, 0, 20),
        (False, 0, 1),
        (True, 0, 0),
        (False, 0, 19),
        (True, 2, 0),
    ]


def test_a_refusal_costs_nothing() -> None:
    """Who goes on asking waits no longer for it."""
    full = 60 * SECOND
    assert take(THREE, full, 0) == (full, Decision(False, 0, 20 * SECOND, full))
    assert take(THREE, full, 20 * SECOND)[1].is_granted


def test_a_bucket_tells_when_it_is_full_again() -> None:
    """Each token that is out takes its twenty seconds."""
    full_at, first = take(THREE, 0, 0)
    _, second = take(THREE, full_at, 5 * SECOND)

    assert (first.full_in, second.full_in) == (20 * SECOND, 35 * SECOND)


rates = st.builds(Rate, st.integers(1, 1000), st.integers(1, 100_000))


@given(rates, st.lists(st.integers(0, 30 * SECOND), min_size=2, max_size=200))
def test_never_more_than_the_rate_and_one_bucket(rate: Rate, pauses: list[int]) -> None:
    """In any window: what the bucket holds, and what came back in that time."""
    now, full_at, granted = 0, 0, []
    for pause in pauses:
        now += pause
        full_at, decision = take(rate, full_at, now)
        if decision.is_granted:
            granted.append(now)

    assert granted
    for i, begin in enumerate(granted):
        for j in range(i, len(granted)):
            most = rate.count + (granted[j] - begin) * rate.count // (rate.seconds * SECOND)
            assert j - i + 1 <= most


def test_what_does_not_divide_is_rounded_to_the_slower_side() -> None:
    """Seven a second come a nanosecond too late rather than too early."""
    assert Rate(7, 1).interval == 142_857_143


@given(rates, st.integers(0, 5000))
def test_who_keeps_to_the_rate_is_never_refused(rate: Rate, start: int) -> None:
    """However long: one each interval. A refused one who waits as told is not refused again."""
    now, full_at = start, 0
    for _ in range(2 * min(rate.count, 100)):
        full_at, decision = take(rate, full_at, now)
        assert decision.is_granted
        now += rate.interval
    for _ in range(rate.count + 1):
        full_at, decision = take(rate, full_at, now)

    assert not decision.is_granted
    assert not take(rate, full_at, now + decision.wait - 1)[1].is_granted
    assert take(rate, full_at, now + decision.wait)[1].is_granted


@pytest.mark.parametrize(
    ("text", "rate"), [("120/60", Rate(120, 60)), (" 1/86400 ", Rate(1, 86_400)), ("0", None)]
)
def test_a_rate_is_read(text: str, rate: Rate | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "1", "0/60", "60/0", "1/m", "-1/60", "1.5/60", "1/60/1", "١/٦"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    """A typing error is not taken for no limit."""
    with pytest.raises(ValueError, match="a rate is"):
        parse_rate(text)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.7", ClientAddress("203.0.113.7")),
        ("::ffff:203.0.113.7", ClientAddress("203.0.113.7")),
        ("2001:db8:1:2:aaaa::1", ClientAddress("2001:db8:1:2::/64")),
        ("2001:db8:1:2:bbbb::9", ClientAddress("2001:db8:1:2::/64")),
        ("2001:db8:1:3::1", ClientAddress("2001:db8:1:3::/64")),
        ("fe80::1%eth0", ClientAddress("fe80::/64")),
        ("127.0.0.1", ClientAddress("127.0.0.1", is_loopback=True)),
        ("127.8.9.1", ClientAddress("127.8.9.1", is_loopback=True)),
        ("::1", ClientAddress("::/64", is_loopback=True)),
        ("::ffff:127.0.0.1", ClientAddress("127.0.0.1", is_loopback=True)),
        ("", ClientAddress("", is_loopback=True)),
        ("unknown", ClientAddress("unknown")),
        ("x" * 9000, ClientAddress("x" * 64)),
    ],
)
def test_what_one_customer_has_is_one(address: str, expected: ClientAddress) -> None:
    """The /64 of an IPv6 address; a mapped one is the IPv4 address that it means."""
    assert client_address(address) == expected


def test_there_is_room_for_so_many_buckets() -> None:
    """A hundred thousand addresses leave a thousand; who was here last is still known."""
    buckets = Buckets("b", THREE, limit=1000)
    for number in range(100_000):
        for key in (f"10.{number}", "regular") if number % 500 == 0 else (f"10.{number}",):
            full_at, decision = buckets.peek(key, 0)
            if decision.is_granted:
                buckets.put(key, full_at)

    assert len(buckets) == 1000
    assert buckets.peek("10.99999", 0)[1].left == 1
    assert buckets.peek("10.0", 0)[1].left == 2


def test_a_bucket_in_use_is_not_forgotten() -> None:
    """Others who come and go do not refill what is in use."""
    buckets = Buckets("b", Rate(1000, 60), limit=100)
    for number in range(1000):
        for key in ("busy", f"10.{number}"):
            buckets.put(key, buckets.peek(key, 0)[0])

    assert buckets.peek("busy", 0)[1].is_granted is False
