"""Bodies are read in two ways, which agree."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecart.http.guards import _DECODER, _plain_json, parse_json
from ecart.http.problems import HttpError

# A body's integers are cut after twenty digits by one of them: both are then out of every range.
scalars = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text()
values: st.SearchStrategy[Any] = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values, st.sampled_from([(",", ":"), (", ", ": ")]), st.booleans())
def test_what_is_read_fast_is_read_alike(
    value: Any, separators: tuple[str, str], ascii_only: bool
) -> None:
    """Whatever was written, by whichever writer."""
    try:
        body = json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:
        return
    plain = _plain_json(body)

    if plain is not None:
        assert repr(plain) == repr(_DECODER.decode(body.decode()))


def test_what_a_browser_writes_is_read_fast() -> None:
    """`JSON.stringify` puts no space between."""
    assert _plain_json(b'{"sku":"apple","quantity":2}') == {"sku": "apple", "quantity": 2}


@pytest.mark.parametrize(
    "body",
    [b'{"sku":"a","sku":"a"}', b'{"sku":"a","sku":"b"}', b"NaN", b"\xff", b"", b"{"],
)
def test_what_is_no_json_for_all_is_refused(body: bytes) -> None:
    """A name that stands twice, numbers that are none, no UTF-8: as before."""
    assert _plain_json(body) is None
    with pytest.raises(HttpError) as refused:
        parse_json(body)
    assert refused.value.wire_code == "invalid_json"
