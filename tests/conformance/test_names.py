"""Names never meet: two lines have two ids, two carts have two keys. Properties."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ecart.errors import InvalidSkuError
from ecart.model import check_line_id, check_sku, line_id_for, sku_of
from ecart.stores.redis.keys import Keyspace

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
DIGEST = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=15, max_size=17)
VALUES = (
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "0", "1", "a", "true"])
)
OPTIONS = st.dictionaries(st.sampled_from(["", "a", "b", "ab"]), VALUES, max_size=2)


@st.composite
def skus(draw: st.DrawFn) -> str:
    """Names, some of which look like the id of a line with options, once or twice over."""
    sku: str = draw(st.sampled_from(["a", "b", "a:b"]) | TEXT)
    for suffix in draw(st.lists(DIGEST, max_size=2)):
        sku = f"{sku}:{suffix}"
    if draw(st.booleans()):
        sku = line_id_for(sku, draw(OPTIONS))
    try:
        return check_sku(sku)
    except InvalidSkuError:
        assume(False)
        raise


def same(one: object, other: object) -> bool:
    # To Python, 1 == True; to a shop they are two choices.
    return repr(one) == repr(other)


@given(skus(), OPTIONS, skus(), OPTIONS)
def test_two_lines_have_two_ids(sku: str, options: dict, other: str, others: dict) -> None:
    """Equal ids only for the same SKU with the same options."""
    if line_id_for(sku, options) == line_id_for(other, others):
        assert sku == other
        assert same(sorted(options.items()), sorted(others.items()))


@given(skus(), OPTIONS)
def test_a_line_id_tells_the_sku(sku: str, options: dict) -> None:
    """`sku_of` undoes `line_id_for`, and the id is one that a line can have."""
    line_id = line_id_for(sku, options)

    assert sku_of(line_id) == sku
    assert check_line_id(line_id) == line_id


@given(skus(), OPTIONS)
def test_an_id_can_be_a_sku_of_its_own(sku: str, options: dict) -> None:
    """A SKU that imitates a line gets an id that is not that line's."""
    imitated = line_id_for(sku, options)
    assume(imitated != sku)

    assert line_id_for(imitated) != imitated


@given(TEXT, TEXT, st.sampled_from([1, 7, 1024, 16_384]))
def test_two_carts_have_two_keys(one: str, other: str, partitions: int) -> None:
    """Keys are equal only for equal ids, and tell the id."""
    keys = Keyspace(partitions=partitions)

    assert keys.cart_id(keys.cart(one)) == one
    assert (keys.cart(one) == keys.cart(other)) == (one == other)


@given(st.text("a%:{}/ é\u0301-_.~*", min_size=1, max_size=6), st.text("ab:", max_size=3))
def test_keys_are_plain_text(cart_id: str, more: str) -> None:
    """Whatever the id, its key is ASCII without braces but the partition's, nor white space."""
    key = Keyspace().cart(cart_id + more)

    prefix, _, rest = key.partition(":{")
    partition, _, name = rest.partition("}:cart:")
    assert prefix == "ecart"
    assert 0 <= int(partition) < 1024
    assert name.isascii()
    assert not set(name) & set(" {}:/*")


def test_a_key_is_where_it_was() -> None:
    """Deployments rely on it: these keys are for ever."""
    assert Keyspace().cart("user-42") == "ecart:{115}:cart:user-42"
    assert Keyspace("shop", 1).cart("é/{a}") == "shop:{0}:cart:%C3%A9%2F%7Ba%7D"


@pytest.mark.parametrize("prefix", ["", "a b", "a:b", "{a}", "é", "a/b", "a%20"])
def test_odd_prefixes_are_refused(prefix: str) -> None:
    """A prefix that could be read as another part of the key is none."""
    with pytest.raises(ValueError, match="a prefix is made of"):
        Keyspace(prefix)


@pytest.mark.parametrize("partitions", [0, -1, 16_385])
def test_odd_partition_counts_are_refused(partitions: int) -> None:
    """At least one, at most as many as a cluster has slots."""
    with pytest.raises(ValueError, match="partitions"):
        Keyspace(partitions=partitions)


def test_prefixes_keep_tenants_apart() -> None:
    """One id, two prefixes, two keys."""
    assert Keyspace("a").cart("x") != Keyspace("b").cart("x")


def test_line_ids_are_where_they_were() -> None:
    """Stored carts rely on it: these ids are for ever."""
    assert line_id_for("shirt") == "shirt"
    assert line_id_for("shirt", {"size": "M", "gift": True}) == "shirt:gadsy42mk46maeow"
    assert line_id_for("a:aaaaaaaaaaaaaaaa") == "a:aaaaaaaaaaaaaaaa:iqjw7i2vwntyuekg"
