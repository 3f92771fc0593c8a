"""Clients that offer HTTP/2 with every request on http (`Upgrade: h2c`): Java's, and curl."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import OFFICE_KEY, passed_on, program
from .journeys import Curl, journey

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Service

    from .conftest import Proxies


@pytest.fixture(params=["httptools", "h11"])
def service(
    request: pytest.FixtureRequest,
    run_service: Callable[..., Service],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Service:
    """With each parser of HTTP that the service may have."""
    if request.param == "h11":
        # As where it is not installed: Python imports this file at its start.
        (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['httptools'] = None")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return run_service()


def test_java(service: Service) -> None:
    source = Path(__file__).with_name("Journey.java")

    done = subprocess.run(
        [program("java"), source, service.address, OFFICE_KEY],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("done ")


def test_curl_offers_http_2(service: Service, tmp_path: Path) -> None:
    """The offer is ignored, and the body kept (RFC 9110 §7.8)."""
    curl = Curl(service.address, tmp_path / "jar", "--http2")

    journey(curl)

    assert curl.version == "1.1"


def test_curl_speaks_http_2_to_a_proxy(service: Service, proxies: Proxies, tmp_path: Path) -> None:
    """By TLS, where the two agree on it."""
    proxy = proxies.nginx(passed_on(service))
    curl = Curl(proxy.https, tmp_path / "jar", "--http2", "--cacert", str(proxy.certificate))

    journey(curl)

    assert curl.version == "2"
