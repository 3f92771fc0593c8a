"""Who a client is behind proxies, by what is believed and of whom."""

from __future__ import annotations

from typing import Any

import pytest

from ecart_server.app.forwarded import ForwardedHeaders, checked_prefix

PEER = "10.0.0.2"
TRUSTED = "10.0.0.0/24, 2001:db8::/32"


def read(
    headers: list[tuple[str, str]], peer: str = PEER, path: str = "/cart", prefix: str = ""
) -> tuple[str, str, str, str]:
    """Client, scheme, path and prefix, as the service takes them to be."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    scope: Any = {
        "type": "http", "client": (peer, 1234), "scheme": "http", "path": path, "headers": raw
    }  # fmt: skip
    found, under = ForwardedHeaders(TRUSTED, prefix).read(scope)
    return found["client"][0], found["scheme"], found["path"], under


FOR, PROTO, FORWARDED = "x-forwarded-for", "x-forwarded-proto", "forwarded"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], (PEER, "http")),
        ([(FOR, "203.0.113.7")], ("203.0.113.7", "http")),
        ([(PROTO, "https")], (PEER, "https")),
        ([(PROTO, "HTTPS")], (PEER, "https")),
        ([(PROTO, " Https ")], (PEER, "https")),
        ([(PROTO, "https, http")], (PEER, "https")),
        ([(PROTO, "gopher")], (PEER, "http")),
        ([(PROTO, "")], (PEER, "http")),
        # Two proxies of ours, of which the first was called by https.
        ([(FOR, "203.0.113.7, 10.0.0.1"), (PROTO, "https, http")], ("203.0.113.7", "https")),
        ([(FOR, "203.0.113.7"), (FOR, "10.0.0.1"), (PROTO, "https"), (PROTO, "http")],
         ("203.0.113.7", "https")),
        # The second one replaces the scheme, or passes on that of the first.
        ([(FOR, "203.0.113.7, 10.0.0.1"), (PROTO, "https")], ("203.0.113.7", "https")),
        # What the client made up stands on the left, and counts for nothing.
        ([(FOR, "1.1.1.1, 203.0.113.7"), (PROTO, "https, http")], ("203.0.113.7", "http")),
        ([(FOR, "10.0.0.9, 203.0.113.7, 10.0.0.1"), (PROTO, "https, http, http")],
         ("203.0.113.7", "http")),
        ([(FOR, "10.0.0.8, 10.0.0.1"), (PROTO, "https, http")], ("10.0.0.8", "https")),
        ([(FOR, "203.0.113.7:51000")], ("203.0.113.7", "http")),
        ([(FOR, "[2001:db9::1]:51000")], ("2001:db9::1", "http")),
        ([(FOR, "2001:db9::1, 2001:db8::5")], ("2001:db9::1", "http")),
        ([(FOR, "unknown")], ("unknown", "http")),
        ([(FORWARDED, "for=203.0.113.7;proto=https")], ("203.0.113.7", "https")),
        ([(FORWARDED, "For=203.0.113.7; PROTO=HTTPS; by=10.0.0.2")], ("203.0.113.7", "https")),
        ([(FORWARDED, 'for="[2001:db9::1]:4711";proto=https')], ("2001:db9::1", "https")),
        ([(FORWARDED, 'for="203.0.113.7:80"')], ("203.0.113.7", "http")),
        ([(FORWARDED, "for=203.0.113.7;proto=https, for=10.0.0.1;proto=http")],
         ("203.0.113.7", "https")),
        ([(FORWARDED, "for=1.1.1.1;proto=https, for=203.0.113.7;proto=http, for=10.0.0.1")],
         ("203.0.113.7", "http")),
        ([(FORWARDED, "for=203.0.113.7;proto=https"), (FORWARDED, "for=10.0.0.1;proto=http")],
         ("203.0.113.7", "https")),
        ([(FORWARDED, "proto=https")], (PEER, "https")),
        ([(FORWARDED, 'for="a,b;c";proto=https')], ("a,b;c", "https")),
        ([(FORWARDED, 'for="203.0.113.7')], (PEER, "http")),
        ([(FORWARDED, "nonsense")], (PEER, "http")),
        # A proxy that writes the one passes the other on as the client sent it.
        ([(FOR, "203.0.113.7"), (FORWARDED, "for=1.1.1.1;proto=https")], ("203.0.113.7", "http")),
    ],
)  # fmt: skip
def test_what_proxies_tell(headers: list[tuple[str, str]], expected: tuple[str, str]) -> None:
    assert read(headers)[:2] == expected


@pytest.mark.parametrize("name", [FOR, PROTO, FORWARDED, "x-forwarded-prefix"])
def test_nobody_else_is_believed(name: str) -> None:
    values = {FOR: "1.1.1.1", PROTO: "https", FORWARDED: "for=1.1.1.1;proto=https"}
    headers = [(name, values.get(name, "/shop"))]

    assert read(headers, peer="203.0.113.9") == ("203.0.113.9", "http", "/cart", "")


@pytest.mark.parametrize(
    ("prefixes", "setting", "path", "expected"),
    [
        ([], "", "/cart", ("/cart", "")),
        (["/shop"], "", "/cart", ("/cart", "/shop")),
        (["/shop/"], "", "/shop/cart", ("/shop/cart", "/shop")),
        ([], "/shop", "/shop", ("/", "/shop")),
        ([], "/shop", "/cart", ("/cart", "/shop")),
        ([], "/shop", "/shopping", ("/shopping", "/shop")),
        (["/a, /b"], "", "/cart", ("/cart", "/a/b")),
        (["/a", "/b"], "", "/cart", ("/cart", "/a/b")),
        ([], "/shop", "/shop/cart", ("/cart", "/shop")),
        (["/other"], "/shop", "/shop/add", ("/shop/add", "/other")),
        (["//evil.test"], "", "/cart", ("/cart", "")),
        (["/a//b"], "", "/cart", ("/cart", "")),
        (['/"><script>'], "", "/cart", ("/cart", "")),
        (["https://evil.test"], "", "/cart", ("/cart", "")),
    ],
)
def test_the_path_that_it_is_served_below(
    prefixes: list[str], setting: str, path: str, expected: tuple[str, str]
) -> None:
    """A proxy that takes it off says so; else requests begin with it."""
    headers = [("x-forwarded-prefix", prefix) for prefix in prefixes]

    assert read(headers, path=path, prefix=setting)[2:] == expected


@pytest.mark.parametrize("prefix", ["shop", "//shop", "/a b", "/?", "https://a"])
def test_a_root_path_that_cannot_be(prefix: str) -> None:
    with pytest.raises(ValueError, match="a root path is like /shop"):
        checked_prefix(prefix)
