"""Rate limits and early ends as `ecart serve` has them, with a real engine behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from redis import Redis

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines import Engine
    from serving import Service

FAR = {"X-Forwarded-For": "203.0.113.7"}
ADD = {"sku": "apple"}


def add(service: Service, **headers: str) -> requests.Response:
    """A change without a session."""
    return requests.post(f"{service.address}/cart/items", json=ADD, headers=headers, timeout=10)


def key_count(engine: Engine) -> Any:
    with engine.connected() as client:
        return len(client.keys("*:cart:*"))


def test_a_robot_is_held_up_and_a_neighbour_is_not(
    serve: Callable[..., Service], engine: Engine
) -> None:
    """By the address that a proxy on this machine forwards; what is refused writes nothing."""
    service = serve("--redis-url", engine.url, "--new-session-rate", "5/3600").ready()

    robot = [add(service, **FAR) for _ in range(8)]

    assert [answer.status_code for answer in robot] == [200] * 5 + [429] * 3
    refused = robot[-1]
    assert refused.json()["code"] == "rate_limited"
    assert 600 < int(refused.headers["Retry-After"]) <= 720
    assert refused.headers["RateLimit-Policy"].startswith('"new-sessions";q=5;w=3600, ')
    assert len(refused.content) < 200
    assert "Set-Cookie" not in refused.headers
    assert key_count(engine) == 5
    neighbour = {"X-Forwarded-For": "203.0.113.8"}
    claimed = {"X-Forwarded-For": "203.0.113.99, 203.0.113.7"}
    assert [add(service, **neighbour).status_code, add(service).status_code] == [200, 200]
    assert add(service, **claimed).status_code == 429
    with requests.Session() as visitor:
        visitor.cookies.update(robot[0].cookies)
        again = visitor.post(f"{service.address}/cart/items", json=ADD, headers=FAR)
    assert (again.status_code, again.json()["total_quantity"]) == (200, 2)


def test_a_header_of_a_stranger_is_not_believed(
    serve: Callable[..., Service], engine: Engine
) -> None:
    """Who is no trusted proxy is counted by its own address, whatever it says."""
    service = serve(
        *("--redis-url", engine.url, "--rate-limit", "all", "--new-session-rate", "3/3600"),
        *("--trusted-proxies", "192.0.2.1, 198.51.100.0/24"),
    ).ready()

    answers = [add(service, **{"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 3
    assert service.said.count("--trusted-proxies") == 1


def test_first_visits_end_early_by_default(serve: Callable[..., Service], engine: Engine) -> None:
    """Within the hour in the engine, unless the visitor looks again; `--first-ttl 0` is a week."""
    service = serve("--redis-url", engine.url).ready()
    visitor = requests.Session()
    with visitor, Redis.from_url(engine.url) as client:
        visitor.post(f"{service.address}/cart/items", json=ADD)
        (key,) = client.keys("*:cart:*")
        early = client.ttl(key)
        visitor.get(f"{service.address}/cart/summary")
        late = client.ttl(key)

    assert (3500 < early <= 3600, 604_700 < late <= 604_800) == (True, True)
    lasting = serve("--redis-url", engine.url, "--first-ttl", "0").ready()
    cart = add(lasting).json()
    assert cart["expires_at"][:10] > cart["created_at"][:10]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--session-rate", "fast"), "a rate is COUNT/SECONDS"),
        (("--trusted-proxies", "*"), "addresses or networks"),
        (("--trusted-proxies", "proxy.example"), "addresses or networks"),
        (("--first-ttl", "-1"), "-1 is not in the range"),
    ],
)
def test_what_limits_nothing_by_mistake_is_refused(
    serve: Callable[..., Service], arguments: tuple[str, ...], reason: str
) -> None:
    """At the start, with what is wrong."""
    assert reason in serve(*arguments).refused()
