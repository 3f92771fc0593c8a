"""Sessions in Chromium, over https: a host beside the shop's, and answers that overtake each other.

The certificate is signed by itself. A front in this process ends https, and tells the service.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from certificates import make_certificate
from ecart.http import Request, Session
from ecart.http.cookies import CookieSettings
from ecart.integrations.cookies import SignedCookie
from ecart_server.shop.flash import FlashMessage, FlashMessages

from .conftest import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

SHOP, SIBLING = "shop.example.test", "blog.example.test"
SLOW_SECONDS = 1.0


class Front:
    """A server for https: the shop's host is relayed to the service, others set `cookies`.

    The answer to a request with `slow` in its query is held back for a second.
    """

    def __init__(self, service: str, certificate: Path, key: Path) -> None:
        self.cookies: list[bytes] = []
        self._service = (urlsplit(service).hostname or "", urlsplit(service).port or 0)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, host: str, path: str = "/") -> str:
        return f"https://{host}:{self.port}{path}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(20)
        try:
            with self._context.wrap_socket(plain, server_side=True) as client:
                request = client.recv(65_536)
                while request and b"\r\n\r\n" not in request:
                    request += client.recv(65_536)
                head, _, body = request.partition(b"\r\n\r\n")
                if f"Host: {SHOP}:".encode() in head:
                    self._relay(client, head, body)
                elif request:
                    client.sendall(self._page())
        except OSError:
            return  # a browser may give up a connection at any time

    def _page(self) -> bytes:
        cookies = b"".join(b"Set-Cookie: " + cookie + b"\r\n" for cookie in self.cookies)
        return (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n"
            b"Connection: close\r\n" + cookies + b"\r\nblog"
        )

    def _relay(self, client: socket.socket, head: bytes, body: bytes) -> None:
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection")]
        lines += [b"X-Forwarded-Proto: https", b"Connection: close"]
        length = next(
            (int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-len")),
            0,
        )
        while len(body) < length:
            body += client.recv(65_536)
        with socket.create_connection(self._service, timeout=20) as service:
            service.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
            answer = b"".join(iter(lambda: service.recv(65_536), b""))
        if b"slow" in lines[0]:
            time.sleep(SLOW_SECONDS)
        client.sendall(answer)


@pytest.fixture
def front(address: str, tmp_path: Path) -> Iterator[Front]:
    certificate, key = make_certificate(tmp_path, "DNS:*.example.test")
    front = Front(address, certificate, key)
    yield front
    front.close()


@pytest.fixture
def page(devices: Any, front: Front) -> Page:
    page: Page = devices.new(ignore_https_errors=True).new_page()
    return page


def fetch(page: Page, path: str, body: dict[str, Any] | None = None) -> Any:
    """The JSON that the page's own script gets."""
    return page.evaluate(
        """async ([path, body]) => {
             const how = body && {method: "POST", body: JSON.stringify(body),
                                  headers: {"Content-Type": "application/json"}}
             return (await fetch(path, how || {})).json()
           }""",
        [path, body],
    )


def test_a_sibling_host_takes_no_cart_away(page: Page, front: Front) -> None:
    """Whatever cookies it sets for the domain of both: she keeps her cart, and sees no word of it.

    Its owner has a session and a message of this very shop to plant.
    """
    cookie = SignedCookie(SECRET)
    planted = cookie.tokens.sign(Session("the-cart-of-the-other"))
    of_other = Request(method="GET", path="/", session=Session("the-cart-of-the-other"))
    message = FlashMessages([SECRET], CookieSettings()).set_cookie(
        FlashMessage("Foreign words"), of_other
    )
    words = message.partition("=")[2].partition(";")[0]
    page.goto(front.url(SHOP))
    mine = fetch(page, "/cart/items", {"sku": "apple"})
    names = ["ecart", "ecart-look", "__Host-ecart", "__Secure-ecart"]
    odd = [
        before + name.encode() + behind
        for name in ("__Host-ecart", "__Host-ecart-look", "__Host-ecart-note")
        for before, behind in ((b"\xa0", b""), (b"\x85", b""), (b"\x0b", b""), (b"\x1c", b""),
                               (b"", b"\xa0"), (b"\xc2\xa0", b""), (b"\xe2\x80\xa8", b""))
    ]  # fmt: skip
    front.cookies = [
        name + b"=" + (words if b"note" in name else planted).encode()
        + b"; Domain=example.test; Secure; Path=" + path
        for name in [*(name.encode() for name in names), b"ecart-note", *odd]
        for path in (b"/", b"/cart")
    ]  # fmt: skip

    page.goto(front.url(SIBLING))
    assert page.content().count("blog") == 1
    sent = page.context.cookies(front.url(SHOP, "/cart"))
    page.goto(front.url(SHOP))

    assert len([one for one in sent if one["value"] in (planted, words)]) >= 10
    assert fetch(page, "/cart") == mine
    expect(page.locator("#cart")).to_contain_text("Apple")
    assert "Foreign words" not in page.content()


def test_a_slow_look_does_not_orphan_the_cart(page: Page, front: Front) -> None:
    """A page without a session asks for the badge, and the shopper is faster."""
    page.goto(front.url(SHOP, "/healthz"))
    page.context.clear_cookies()

    added, cart = page.evaluate(
        """async () => {
             const slow = fetch("/cart/summary?slow")
             const added = await (await fetch("/cart/items", {
               method: "POST", headers: {"Content-Type": "application/json"},
               body: JSON.stringify({sku: "apple"})})).json()
             await slow
             return [added, await (await fetch("/cart")).json()]
           }"""
    )

    assert cart == added
    assert cart["total_quantity"] == 1


def test_the_first_change_is_in_the_cart_that_was_shown(page: Page, front: Front) -> None:
    page.goto(front.url(SHOP, "/healthz"))
    page.context.clear_cookies()

    shown = fetch(page, "/cart")
    added = fetch(page, "/cart/items", {"sku": "apple"})

    assert added["cart_id"] == shown["cart_id"]
    names = {one["name"] for one in page.context.cookies()}
    assert names == {"__Host-ecart", "__Host-ecart-look"}
