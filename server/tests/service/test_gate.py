"""The gate of the service, in front of the contract: who is counted, who is refused, and how."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from ecart import MemoryStore
from ecart.http import HttpSettings, Request, Response, Session, session_of
from ecart.integrations.host import Host
from ecart.tokens import SignedTokens
from ecart_server.rate_limits import Limits, Rate, RateGate

TOKENS = SignedTokens(["a secret of the tests"])
SHOP = "203.0.113.7"
JSON = {"content-type": "application/json"}
KEY = "a key of the tests, long enough"
RATES = ("session", "address", "new_sessions", "session_reads", "address_reads")


class Clock:
    """Nanoseconds, as the test says."""

    now = 10**12

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += round(seconds * 10**9)


class Door:
    """One deployment with a gate, and requests to it."""

    def __init__(self, most: int = 1000, **limits: Any) -> None:
        rates = {**dict.fromkeys(RATES), **limits}
        self.clock = Clock()
        self.store = MemoryStore()
        gate = RateGate(Limits(**rates), clock=self.clock, bucket_limit=most)
        settings = HttpSettings(office_keys=(KEY,))
        self.host = Host(self.store, tokens=TOKENS, settings=settings, standalone=True, gate=gate)

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        address: str = SHOP,
        body: bytes = b"",
        **headers: str,
    ) -> Response:
        """A client's request; `token` is what its cookie holds."""
        session = None if token is None else TOKENS.read(token)
        plain = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(
            method=method,
            path=path,
            headers={**JSON, **plain} if body else plain,
            body=body,
            session=session or session_of(None),
            address=address,
        )
        return self.host.answer(request)

    def add(self, token: str | None = None, **more: Any) -> Response:
        return self.ask("POST", "/cart/items", token=token, body=b'{"sku":"apple"}', **more)

    def adds(self, times: int, token: str | None = None, **more: Any) -> list[int]:
        return [self.add(token, **more).status for _ in range(times)]


def test_a_session_makes_so_many_changes() -> None:
    """Then it waits; another session of the same address does not."""
    door = Door(session=Rate(3, 60))
    one, other = TOKENS.sign(Session("one")), TOKENS.sign(Session("other"))

    assert door.adds(5, one) == [200, 200, 200, 429, 429]
    assert door.adds(1, other) == [200]
    door.clock.pass_seconds(20)
    assert door.adds(2, one) == [200, 429]


def test_a_session_has_one_bucket_however_it_is_proved() -> None:
    """By cookie or by token."""
    door = Door(session=Rate(3, 60))
    token = TOKENS.sign(Session("one"))

    by_cookie = door.adds(2, token)
    by_token = [door.add(cart_token=token).status for _ in range(2)]

    assert by_cookie + by_token == [200, 200, 200, 429]


def test_an_address_makes_so_many_changes() -> None:
    """Over all of its sessions; another address does not wait for it."""
    door = Door(address=Rate(3, 60))

    assert [door.add(TOKENS.sign(Session(name))).status for name in "abcd"] == [200, 200, 200, 429]
    assert door.adds(1, TOKENS.sign(Session("d")), address="203.0.113.8") == [200]


def test_an_address_begins_so_many_sessions() -> None:
    """Who brings no cookie makes a cart with each change, and not many; who has one goes on."""
    door = Door(new_sessions=Rate(3, 60))

    assert door.adds(5) == [200, 200, 200, 429, 429]
    assert door.adds(5, TOKENS.sign(Session("known"))) == [200] * 5


@pytest.mark.parametrize("way", ["cookie", "cart_token"])
def test_a_forged_session_is_a_new_one(way: str) -> None:
    """A made-up text for each request makes no bucket for each request."""
    door = Door(session=Rate(1, 60), new_sessions=Rate(3, 60))

    def forged(number: int) -> int:
        text = f"{'a' * 22}.{number:043}"
        if way == "cart_token":
            return door.add(cart_token=text).status
        return door.add(text).status

    assert [forged(number) for number in range(5)] == [200, 200, 200, 429, 429]


def test_a_look_begins_so_many_sessions() -> None:
    """It is answered where too many have begun, and begins none, by cookie or by token."""
    door = Door(new_sessions=Rate(2, 60))

    looks = [door.ask("GET", "/cart") for _ in range(4)]
    asked = door.ask("GET", "/cart", cart_token="new")

    assert [look.status for look in looks] == [200] * 4
    assert [look.keep_session is not None for look in looks] == [True, True, False, False]
    assert (asked.status, "Cart-Token" in asked.headers) == (200, False)
    assert door.add().status == 429


@pytest.mark.parametrize("rate", ["session_reads", "address_reads"])
def test_so_many_reads_are_answered(rate: str) -> None:
    """Then 429 with the time to wait. Changes go on, and so does another session or address."""
    door = Door(**{rate: Rate(3, 60)})
    one, other = TOKENS.sign(Session("one")), TOKENS.sign(Session("other"))

    reads = [door.ask(method, path, token=one) for method, path in READS]

    assert [read.status for read in reads] == [200, 200, 200, 429, 429]
    assert reads[0].headers["RateLimit"] == f'"{rate.replace("_", "-")}";r=2;t=20'
    assert reads[-1].headers["Retry-After"] == "20"
    assert door.adds(3, one) == [200] * 3
    same_address = door.ask("GET", "/cart", token=other).status
    assert same_address == (200 if rate == "session_reads" else 429)
    assert door.ask("GET", "/cart", token=other, address="203.0.113.8").status == 200
    door.clock.pass_seconds(20)
    assert door.ask("GET", "/cart", token=one).status == 200


READS = [("GET", "/cart"), ("HEAD", "/cart"), ("GET", "/cart/summary"), ("GET", "/cart"),
         ("GET", "/cart/operations/k")]  # fmt: skip


def test_a_read_reports_both_of_its_limits() -> None:
    """That of sessions that begin, and that of reads."""
    door = Door(new_sessions=Rate(2, 60), address_reads=Rate(9, 60))

    read = door.ask("GET", "/cart")

    assert read.headers["RateLimit-Policy"] == '"new-sessions";q=2;w=60, "address-reads";q=9;w=60'
    assert read.headers["RateLimit"] == '"new-sessions";r=1;t=30, "address-reads";r=8;t=7'


def test_reads_take_nothing_of_changes() -> None:
    """However many; and by a token a session is given its token again."""
    door = Door(session=Rate(1, 60), address=Rate(1, 60), new_sessions=Rate(1, 60))
    token = TOKENS.sign(Session("known"))

    looks = [door.ask("GET", "/cart", cart_token=token) for _ in range(50)]

    assert {(look.status, look.headers["Cart-Token"]) for look in looks} == {(200, token)}
    assert "RateLimit" not in looks[-1].headers
    assert door.add(cart_token=token).status == 200


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("OPTIONS", {}),
        ("BREW", {}),
        ("DELETE", {"sec_fetch_site": "cross-site"}),
        ("POST", {"origin": "https://evil.example"}),
    ],
)
def test_no_way_round_gives_a_token(method: str, headers: dict[str, str]) -> None:
    """Neither a refusal nor a request of no use hands out more sessions than the limit."""
    door = Door(new_sessions=Rate(3, 60))

    given = [
        "Cart-Token" in door.ask(method, "/cart/items", cart_token="new", **headers).headers
        for _ in range(10)
    ]

    assert sum(given) <= 3
    assert not given[-1]


def test_a_page_of_another_site_uses_nobody_s_rate_up() -> None:
    """It is refused before anything is counted."""
    door = Door(new_sessions=Rate(1, 60), address=Rate(1, 60))

    refused = [door.add(sec_fetch_site="cross-site").status for _ in range(5)]

    assert refused == [403] * 5
    assert door.add().status == 200


def test_a_refusal_is_a_small_problem_and_nothing_else() -> None:
    """It says when to come back, gives no session, takes no token of any bucket, writes nothing."""
    door = Door(address=Rate(4, 60), new_sessions=Rate(1, 60))
    door.add()

    for _ in range(10):
        refused = door.add()

    problem = msgspec.json.decode(refused.body)
    assert (refused.status, problem["code"], refused.keep_session) == (429, "rate_limited", None)
    assert refused.headers["Retry-After"] == "60"
    assert refused.headers["RateLimit-Policy"] == '"new-sessions";q=1;w=60, "address";q=4;w=60'
    assert refused.headers["RateLimit"] == '"new-sessions";r=0;t=60, "address";r=2;t=30'
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert len(refused.body) < 200
    assert len(door.store._carts) == 1
    assert door.adds(4, TOKENS.sign(Session("known"))) == [200, 200, 200, 429]


def test_an_answer_tells_what_is_left() -> None:
    """Also one that refuses for another reason; a request that is wrong counts as one."""
    door = Door(session=Rate(120, 60), address=Rate(600, 60))
    token = TOKENS.sign(Session("known"))

    first = door.add(token)
    wrong = door.ask("POST", "/cart/items", token=token, body=b"{}")

    assert first.headers["RateLimit"] == '"session";r=119;t=1, "address";r=599;t=1'
    assert wrong.status == 422
    assert wrong.headers["RateLimit"] == '"session";r=118;t=1, "address";r=598;t=1'
    assert wrong.headers["RateLimit-Policy"] == '"session";q=120;w=60, "address";q=600;w=60'


def test_the_wait_that_is_reported_is_long_enough() -> None:
    """And hardly longer: a second, where seconds are all that can be said."""
    door = Door(session=Rate(7, 60))
    token = TOKENS.sign(Session("known"))
    while (refused := door.add(token)).status == 200:
        door.clock.pass_seconds(0.1)

    door.clock.pass_seconds(int(refused.headers["Retry-After"]))

    assert door.adds(2, token) == [200, 429]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", ""])
def test_this_machine_is_not_counted(address: str) -> None:
    """Unless it is told to be."""
    limits = {"session": Rate(1, 60), "address": Rate(1, 60), "new_sessions": Rate(1, 60)}

    assert Door(**limits).adds(5, address=address) == [200] * 5
    counted = Door(**limits, counts_loopback=True)
    assert counted.adds(3, address=address) == [200, 429, 429]


def test_neighbours_in_a_network_of_ipv6_are_one() -> None:
    """Whoever has a /64 has 2^64 addresses, and one bucket."""
    door = Door(new_sessions=Rate(2, 60))

    answers = [door.add(address=f"2001:db8::{number:x}").status for number in range(1, 5)]

    assert answers == [200, 200, 429, 429]


def test_probes_and_the_back_office_are_not_counted() -> None:
    """They are never refused, however little is allowed."""
    door = Door(session=Rate(1, 60), address=Rate(1, 60), new_sessions=Rate(1, 60))
    door.add()
    office = {"authorization": f"Bearer {KEY}"}

    for _ in range(3):
        assert door.ask("GET", "/healthz").status == 200
        assert door.ask("GET", "/readyz").status == 200
        assert door.ask("GET", "/openapi.json").status == 200
        assert door.ask("DELETE", "/carts/c", **office).status == 204


def test_everything_can_be_unlimited() -> None:
    """Then no answer tells of limits."""
    door = Door()

    answers = [door.add() for _ in range(20)]

    assert {answer.status for answer in answers} == {200}
    assert "RateLimit" not in answers[-1].headers
    assert door.ask("GET", "/cart").keep_session is not None


def test_a_proxy_that_nobody_named_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    """When its clients, counted as one, are refused; a client that says so itself is believed."""
    door = Door(address=Rate(1, 60))
    token = TOKENS.sign(Session("known"))
    with caplog.at_level(logging.WARNING, "ecart.service"):
        door.adds(3, token, address=SHOP, x_forwarded_for=f"10.0.0.1, {SHOP}")
        assert caplog.messages == []
        door.adds(3, token, address="10.9.9.9", x_forwarded_for=SHOP)

    (message,) = caplog.messages
    assert message.startswith("10.9.9.9 is limited, and forwards for others")
    assert "--trusted-proxies" in message


def with_key(door: Door, key: str, **more: Any) -> int:
    """The status of a back-office request with this key."""
    return door.ask("GET", "/carts/c", authorization=f"Bearer {key}", **more).status


def test_wrong_keys_of_the_back_office_are_limited() -> None:
    """Five from one address, then one in twelve seconds, of whatever key; others do not wait."""
    door = Door()
    assert [with_key(door, "guessed") for _ in range(6)] == [401] * 5 + [429]

    assert with_key(door, KEY) == 429
    refusal = door.ask("GET", "/carts/c", authorization=f"Bearer {KEY}")
    assert (refusal.headers["Retry-After"], b"rate_limited" in refusal.body) == ("12", True)
    assert with_key(door, KEY, address="203.0.113.77") == 404
    door.clock.pass_seconds(12)
    assert with_key(door, KEY) == 404


def test_requests_without_a_key_and_of_this_machine_are_not_counted() -> None:
    door = Door()

    assert {door.ask("GET", "/carts/c").status for _ in range(20)} == {401}
    assert {with_key(door, "guessed", address="127.0.0.1") for _ in range(20)} == {401}
    assert with_key(door, KEY) == 404
