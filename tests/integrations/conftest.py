"""What the tests of more than one integration, or file, need."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NoReturn

import pytest

from engines import missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FRAMEWORKS = ("flask", "django", "starlette", "fastapi", "litestar")


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """The tests of a framework that is not installed are one skipped file, or a failure in CI."""
    framework = module_path.stem.split("_")[1]
    if framework not in FRAMEWORKS or find_spec(framework) is not None:
        return None
    return AbsentFramework.from_parent(parent, path=module_path, name=framework)


class AbsentFramework(pytest.Module):
    def collect(self) -> NoReturn:
        missing(f"no {self.name}: pip install {self.name}")


@pytest.fixture(scope="session")
def migrated() -> None:
    """The tables of the Django site."""
    from django.core.management import call_command

    import clients.django  # noqa: F401

    call_command("migrate", verbosity=0, skip_checks=True)


@pytest.fixture
def tables(migrated: None) -> Iterator[None]:
    """The tables of the Django site, and no connection to them left open."""
    from django.db import connections

    yield
    connections.close_all()
