"""The page about metrics and the dashboard speak of metrics that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ecart_server.observability.minutes import Counts
from ecart_server.observability.operations import OUTCOMES
from ecart_server.observability.requests import STATUSES
from pages import codes_in, table
from service.observing import client_of

if TYPE_CHECKING:
    from engines import Engine

DOCS = Path(__file__).parents[3] / "docs"
PAGE = "docs/observability.md"
HEADER = ("metric", "type", "labels", "meaning")


@pytest.fixture
def families(engine: Engine) -> dict[str, str]:
    """The type of each metric of a service, by its name as Prometheus stores it."""
    with client_of(engine.url) as client:
        text = client.get("/metrics").text
    return {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in text_string_to_metric_families(text)
    }


def test_every_metric_is_listed(families: dict[str, str]) -> None:
    """Each with its type, in the table of the page; those of the process are the usual ones."""
    rows = table(PAGE, *HEADER)

    listed = {codes_in(name)[0]: kind for name, kind, _, _ in rows}
    assert listed == {n: kind for n, kind in families.items() if not n.startswith("process_")}


def test_every_label_is_listed(engine: Engine) -> None:
    """And no other is on any series."""
    rows = table(PAGE, *HEADER)
    listed = {codes_in(name)[0]: set(codes_in(labels)) for name, _, labels, _ in rows}

    with client_of(engine.url) as client:
        client.post("/cart/items", json={"sku": "apple"})
        text = client.get("/metrics").text

    for family in text_string_to_metric_families(text):
        name = family.name + ("_total" if family.type == "counter" else "")
        for sample in family.samples:
            assert set(sample.labels) - {"le"} <= listed.get(name, {"worker"}), sample


def test_the_dashboard_asks_for_what_there_is(families: dict[str, str]) -> None:
    """Each name in each expression is a metric of the service."""
    panels = json.loads((DOCS / "grafana-dashboard.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    series = set(families) | {
        f"{name}{end}"
        for name, kind in families.items()
        for end in ("_bucket", "_sum", "_count")
        if kind == "histogram"
    }

    named = {name for text in asked for name in re.findall(r"\b(?:ecart|process)_\w+", text)}

    assert len(asked) > 15
    assert named <= series
    ours = {name for name in families if name.startswith("ecart_")}
    assert {name for name in ours if any(one.startswith(name) for one in named)} == ours


def test_what_is_chosen_in_the_dashboard_exists() -> None:
    """Outcomes and statuses by which it chooses are some that there can be."""
    text = (DOCS / "grafana-dashboard.json").read_text().replace('\\"', '"')

    assert set(re.findall(r'outcome!?="(\w+)"', text)) <= set(OUTCOMES)
    for pattern in re.findall(r'status=~"([^"]+)"', text):
        assert any(re.fullmatch(pattern, str(status)) for status in STATUSES)


def test_every_count_is_listed() -> None:
    """Of those per minute."""
    rows = table(PAGE, "count", "of")

    assert tuple(codes_in(row[0])[0] for row in rows) == Counts.__struct_fields__
