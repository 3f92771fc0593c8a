"""The service behind proxies: nginx with gzip, Apache with deflate, two in a row, below a path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
import requests

from .conftest import ADMIN_KEY, passed_on
from .journeys import Curl, journey

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving import Service

    from .conftest import Proxies, Proxy


def behind(kind: str, service: Service, proxies: Proxies) -> Proxy:
    if kind == "nginx":
        return proxies.nginx(passed_on(service))
    if kind == "apache":
        return proxies.apache(f"ProxyPass / {service.address}/")
    inner = proxies.apache(f"ProxyPass / {service.address}/")
    return proxies.nginx(f"location / {{ proxy_pass {inner.http}; }}")


@pytest.fixture(params=["nginx", "apache", "nginx and apache"])
def proxy(request: pytest.FixtureRequest, service: Service, proxies: Proxies) -> Proxy:
    return behind(request.param, service, proxies)


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_whole_journey(proxy: Proxy, scheme: str, tmp_path: Path) -> None:
    """Conditional requests work though the proxy changes the tags of what it compresses."""
    curl = Curl(getattr(proxy, scheme), tmp_path / "jar", "--cacert", str(proxy.certificate))

    journey(curl)


def test_the_tag_is_changed_on_the_way(proxy: Proxy) -> None:
    """Else the journey would prove nothing: weak from nginx, with a coding from Apache."""
    with shopper(proxy) as visitor:
        answer = visitor.post(f"{proxy.https}/cart/items", json={"sku": "apple"}, timeout=10)

    assert answer.headers["content-encoding"] == "gzip"
    tag = answer.headers["etag"]
    assert tag.startswith("W/") or tag.endswith('-gzip"')
    assert answer.json()["etag"] in tag


def shopper(proxy: Proxy) -> requests.Session:
    session = requests.Session()
    session.verify = str(proxy.certificate)
    session.trust_env = False  # a bundle of the machine's would come first
    return session


def test_the_cookie_is_of_the_scheme(proxy: Proxy) -> None:
    """The service is told by `X-Forwarded-Proto`, also by the first of two."""
    with shopper(proxy) as visitor:
        secure = visitor.get(f"{proxy.https}/cart", timeout=10).headers["set-cookie"]
        visitor.cookies.clear()
        plain = visitor.get(f"{proxy.http}/cart", timeout=10).headers["set-cookie"]

    assert secure.startswith("__Host-ecart=")
    assert secure.endswith("; Secure")
    assert plain.startswith("ecart=")


def test_events_pass(proxy: Proxy) -> None:
    """As they happen, though the proxy compresses and buffers."""
    with shopper(proxy) as visitor:
        visitor.post(f"{proxy.https}/cart/items", json={"sku": "apple"}, timeout=10)
        with visitor.get(f"{proxy.https}/cart/events", stream=True, timeout=10) as stream:
            lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
            first = next(line for line in lines if line.startswith("id: "))
            visitor.post(f"{proxy.https}/cart/items", json={"sku": "apple"}, timeout=10)
            second = next(line for line in lines if line.startswith("id: "))

    assert (first[-1], second[-1]) == ("1", "2")


# Below a path.


def below(kind: str, run_service: Callable[..., Service], proxies: Proxies) -> Proxy:
    if kind == "taken off":
        service = run_service()
        return proxies.nginx(
            "proxy_set_header X-Forwarded-Prefix /shop;"
            f"location /shop/ {{ proxy_pass {service.address}/; }}"
        )
    if kind == "passed on":
        service = run_service("--root-path", "/shop")
        return proxies.apache(f"ProxyPass /shop {service.address}/shop")
    service = run_service()
    inner = proxies.apache(
        f"RequestHeader append X-Forwarded-Prefix /b\nProxyPass /b {service.address}"
    )
    return proxies.nginx(
        f"proxy_set_header X-Forwarded-Prefix /a;location /a/ {{ proxy_pass {inner.http}/; }}"
    )


@pytest.fixture(params=["taken off", "passed on", "by two"])
def shop(
    request: pytest.FixtureRequest, run_service: Callable[..., Service], proxies: Proxies
) -> tuple[Proxy, str]:
    """The proxy, and the root of the shop behind it."""
    proxy = below(request.param, run_service, proxies)
    return proxy, f"{proxy.https}{'/a/b' if request.param == 'by two' else '/shop'}"


LINK = re.compile(r'(?:href|src|action)="([^"]*)"')


def links(page: requests.Response) -> set[str]:
    found = {urljoin(page.url, link.replace("&amp;", "&")) for link in LINK.findall(page.text)}
    assert len(found) > 2, page.text
    return found


def test_pages_below_a_path(shop: tuple[Proxy, str]) -> None:
    """Every link, form, file and redirect of the shop and of the operators leads below it."""
    proxy, root = shop
    with shopper(proxy) as visitor:
        front = visitor.get(f"{root}/", timeout=10)
        assert front.status_code == 200
        assert all(link.startswith(f"{root}/") or link == front.url for link in links(front))
        for link in links(front):
            if not link.startswith(f"{root}/shop/"):  # of forms
                assert visitor.get(link, timeout=10).status_code == 200, link
        token, mark = (value_of(front.text, name) for name in ("token", "mark"))
        form = {"token": token, "mark": mark, "sku": "apple"}
        headers = {"Origin": proxy.https, "Sec-Fetch-Site": "same-origin"}
        added = visitor.post(f"{root}/shop/add", data=form, headers=headers, timeout=10)
        assert (added.url, added.status_code) == (f"{root}/#cart", 200)
        assert visitor.get(f"{root}/cart", timeout=10).json()["total_quantity"] == 1
        docs = visitor.get(f"{root}/docs", timeout=10)
        assert f"{root}/openapi.json" in links_of(docs)

        login = visitor.get(f"{root}/admin", timeout=10)
        assert login.url == f"{root}/admin/login"
        form = {"token": value_of(login.text, "token"), "key": ADMIN_KEY}
        inside = visitor.post(f"{root}/admin/login", data=form, headers=headers, timeout=10)
        assert inside.url == f"{root}/admin"
        assert "Overview" in inside.text
        for link in links(inside) - {"data:,"}:
            assert link.startswith(f"{root}/admin"), link
            if not link.endswith(("/logout", "/cart")):  # of forms, which send more
                assert visitor.get(link, timeout=10).status_code == 200, link


def links_of(page: requests.Response) -> set[str]:
    return {urljoin(page.url, link) for link in LINK.findall(page.text)}


def value_of(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return found[1]


def test_the_journey_below_a_path(shop: tuple[Proxy, str], tmp_path: Path) -> None:
    proxy, root = shop
    curl: Any = Curl(root, tmp_path / "jar", "--cacert", str(proxy.certificate))

    journey(curl)
