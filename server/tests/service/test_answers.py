"""What every answer of the service has, whatever answers: pages, files, numbers, refusals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines import Engine
    from serving import Service

PATHS = [
    ("GET", "/"), ("HEAD", "/"), ("POST", "/"), ("OPTIONS", "/"), ("GET", "/pictures?sku=a"),
    ("POST", "/shop/add"), ("GET", "/shop/add"), ("GET", "/assets/x/y"), ("GET", "/nothing"),
    ("GET", "/cart"), ("GET", "/cart/summary"), ("DELETE", "/cart"), ("PUT", "/cart"),
    ("OPTIONS", "/cart"), ("GET", "/cart/events"), ("POST", "/cart/events"), ("GET", "/carts/c"),
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/openapi.json"), ("GET", "/docs"),
    ("GET", "/metrics"), ("POST", "/metrics"), ("GET", "/admin"), ("GET", "/admin/login"),
    ("POST", "/admin/login"), ("GET", "/admin/static/x.css"), ("GET", f"/{'a' * 9000}"),
]  # fmt: skip


@pytest.fixture
def service(serve: Callable[..., Service], engine: Engine) -> Service:
    keys = {"ECART_ADMIN_KEY": "a key of the operators", "ECART_OFFICE_KEYS": "a key of the office"}
    return serve("--redis-url", engine.url, env=keys).ready()


def ask(service: Service, method: str, path: str, **headers: str) -> Any:
    return requests.request(
        method, service.address + path, headers=headers, allow_redirects=False, timeout=10
    )


def assets_of(service: Service) -> list[str]:
    page = ask(service, "GET", "/").text
    found: list[str] = re.findall(r'"(/assets/[^"]+)"', page)
    assert len(found) > 2
    return found


def test_what_is_promised_for_each_answer(service: Service) -> None:
    """No sniffing, no referrer to others, and a word about caches."""
    for method, path in [*PATHS, *(("GET", path) for path in assets_of(service))]:
        answer = ask(service, method, path)
        headers = answer.headers
        assert answer.status_code < 500, (method, path)
        assert headers.get("x-content-type-options") == "nosniff", (method, path, headers)
        assert headers["referrer-policy"] in ("no-referrer", "same-origin"), (method, path)
        assert headers.get("cache-control"), (method, path, headers)


def test_a_stream_has_them_too(service: Service) -> None:
    with requests.Session() as visitor:
        visitor.post(f"{service.address}/cart/items", json={"sku": "apple"}, timeout=10)
        with visitor.get(f"{service.address}/cart/events", stream=True, timeout=10) as stream:
            headers = stream.headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "private, no-store"


def test_a_strong_tag_names_the_bytes(service: Service) -> None:
    """The file as it is and gzipped are two representations; each is known by its own tag."""
    for path in assets_of(service):
        tags = {}
        for coding in ("gzip", "identity"):
            first = ask(service, "GET", path, **{"Accept-Encoding": coding})
            tags[coding] = first.headers["etag"]
            again = {"Accept-Encoding": coding, "If-None-Match": f'"x", {tags[coding]}'}
            assert ask(service, "GET", path, **again).status_code == 304
            part = {"Accept-Encoding": coding, "If-None-Match": tags[coding][:-2] + '"'}
            assert ask(service, "GET", path, **part).status_code == 200
        assert tags["gzip"] != tags["identity"]
        other = {"Accept-Encoding": "identity", "If-None-Match": tags["gzip"]}
        assert ask(service, "GET", path, **other).status_code == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_the_documents_can_be_cached(service: Service, path: str) -> None:
    """By anybody, as they are the same for all; and they begin no session."""
    first = ask(service, "GET", path)
    again = ask(service, "GET", path, **{"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "public, max-age=300"
    assert "Cookie" not in first.headers["vary"]
    assert "set-cookie" not in first.headers
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
