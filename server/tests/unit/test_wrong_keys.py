"""How often a wrong key may be shown, told by a clock of the test's own."""

from __future__ import annotations

from ecart_server.rate_limits.wrong_keys import MAX_ADDRESSES, WrongKeys


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_five_at_once_then_one_in_twelve_seconds() -> None:
    """For one address; another has its own."""
    clock = Clock()
    attempts = WrongKeys(clock)
    for _ in range(5):
        assert attempts.wait_seconds("192.0.2.1") == 0
        attempts.record_failure("192.0.2.1")

    assert attempts.wait_seconds("192.0.2.1") == 12
    assert attempts.wait_seconds("192.0.2.2") == 0
    clock.now += 11.5
    assert attempts.wait_seconds("192.0.2.1") == 1
    clock.now += 0.5
    assert attempts.wait_seconds("192.0.2.1") == 0
    attempts.record_failure("192.0.2.1")
    assert attempts.wait_seconds("192.0.2.1") == 12
    clock.now += 3600
    for _ in range(5):
        assert attempts.wait_seconds("192.0.2.1") == 0
        attempts.record_failure("192.0.2.1")
    assert attempts.wait_seconds("192.0.2.1") == 12


def test_a_hundred_from_everywhere() -> None:
    """Then everybody waits a second for each."""
    clock = Clock()
    attempts = WrongKeys(clock)
    for n in range(100):
        attempts.record_failure(f"192.0.2.{n}")

    assert attempts.wait_seconds("203.0.113.1") == 1
    clock.now += 1
    assert attempts.wait_seconds("203.0.113.1") == 0


def test_a_network_of_ipv6_is_one_address() -> None:
    """Who has one address of it has all."""
    attempts = WrongKeys(Clock())
    for n in range(5):
        attempts.record_failure(f"2001:db8::{n}")

    assert attempts.wait_seconds("2001:db8::ffff") == 12
    assert attempts.wait_seconds("2001:db8:0:1::1") == 0
    assert attempts.wait_seconds("no address at all") == 0


def test_memory_is_bounded() -> None:
    """Of too many addresses the longest quiet ones are forgotten."""
    clock = Clock()
    attempts = WrongKeys(clock)
    for n in range(3 * MAX_ADDRESSES):
        attempts.record_failure(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")

    assert len(attempts._by_address) == MAX_ADDRESSES
