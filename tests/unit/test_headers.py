"""The headers of a request and of an answer, as ASGI apps have them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ecart
import ecart_server
from ecart.http.cookies import cookie_values
from ecart.http.guards import accepts, declared_length
from ecart.http.messages import USED_HEADERS
from ecart.integrations.asgi_messages import (
    cookies_of,
    encode_headers,
    headers_of,
    may_have_body,
    used_headers,
)

SOURCES = [
    *(Path(ecart.__file__).parent / "http").glob("*.py"),
    Path(ecart_server.__file__).parent / "rate_limits" / "gate.py",
]


def test_what_the_api_reads_is_among_the_used_headers() -> None:
    """Every name that a guard, a handler or the gate looks up is kept by who reads a request."""
    looked_up = re.compile(r'headers\.get\("([a-z-]+)"|"([a-z-]+)" in (?:request\.)?headers')
    text = "".join(path.read_text() for path in SOURCES)
    names = {found for pair in looked_up.findall(text) for found in pair if found}

    assert {"accept", "if-match", "origin", "content-length", "x-forwarded-for"} <= names
    assert names <= set(USED_HEADERS)


def test_used_headers_are_those_of_the_request() -> None:
    """Without what browsers send beside; lists and cookies in several lines are whole."""
    once = [(b"accept", b"*/*"), (b"dnt", b"1"), (b"cookie", b"a=1"), (b"origin", b"\xe9")]
    twice = [*once, (b"cookie", b"ecart=2"), (b"if-match", b'"a"'), (b"if-match", b'"b"')]

    assert used_headers({"headers": once}) == {"accept": "*/*", "cookie": "a=1", "origin": "é"}
    assert used_headers({"headers": twice}) == {
        "accept": "*/*", "cookie": "a=1; ecart=2", "origin": "é", "if-match": '"a", "b"',
    }  # fmt: skip
    assert used_headers({"headers": []}) == {}
    assert headers_of({"headers": twice})["dnt"] == "1"
    assert cookies_of({"headers": twice}) == "a=1; ecart=2"


@pytest.mark.parametrize(
    "method, version, headers, expected",
    [
        ("GET", "1.1", {}, False),
        ("GET", "1.1", {"content-length": "3"}, True),
        ("GET", "1.1", {"transfer-encoding": "chunked"}, True),
        ("GET", "2", {}, True),
        ("POST", "1.1", {}, True),
        ("DELETE", "1.1", {}, True),
    ],
)
def test_a_body_is_waited_for_where_one_may_come(
    method: str, version: str, headers: dict[str, str], expected: bool
) -> None:
    """HTTP/1 tells of a body in the head; later versions need not."""
    assert may_have_body({"method": method, "http_version": version}, headers) is expected


def test_headers_are_sent_in_lower_case_and_as_they_are() -> None:
    """The same each time, whatever was sent before."""
    headers = {"ETag": '"a.1.b"', "Content-Type": "application/json", "X": "é"}

    for _ in range(2):
        assert encode_headers(headers) == [
            (b"etag", b'"a.1.b"'), (b"content-type", b"application/json"), (b"x", b"\xe9"),
        ]  # fmt: skip
    assert encode_headers({"ETag": '"a.2.b"'}) == [(b"etag", b'"a.2.b"')]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("note=1", "1"),
        ("other=2; note=1", "1"),
        ("note=1; note=2", "1"),
        (' a ;\tnote="1" ; b', "1"),
        ("note=", ""),
        ("note=a=b", "a=b"),
        ("another-note=2; notes=3", None),
        ("other=note=1", None),
        ("NOTE=1", None),
        ("", None),
    ],
)
def test_a_cookie_of_a_header(header: str, value: str | None) -> None:
    """The first of that very name."""
    assert next(cookie_values(header, "note"), None) == value


@pytest.mark.parametrize(
    ("value", "length"),
    [
        ("0", 0), ("15", 15), ("0" * 5000 + "15", 15), ("0" * 5000, 0),
        ("9" * 5000, 10**20 - 1), ("", None), ("-1", None), ("1.5", None), ("²", None),
    ],
)  # fmt: skip
def test_a_declared_length(value: str, length: int | None) -> None:
    """A number of any digits: Python reads none of more than 4,300."""
    assert declared_length({"content-length": value}) == length
    assert declared_length({}) is None


@pytest.mark.parametrize(
    ("header", "is_accepted"),
    [
        ("gzip", True), ("br, GZIP ;q=0.5", True), ("gzip;q=1.0,*", True), ("gzip;level=0", True),
        ("gzip;q=0.001", True), ("gzip;q=0", False), ("gzip; Q=0.00", False), ("gzip;x;q=0", False),
        ("xgzip", False), ("", False), (",;,", False),
    ],
)  # fmt: skip
def test_a_preference(header: str, is_accepted: bool) -> None:
    """Named, and not with weight 0 (RFC 9110 §12.4.2)."""
    assert accepts(header, ("gzip",)) is is_accepted
