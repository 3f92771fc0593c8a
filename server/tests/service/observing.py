"""The service in this process, and its metrics as Prometheus reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from ecart_server.app.application import create_app
from ecart_server.settings import MetricsSettings, ServiceSettings, StoreSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = "a secret of the tests that is long enough"
LOCAL = "http://localhost:8000"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def client_of(url: str, **settings: Any) -> TestClient:
    """A client of a new service on this engine; use it with `with`."""
    settings = {"metrics": MetricsSettings(is_open=True), **settings}
    given = ServiceSettings(secrets=(SECRET,), store=StoreSettings(url=url), **settings)
    return TestClient(create_app(given), base_url=LOCAL)


def samples_in(text: str) -> Samples:
    """Every sample of a page of metrics, by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def metrics_of(client: TestClient) -> Samples:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return samples_in(answer.text)


def value(samples: Samples, name: str, **labels: str) -> float:
    """The one sample of this name that has these labels; 0 if there is none."""
    return samples.get((name, tuple(sorted(labels.items()))), 0.0)


def labelled(samples: Samples, name: str) -> list[Mapping[str, str]]:
    """The labels of all series of a name."""
    return [dict(labels) for found, labels in samples if found == name]
