"""What `/metrics` says, to whom, and what it never says."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from prometheus_client import generate_latest

from ecart import AsyncRedisStore, StoreUnavailableError
from ecart.operations import GetCart
from ecart_server.observability import Observability
from ecart_server.observability.exposition import FixedRegistry, is_local_request
from ecart_server.observability.operations import (
    OPERATION_FAMILIES,
    AttemptCounters,
    ObservedStore,
    OperationCounters,
)
from ecart_server.observability.requests import API_ROUTES, RouteTable
from ecart_server.observability.series import CellLayout
from ecart_server.observability.workers import WorkerCells, folder_of_workers, total
from ecart_server.settings import MetricsSettings, ServiceSettings, StoreSettings
from proxy import lossy
from service.observing import SECRET, Samples, client_of, labelled, metrics_of, samples_in, value
from serving import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.testclient import TestClient

    from engines import Engine
    from serving import Service


@pytest.fixture
def client(engine: Engine) -> Iterator[TestClient]:
    with client_of(engine.url) as running:
        yield running


def operations(samples: Samples, operation: str, outcome: str) -> float:
    return value(samples, "ecart_operation_seconds_count", operation=operation, outcome=outcome)


# What is counted


def test_operations_are_counted_by_outcome(client: TestClient) -> None:
    """Done, recognised as a repeat, or refused with the error's code; each with its time."""
    apple = {"sku": "apple"}
    client.post("/cart/items", json=apple)
    for _ in range(2):
        client.post("/cart/items", json=apple, headers={"Idempotency-Key": "k"})
    client.post("/cart/items", json=apple, headers={"If-Match": '"x.1.y"'})
    client.delete("/cart/items/nothing")

    samples = metrics_of(client)

    assert operations(samples, "AddItem", "ok") == 2
    assert operations(samples, "AddItem", "replayed") == 1
    assert operations(samples, "AddItem", "version_conflict") == 1
    assert operations(samples, "RemoveLine", "line_not_found") == 1
    assert value(samples, "ecart_replays_total") == 1
    assert value(samples, "ecart_conflicts_total") == 1
    took = value(samples, "ecart_operation_seconds_sum", operation="AddItem", outcome="ok")
    assert 0 < took < 5
    every = {"operation": "AddItem", "outcome": "ok", "le": "+Inf"}
    assert value(samples, "ecart_operation_seconds_bucket", **every) == 2


def test_requests_are_counted_by_route(client: TestClient) -> None:
    """The template of the path, never the path."""
    client.post("/cart/items", json={"sku": "marked-sku"})
    client.patch("/cart/items/marked-sku", json={"quantity": 2})
    client.get("/cart/operations/marked-key")
    client.head("/cart")
    client.get("/marked-path")
    client.request("BREW", "/cart")
    client.get("/")
    client.post("/shop/add", data={"sku": "marked-sku"})
    client.get("/metrics")

    samples = metrics_of(client)

    counted = {
        tuple(labels[name] for name in ("method", "route", "status"))
        for labels in labelled(samples, "ecart_http_requests_total")
    }
    assert counted == {
        ("POST", "/cart/items", "200"),
        ("PATCH", "/cart/items/{line_id}", "200"),
        ("GET", "/cart/operations/{key}", "404"),
        ("HEAD", "/cart", "200"),
        ("GET", "other", "404"),
        ("other", "other", "405"),
        ("GET", "/", "200"),
        ("POST", "/shop/add", "403"),
        ("GET", "/metrics", "200"),
    }
    assert "marked" not in str(samples)
    patched = {"method": "PATCH", "route": "/cart/items/{line_id}"}
    assert value(samples, "ecart_http_request_seconds_count", **patched) == 1


def test_strange_requests_make_no_new_series(client: TestClient) -> None:
    """1,000 paths, methods, SKUs and ids that nobody foresaw; the page stays as long as it was."""
    draw = random.Random(os.environ["ECART_SEED"])

    def strange() -> str:
        return "".join(draw.choices("abcXYZ019-._~%2F{}:'\u00e9\u732b", k=draw.randint(1, 30)))

    def send(_: int) -> None:
        method = draw.choice(["GET", "POST", "PATCH", "DELETE", "".join(draw.choices("ABC", k=5))])
        path = draw.choice(["/", "/cart/items/", "/carts/", "/cart/operations/"]) + strange()
        headers = {"X-Request-Id": "ok", "Idempotency-Key": f'"{draw.random()}"'}
        client.request(method, path, json={"sku": strange()}, headers=headers)

    for number in range(300):
        send(number)
    few = set(metrics_of(client))
    for number in range(700):
        send(number)
    many = set(metrics_of(client))

    known = {"ecart_http_requests_total", "ecart_http_request_seconds_count"}
    assert {name for name, _ in many - few} <= known | {
        "ecart_http_request_seconds_bucket",
        "ecart_http_request_seconds_sum",
    }
    told = [dict(labels) for name, labels in many if name in known]
    assert {labels["route"] for labels in told} <= {path for _, path in API_ROUTES} | {
        "other",
        "/metrics",
    }
    assert {labels["method"] for labels in told} <= {
        *("GET", "POST", "PATCH", "DELETE", "other"),
    }


def test_the_routes_of_the_contract_have_names() -> None:
    """Each that the service serves; of two templates that fit, the one that is meant."""
    routes = RouteTable(API_ROUTES)

    for method, path in API_ROUTES:
        assert routes.template(method, path.replace("{", "").replace("}", "")) == path
    nested = RouteTable([("GET", "/a/{x}"), ("GET", "/a/{x}/b")])
    assert nested.template("GET", "/a/1/b") == "/a/{x}/b"
    assert routes.template("DELETE", "/carts/a/merge") == "/carts/{cart_id}"
    assert routes.template("POST", "/carts/a/b/merge") == "/carts/{cart_id}/merge"


def test_pages_beside_the_contract_have_names() -> None:
    """What else the service serves is told to `Observability`."""
    settings = ServiceSettings(secrets=(SECRET,), store=StoreSettings(url="unix:///nowhere"))
    observed = Observability(settings, [("GET", "/admin/carts/{cart_id}")])

    labels = (
        observed._routes.template("GET", "/admin/carts/marked"),
        observed._routes.template("GET", "/admin"),
    )

    assert labels == ("/admin/carts/{cart_id}", "other")


@pytest.mark.parametrize(
    ("ending", "status"), [(RuntimeError, "500"), (asyncio.CancelledError, "none"), (None, "none")]
)
def test_requests_without_an_answer(
    ending: type[BaseException] | None, status: str, engine: Engine
) -> None:
    """A fault counts as the server answers it; a client that went away has no status."""
    settings = ServiceSettings(
        secrets=(SECRET,),
        store=StoreSettings(url=engine.url),
        metrics=MetricsSettings(is_open=True),
    )
    observed = Observability(settings)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if ending is not None:
            raise ending

    async def ask(path: str) -> list[Any]:
        sent: list[Any] = []

        async def keep(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", b"[::1]:1")]}
        try:
            await observed.observe_app(app)(scope, None, keep)  # type: ignore[arg-type]
        except (RuntimeError, asyncio.CancelledError):
            assert path != "/metrics"
        return sent

    async def ask_twice() -> str:
        await ask("/cart")
        text = (await ask("/metrics"))[1]["body"].decode()
        observed._engine.close()
        return text

    samples = samples_in(asyncio.run(ask_twice()))
    counted = {"method": "GET", "route": "/cart", "status": status}
    assert value(samples, "ecart_http_requests_total", **counted) == 1


def test_what_the_store_made_good_is_counted(engine: Engine) -> None:
    """Replies that were lost, and attempts made again; the shopper sees nothing of it."""
    with lossy(engine, drop=0.3) as proxy, client_of(proxy.url) as client:
        for number in range(1, 13):
            added = client.post("/cart/items", json={"sku": "apple"})
            assert added.json()["total_quantity"] == number
        samples = metrics_of(client)

    lost = value(samples, "ecart_store_failures_total", kind="connection_lost")
    assert lost > 1
    assert value(samples, "ecart_store_retries_total") == lost
    replayed = operations(samples, "AddItem", "replayed")
    assert replayed == value(samples, "ecart_replays_total") > 0
    assert replayed + operations(samples, "AddItem", "ok") == 12


def test_an_engine_that_is_away(own_engine: Engine) -> None:
    """The metrics say so at once, and when it is back."""
    with client_of(own_engine.url) as client:
        up = metrics_of(client)
        own_engine.kill()
        eventually(lambda: value(metrics_of(client), "ecart_engine_up") == 0, 5)
        down = metrics_of(client)
        own_engine.start()
        eventually(lambda: value(metrics_of(client), "ecart_engine_up") == 1, 5)

    assert value(up, "ecart_engine_up") == 1
    assert not labelled(down, "ecart_engine_keys")
    assert labelled(down, "ecart_http_requests_total")


def test_a_hung_engine_does_not_hold_the_metrics_up(own_engine: Engine) -> None:
    """They are there after three seconds, without it."""
    with client_of(own_engine.url) as client, own_engine.frozen():
        began = time.monotonic()
        samples = metrics_of(client)
        seconds = time.monotonic() - began

    assert value(samples, "ecart_engine_up") == 0
    assert seconds < 4


def test_failures_of_the_store_are_counted(own_engine: Engine) -> None:
    """Operations under the code of their error, attempts by what is known of them."""
    own_engine.kill()
    layout = CellLayout(OPERATION_FAMILIES)
    cells = array("d", bytes(8 * layout.size))

    async def ask() -> None:
        store = AsyncRedisStore(
            own_engine.url, deadline=0.2, observer=AttemptCounters(layout, cells)
        )
        with pytest.raises(StoreUnavailableError):
            await ObservedStore(store, OperationCounters(layout, cells)).execute("c", GetCart())
        await store.close()

    asyncio.run(ask())

    shown = generate_latest(FixedRegistry(list(layout.metrics(cells)))).decode()
    samples = samples_in(shown)
    assert operations(samples, "GetCart", "store_unavailable") == 1
    tries = value(samples, "ecart_store_failures_total", kind="not_connected")
    assert tries >= 2
    assert value(samples, "ecart_store_retries_total") == tries - 1


def test_what_the_engine_says(client: TestClient, engine: Engine) -> None:
    """Keys, memory, and what was thrown away, without a look at any key."""
    client.post("/cart/items", json={"sku": "apple"})
    with engine.connected() as observer:
        observer.config_resetstat()
        samples = metrics_of(client)
        asked = observer.info("commandstats")

    assert value(samples, "ecart_engine_keys") == 2  # a cart, and the index of its partition
    assert value(samples, "ecart_engine_memory_bytes") > 100_000
    assert value(samples, "ecart_engine_evicted_keys_total") == 0
    assert {name for name in asked if "scan" in name or "keys" in name} == set()


def test_the_loop_and_the_process_are_reported(client: TestClient) -> None:
    """How late the loop was, and what the process takes."""
    eventually(lambda: value(metrics_of(client), "ecart_event_loop_lag_seconds_count") > 0, 5)
    if Path("/proc/self/stat").exists():
        assert value(metrics_of(client), "process_resident_memory_bytes", worker="0") > 10_000_000


# To whom


def test_the_page(client: TestClient) -> None:
    """Text for Prometheus, OpenMetrics if wanted, and only to be read."""
    page = client.get("/metrics")
    head = client.head("/metrics")
    newer = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    posted = client.post("/metrics")

    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert page.headers["cache-control"] == "no-store"
    assert "set-cookie" not in page.headers
    assert (head.status_code, head.text) == (200, "")
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    assert newer.text.endswith("# EOF\n")
    assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")
    assert posted.json()["code"] == "method_not_allowed"


FROM_ELSEWHERE = [
    {"Host": "shop.test"},
    {"Host": "localhost.shop.test"},
    {"Host": "203.0.113.7:8000"},
    {"Host": ""},
    {"X-Forwarded-For": "203.0.113.7"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Host": "shop.test"},
    {"X-Real-Ip": "203.0.113.7"},
    {"Forwarded": "for=203.0.113.7"},
    {"Via": "1.1 proxy"},
]


@pytest.mark.parametrize("headers", FROM_ELSEWHERE, ids=lambda headers: next(iter(headers)))
def test_visitors_of_a_proxy_find_nothing(client: TestClient, headers: dict[str, str]) -> None:
    """As where there is no such path."""
    answer = client.get("/metrics", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:80", "[::1]"]
)
def test_this_machine_is_known(host: str) -> None:
    """By each of its names."""
    assert is_local_request({"host": host})


def test_a_service_that_others_reach_needs_a_key(engine: Engine) -> None:
    """Without one there is nothing, whoever asks; with one it is for who brings it."""
    with client_of(engine.url, metrics=MetricsSettings()) as client:
        closed = client.get("/metrics")
    with client_of(engine.url, metrics=MetricsSettings(keys=("a-key-of-prometheus",))) as client:
        asked = [
            client.get("/metrics", headers={"Host": "10.0.0.7:8000", **given})
            for given in (
                {},
                {"Authorization": "Bearer another-key-than-that"},
                {"Authorization": "Bearer a-key-of-prometheus"},
            )
        ]

    assert (closed.status_code, closed.json()["code"]) == (404, "not_found")
    assert [answer.status_code for answer in asked] == [401, 401, 200]
    assert asked[0].json()["code"] == "unauthorized"


def test_with_a_key_this_machine_needs_it_too(engine: Engine) -> None:
    """A proxy on it may not set any header."""
    with client_of(
        engine.url, metrics=MetricsSettings(keys=("a-key-of-prometheus",), is_open=True)
    ) as client:
        assert client.get("/metrics").status_code == 401


# Workers


def test_numbers_outlive_their_worker(tmp_path: Path) -> None:
    """One that follows goes on with the file of one that is gone; living ones have their own."""
    first = WorkerCells(3, str(tmp_path))
    second = WorkerCells(3, str(tmp_path))
    first.own[1] += 5
    second.own[1] += 7

    del first
    third = WorkerCells(3, str(tmp_path))
    third.own[1] += 1

    assert [list(cells)[1:] for cells in third.all()] == [[6.0, 0.0], [7.0, 0.0]]
    assert total(list(second.all()))[1] == 13
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


def test_all_workers_are_reported_of(serve: Callable[..., Service], tmp_path: Path) -> None:
    """Whichever answers; after kill -9 of both as before; and the folder is gone at the end."""
    service = serve("--workers", "2", env={"TMPDIR": str(tmp_path)}).ready()

    def add(_: int) -> None:
        url = f"{service.address}/cart/items"
        requests.post(url, json={"sku": "apple"}, timeout=10).raise_for_status()

    def took_part() -> list[str]:
        files = sorted(tmp_path.glob("ecart-metrics-*/*"))
        return [path.name for path in files if any(path.read_bytes()[8:])]

    sent = 0
    while sent < 60 or (sent < 2000 and took_part() != ["0", "1"]):  # the second may come later
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(add, range(20)))
        sent += 20

    seen = [added(service) for _ in range(20)]
    both = took_part()
    for pid in workers_of(service):
        os.kill(pid, signal.SIGKILL)
    service.ready()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(20)))

    assert seen == [sent] * 20
    assert both == ["0", "1"]
    assert added(service) == sent + 20
    assert service.terminate()[0] == 0
    assert list(tmp_path.glob("ecart-metrics-*")) == []


def test_a_killed_services_folder_is_removed_by_the_next(
    serve: Callable[..., Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But no folder of a service that runs, however old, and none that is just being made."""
    env = {"TMPDIR": str(tmp_path)}
    killed = serve(env=env).ready()
    (left,) = tmp_path.glob("ecart-metrics-*")
    killed.kill()
    os.utime(left, (0, 0))
    running = serve(env=env).ready()
    (folder,) = tmp_path.glob("ecart-metrics-*")
    os.utime(folder, (0, 0))
    (tmp_path / "ecart-metrics-new").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with folder_of_workers() as own:
        found = {path.name for path in tmp_path.glob("ecart-metrics-*")}

    assert left != folder
    assert found == {Path(own).name, folder.name, "ecart-metrics-new"}
    assert running.terminate()[0] == 0


def added(service: Service) -> float:
    text = requests.get(f"{service.address}/metrics", timeout=10).text
    return operations(samples_in(text), "AddItem", "ok")


def workers_of(service: Service) -> set[int]:
    pid = service.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return {child for child, command in found.items() if b"spawn_main" in command}
