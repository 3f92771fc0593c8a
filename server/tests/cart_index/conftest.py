"""A client of an engine and its nodes, as the back office opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ecart_server.redis_admin.connections import Node, open_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines import Engine


@pytest.fixture
def client(any_engine: Engine) -> Iterator[Any]:
    with any_engine.connected() as client:
        yield client


@pytest.fixture
def nodes(any_engine: Engine) -> Iterator[list[Node]]:
    nodes = open_nodes(any_engine.url)
    yield nodes
    for node in nodes:
        node.client.close()
