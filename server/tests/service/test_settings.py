"""How the options of `ecart serve` reach the processes that serve."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ecart.http import HttpSettings
from ecart.http.cookies import CookieSettings
from ecart.operations import Rules
from ecart_server.cli.settings_options import default_of, nested
from ecart_server.rate_limits import Limits, Rate
from ecart_server.settings import (
    AdminSettings,
    ConfigurationError,
    LogSettings,
    MetricsSettings,
    ProxySettings,
    ServiceSettings,
    StoreSettings,
    hand_to_workers,
    inherited_settings,
)

if TYPE_CHECKING:
    from engines import Engine
    from serving import Service

VARIABLE = "ECART_WORKER_SETTINGS"

GIVEN = ServiceSettings(
    secrets=("a secret of the tests", "another one, older"),
    store=StoreSettings(
        url="unix:///run/ecart.sock",
        prefix="tenant",
        partitions=64,
        durability="replicated",
        replicas=2,
        is_embedded=True,
    ),
    http=HttpSettings(
        rules=Rules(
            ttl_ms=1000,
            currency="JPY",
            max_quantity=10,
            max_lines=20,
            max_details_bytes=30,
            max_line_bytes=50,
            max_cart_bytes=40,
        ),
        accept_unknown_skus=False,
        body_limit=1000,
        trusted_origins=frozenset({"https://a.example", "https://b.example"}),
        office_keys=("an office key that is long",),
        hold_seconds=60,
        keep_additions=True,
        merge_policy="max",
        first_ttl_seconds=30,
        user_session_seconds=40,
        cookie=CookieSettings(name="shop", path="/shop", from_http=True),
    ),
    catalog="wares.csv",
    limits=Limits(
        session=None,
        address=Rate(1, 2),
        new_sessions=Rate(3, 4),
        session_reads=Rate(5, 6),
        address_reads=None,
        streams=7,
        counts_loopback=True,
    ),
    admin=AdminSettings(key="an operator's key", can_write=True),
    logs=LogSettings(format="json", level="debug", access=True),
    metrics=MetricsSettings(keys=("a key of metrics",), is_open=True, folder="/tmp/numbers"),
    proxies=ProxySettings(trusted="10.0.0.0/8", root_path="/shop"),
    sweep_every=7,
    parent_pid=4321,
)
"""A value other than the default in each field."""


def fields_of(settings: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The path and the value of each field that is no struct itself."""
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if isinstance(value, msgspec.Struct) and not isinstance(value, Rate):
            yield from fields_of(value, f"{path}{name}__")
        else:
            yield path + name, value


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings in the environment, neither before nor after the test."""
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)


@pytest.mark.usefixtures("no_settings")
def test_settings_survive_the_way_to_a_worker() -> None:
    """Each field, of every type; none of them has its default here."""
    assert [path for path, value in fields_of(GIVEN) if value == default_of(path)] == []

    hand_to_workers(GIVEN)

    assert inherited_settings() == GIVEN


@pytest.mark.usefixtures("no_settings")
def test_a_worker_without_a_parent_has_no_settings() -> None:
    """Who serves the app by another way must give it settings."""
    with pytest.raises(ConfigurationError, match="workers are started by `ecart serve`"):
        inherited_settings()


def test_options_are_fields_by_their_names() -> None:
    """The parts of a name are the parts of a path."""
    options = {"catalog": "a", "http__hold_seconds": 1, "http__rules__ttl_ms": 2, "logs__level": 3}

    assert nested(options) == {
        "catalog": "a",
        "http": {"hold_seconds": 1, "rules": {"ttl_ms": 2}},
        "logs": {"level": 3},
    }


ARGUMENTS = """
    --workers 2 --prefix tenant --partitions 64 --catalog {catalog} --currency JPY --ttl 1000
    --user-session 40 --cookie-name shop --cookie-path /shop --cookie-from-http
    --root-path /shop --trusted-proxies 10.0.0.0/8
    --first-ttl 30 --trusted-origin https://a.example --trusted-origin https://b.example --hold 60
    --keep-additions --merge-policy max --durability fsync --replicas 0 --rate-limit all
    --session-rate 0 --address-rate 1/2 --new-session-rate 3/4 --session-read-rate 5/6
--address-read-rate 0 --streams-per-address 7 --log-format json --log-level debug
    --access-log --admin-write --sweep-every 7
"""


def settings_of_worker(service: Service) -> ServiceSettings:
    """What the environment of one of its child processes says."""
    pid = service.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        environ = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        for entry in environ:
            if entry.startswith(f"{VARIABLE}=".encode()):
                return msgspec.json.decode(entry.partition(b"=")[2], type=ServiceSettings)
    raise AssertionError("no worker was found")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_option_reaches_the_workers(
    serve: Callable[..., Service], engine: Engine, tmp_path: Path
) -> None:
    """`ecart serve` with each of its options; what is not named has its default."""
    wares = tmp_path / "wares.csv"
    wares.write_text("sku,unit_price\nmug,300\n")
    secrets = {
        "ECART_SECRET": "a secret of the tests, an older secret of them",
        "ECART_OFFICE_KEYS": "an office key that is long",
        "ECART_METRICS_KEYS": "a key of metrics",
        "ECART_ADMIN_KEY": "an operator's key",
    }
    arguments = ARGUMENTS.format(catalog=wares).split()

    service = serve("--redis-url", engine.url, *arguments, env=secrets).ready()
    found = settings_of_worker(service)

    assert found.metrics.folder is not None
    assert found == ServiceSettings(
        secrets=("a secret of the tests", "an older secret of them"),
        store=StoreSettings(
            url=engine.url, prefix="tenant", partitions=64, durability="fsync", replicas=0
        ),
        http=HttpSettings(
            rules=Rules(ttl_ms=1_000_000, currency="JPY"),
            accept_unknown_skus=False,
            trusted_origins=frozenset({"https://a.example", "https://b.example"}),
            office_keys=("an office key that is long",),
            hold_seconds=60,
            keep_additions=True,
            merge_policy="max",
            first_ttl_seconds=30,
            user_session_seconds=40,
            cookie=CookieSettings(name="shop", path="/shop", from_http=True),
        ),
        catalog=str(wares),
        limits=GIVEN.limits,
        admin=AdminSettings(key="an operator's key", can_write=True),
        logs=LogSettings(format="json", level="debug", access=True),
        metrics=MetricsSettings(
            keys=("a key of metrics",), is_open=True, folder=found.metrics.folder
        ),
        proxies=ProxySettings(trusted="10.0.0.0/8", root_path="/shop"),
        sweep_every=7,
        parent_pid=service.process.pid,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_settings_of_a_service_without_options(serve: Callable[..., Service]) -> None:
    """The embedded engine, a sample, limits, and short lives for the carts of first visits."""
    service = serve("--workers", "2").ready()
    found = settings_of_worker(service)

    assert found == ServiceSettings(
        secrets=found.secrets,
        store=StoreSettings(url=found.store.url, is_embedded=True),
        http=HttpSettings(first_ttl_seconds=3600),
        limits=Limits(),
        metrics=MetricsSettings(is_open=True, folder=found.metrics.folder),
        parent_pid=service.process.pid,
    )
    assert (len(found.secrets), found.store.url[:8]) == (1, "unix:///")
