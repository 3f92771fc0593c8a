"""Bodies are read once, by a parser, in time that grows with their size."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecart.http.guards import parse_json
from ecart.http.problems import HttpError
from growth import assert_linear

if TYPE_CHECKING:
    from collections.abc import Callable

# Integers are cut after twenty digits: they are out of every range then.
scalars = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text()
values: st.SearchStrategy[Any] = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values, st.sampled_from([(",", ":"), (", ", ": ")]), st.booleans())
def test_what_was_written_is_read(
    value: Any, separators: tuple[str, str], ascii_only: bool
) -> None:
    """Whatever it is, by whichever writer."""
    try:
        body = json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        return

    assert parse_json(body) == value


@pytest.mark.parametrize(
    "body",
    [b'{"sku":"a","sku":"a"}', b'{"sku":"a","sku":"b"}', b"NaN", b"\xff", b"", b"{"],
)
def test_what_is_no_json_for_all_is_refused(body: bytes) -> None:
    """A name that stands twice, numbers that are none, no UTF-8."""
    with pytest.raises(HttpError) as refused:
        parse_json(body)
    assert refused.value.wire_code == "invalid_json"


@pytest.mark.parametrize(
    ("body", "is_deep"),
    [
        (b"[" * 16 + b"]" * 16, False),
        (b"[" * 17 + b"]" * 17, True),
        (b'{"a":' * 17 + b"1" + b"}" * 17, True),
        (b'[{"a":' * 8 + b"1" + b"}]" * 8, False),
        (b'["' + b"[" * 100 + b'"]', False),
        (b"[" + b"[]," * 100 + b"[]]", False),
    ],
)
def test_how_deep_it_may_be(body: bytes, is_deep: bool) -> None:
    """16 levels of arrays and objects; brackets in text are none."""
    if is_deep:
        with pytest.raises(HttpError, match="16 deep"):
            parse_json(body)
    else:
        parse_json(body)


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "unclosed texts": lambda size: b'{"sku":"a","options":{' + b'"\\' * (size // 2),
    "quotes": lambda size: b'"' * size,
    "open brackets": lambda size: b"[" * size,
    "digits": lambda size: b"1" * size,
    "decimals": lambda size: b"1." + b"1" * size,
    "an exponent": lambda size: b"1e" + b"9" * size,
    "zeros": lambda size: b"0." + b"0" * size,
    "names": lambda size: b"{" + b",".join(b'"%d":1' % n for n in range(size // 10)) + b"}",
    "backslashes": lambda size: b'"' + b"\\\\" * (size // 2),
    "blanks": lambda size: b" " * size,
    "escapes": lambda size: b'"' + b"\\u1234" * (size // 6) + b'"',
    "arrays": lambda size: b"[" + b"[]," * (size // 3) + b"[]]",
    "fractions": lambda size: b"[" + b"1.5," * (size // 4) + b"1]",
    "whole fractions": lambda size: b"[" + b"2.0," * (size // 4) + b"1]",
}


def read(body: bytes) -> None:
    with contextlib.suppress(HttpError):
        parse_json(body)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_time_grows_with_size(hostile: Callable[[int], bytes]) -> None:
    """Up to the largest body that is accepted."""
    assert_linear(read, hostile, 16_384)
