"""What the tests of more than one integration, or file, need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


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
