"""Each test has a data folder of its own, and all that it started is ended after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from serving import Service, kill_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data folder that does not exist yet."""
    path = tmp_path / "data"
    yield path
    kill_engine(path)


@pytest.fixture
def serve(data_dir: Path) -> Iterator[Callable[..., Service]]:
    """Runs `ecart serve` with these arguments and variables."""
    started: list[Service] = []

    def start(*arguments: str, env: dict[str, str] | None = None, **options: Any) -> Service:
        service = Service(*arguments, **{"data_dir": data_dir, **options}, env=env or {})
        started.append(service)
        return service

    yield start
    for service in started:
        service.end_all()


@pytest.fixture
def visitor() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session
