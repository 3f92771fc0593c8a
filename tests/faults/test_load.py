"""The load that the fail-over tests make is judged rightly: planted faults are found."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from ecart import RedisStore
from ecart.operations import AddItem, RemoveLine
from topologies.load import Load, Opened, Verdict, Way, judge

if TYPE_CHECKING:
    from engines import Engine


def judged(engine: Engine, kind: type[RedisStore]) -> Verdict:
    """400 adds through a store of this kind, on a server that does not fail."""
    store = kind(engine.url)
    load = Load(["a", "b"])
    with load.running(Way("planted", False, lambda: Opened(store, lambda: None))):
        load.wait_for(400)
    assert load.errors == []
    found = judge(load, store)
    store.close()
    return found


def test_a_good_store_is_not_blamed(engine: Engine) -> None:
    """Nothing is lost, nothing is wrong, and there was something to judge."""
    found = judged(engine, RedisStore)

    assert (found.lost, found.wrong) == ([], [])
    assert found.acknowledged >= 400


class Planted(RedisStore):
    """Does what its kind does wrong with one add in fifty."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._adds = count(1)

    def execute(self, cart_id: str, operation: Any, /) -> Any:
        result = super().execute(cart_id, operation)
        if isinstance(operation, AddItem) and next(self._adds) % 50 == 0:
            self.slip(cart_id, operation)
        return result

    def slip(self, cart_id: str, operation: AddItem) -> None:
        raise NotImplementedError


class AddsTwice(Planted):
    """A repeat that is not known again."""

    def slip(self, cart_id: str, operation: AddItem) -> None:
        super().execute(cart_id, operation)


class Forgets(Planted):
    """Acknowledged, and in the middle of the cart a hole."""

    def slip(self, cart_id: str, operation: AddItem) -> None:
        super().execute(cart_id, RemoveLine(line_id=operation.line_id))


class Moves(Planted):
    """Acknowledged at one place, stored at another."""

    def slip(self, cart_id: str, operation: AddItem) -> None:
        super().execute(cart_id, RemoveLine(line_id=operation.line_id))
        super().execute(cart_id, operation)


@pytest.mark.parametrize("kind", [AddsTwice, Forgets, Moves])
def test_planted_faults_are_found(kind: type[RedisStore], engine: Engine) -> None:
    """Counted twice, lost, or done again elsewhere."""
    found = judged(engine, kind)

    assert found.wrong
    assert bool(found.lost) is (kind is Forgets)
