"""An engine with the carts that an earlier version stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from upgrade.golden import Golden, golden, plant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine


@pytest.fixture
def client(engine: Engine) -> Iterator[Any]:
    """A redis-py client, for raw commands."""
    with engine.connected() as client:
        yield client


@pytest.fixture
def before(client: Any) -> Golden:
    """The carts, stored a moment ago."""
    carts = golden()
    plant(client, carts.carts)
    return carts
