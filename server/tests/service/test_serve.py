"""The service from its start to its end, and what survives it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from serving import engine_pid, eventually, kill_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from engines import Engine
    from serving import Service

SECRET = "a secret of the tests that is long enough"


def skus(visitor: requests.Session, address: str) -> list[str]:
    return [item["sku"] for item in visitor.get(f"{address}/cart").json()["items"]]


def test_the_first_program(serve: Callable[..., Service]) -> None:
    """What the service's first user writes runs against it, seconds after its start."""
    service = serve().ready()
    print(f"first answer after {service.first_answer:.2f} s")
    BASE_URL = service.address

    with requests.Session() as s:
        r1 = s.post(f"{BASE_URL}/cart/items", json={"sku": "apple"})
        r1.raise_for_status()
        r2 = s.post(f"{BASE_URL}/cart/items", json={"sku": "banana"})
        r2.raise_for_status()
        assert r1.json()["cart_id"] == r2.json()["cart_id"]
        r3 = s.get(f"{BASE_URL}/cart")
        assert {item["sku"] for item in r3.json()["items"]} == {"apple", "banana"}
    assert service.first_answer < 10
    assert f"ecart on http://localhost:{service.port}" in service.said


def test_carts_survive_a_crash_of_everything(
    serve: Callable[..., Service],
    data_dir: Path,
    visitor: requests.Session,
) -> None:
    """After kill -9 of the service and of its engine, the same cookie finds the same cart."""
    service = serve().ready()
    visitor.post(f"{service.address}/cart/items", json={"sku": "apple"}).raise_for_status()
    cart = visitor.post(f"{service.address}/cart/items", json={"sku": "banana"}).json()

    service.kill()
    assert kill_engine(data_dir)
    again = serve().ready()

    assert visitor.get(f"{again.address}/cart").json() == cart


def filled(visitor: requests.Session, service: Service) -> Any:
    """The visitor's cart with an apple, as it is once the visitor has been seen again."""
    visitor.post(f"{service.address}/cart/items", json={"sku": "apple"})
    return visitor.get(f"{service.address}/cart").json()


def test_an_engine_that_died_alone_is_started_again(
    serve: Callable[..., Service],
    data_dir: Path,
    visitor: requests.Session,
) -> None:
    """The service goes on with it; nothing is lost."""
    service = serve().ready()
    cart = filled(visitor, service)

    assert kill_engine(data_dir)

    assert visitor.get(f"{service.address}/cart").json() == cart


def test_an_engine_left_behind_is_adopted(
    serve: Callable[..., Service],
    data_dir: Path,
    visitor: requests.Session,
) -> None:
    """After kill -9 of the service alone, the next one takes its engine over, and ends it."""
    service = serve().ready()
    cart = filled(visitor, service)
    left = engine_pid(data_dir)

    service.kill()
    again = serve().ready()

    assert engine_pid(data_dir) == left
    assert visitor.get(f"{again.address}/cart").json() == cart
    again.terminate()
    assert engine_pid(data_dir) is None


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told(
    serve: Callable[..., Service],
    data_dir: Path,
    number: signal.Signals,
    workers: str,
) -> None:
    """Exit code 0 within ten seconds, and no engine is left."""
    service = serve("--workers", workers).ready()
    assert engine_pid(data_dir) is not None
    began = time.monotonic()

    service.process.send_signal(number)

    assert service.process.wait(15) == 0, service.said
    assert time.monotonic() - began < 10
    assert engine_pid(data_dir) is None
    assert "Traceback" not in service.said


def test_what_runs_is_finished_first(serve: Callable[..., Service]) -> None:
    """A request whose body is still coming when SIGTERM comes is answered."""
    service = serve().ready()
    body = b'{"sku":"apple"}'
    head = (
        "POST /cart/items HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as raw:
        raw.sendall(head.encode())
        time.sleep(0.2)
        service.process.terminate()
        time.sleep(0.5)
        raw.sendall(body)
        said = raw.recv(65_536)

    assert said.split(b" ")[1] == b"200"
    assert service.process.wait(10) == 0


def test_a_client_that_never_finishes_does_not_hold_it_up(serve: Callable[..., Service]) -> None:
    """SIGTERM ends the service within ten seconds all the same."""
    service = serve().ready()
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as raw:
        raw.sendall(b"POST /cart/items HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        time.sleep(0.2)

        code, seconds = service.terminate()

    assert code == 0
    assert seconds < 10


def test_two_workers_lose_nothing(serve: Callable[..., Service], visitor: requests.Session) -> None:
    """8 threads add 25 each to one session, served by two processes: 200, and both took part."""
    service = serve("--workers", "2").ready()
    visitor.get(f"{service.address}/cart")

    def add(_: int) -> None:
        for _ in range(25):
            # A connection each, so that the kernel deals them out to both.
            requests.post(
                f"{service.address}/cart/items", json={"sku": "apple"}, cookies=visitor.cookies
            ).raise_for_status()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(8)))

    cart = visitor.get(f"{service.address}/cart").json()
    assert (cart["total_quantity"], cart["version"]) == (200, 200)


def test_a_worker_that_dies_is_replaced(
    serve: Callable[..., Service], visitor: requests.Session
) -> None:
    """kill -9 of both workers: new ones serve the same carts."""
    service = serve("--workers", "2").ready()
    cart = filled(visitor, service)
    workers = workers_of(service)
    assert len(workers) == 2

    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(workers_of(service) - workers) == 2, 10)
    service.ready()

    assert visitor.get(f"{service.address}/cart").json() == cart


def workers_of(service: Service) -> set[int]:
    """The processes that it started to serve."""
    pid = service.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in command_of(child)}


def command_of(pid: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def test_no_worker_outlives_its_parent(serve: Callable[..., Service]) -> None:
    """Three seconds after kill -9 of the parent the port is free."""
    service = serve("--workers", "2").ready()

    service.kill()
    deadline = time.monotonic() + 3
    while is_taken(service.port) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert not is_taken(service.port)


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_two_services_share_a_data_folder(
    serve: Callable[..., Service],
    data_dir: Path,
    visitor: requests.Session,
) -> None:
    """On two ports, with one engine and one secret: a cart begun here goes on there."""
    one = serve().ready()
    engine = engine_pid(data_dir)
    two = serve().ready()

    visitor.post(f"{one.address}/cart/items", json={"sku": "apple"})
    visitor.post(f"{two.address}/cart/items", json={"sku": "banana"})

    assert engine_pid(data_dir) == engine
    assert skus(visitor, one.address) == skus(visitor, two.address) == ["apple", "banana"]
    one.terminate()
    assert skus(visitor, two.address) == ["apple", "banana"]
    two.terminate()
    assert engine_pid(data_dir) is None


def test_two_first_starts_at_once(serve: Callable[..., Service], visitor: requests.Session) -> None:
    """They agree on one engine and one secret."""
    one, two = serve(), serve()
    one.ready()
    two.ready()

    visitor.post(f"{one.address}/cart/items", json={"sku": "apple"})

    assert skus(visitor, two.address) == ["apple"]


def test_a_port_that_is_taken(
    serve: Callable[..., Service],
    data_dir: Path,
) -> None:
    """One line that says so, and no engine is left running."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        said = serve("--port", str(port)).refused()

    assert str(port) in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1
    assert engine_pid(data_dir) is None


# Secrets


def test_the_secret_is_kept(
    serve: Callable[..., Service], data_dir: Path, visitor: requests.Session
) -> None:
    """Made at the first start, for its owner's eyes only, the same ever after."""
    service = serve().ready()
    visitor.post(f"{service.address}/cart/items", json={"sku": "apple"})
    secret = data_dir / "secret"
    first = secret.read_text()
    service.terminate()

    again = serve().ready()

    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text() == first
    assert len(first.strip()) >= 32
    assert skus(visitor, again.address) == ["apple"]


def test_secrets_are_rotated(serve: Callable[..., Service], visitor: requests.Session) -> None:
    """`ECART_SECRET=new,old`: sessions of the old secret go on, new ones need the old no more."""
    old, new = "the old secret of the service", "the new secret of the service"
    service = serve(env={"ECART_SECRET": old}).ready()
    visitor.post(f"{service.address}/cart/items", json={"sku": "apple"})
    service.terminate()

    both = serve(env={"ECART_SECRET": f"{new}, {old}"}).ready()
    assert skus(visitor, both.address) == ["apple"]
    with requests.Session() as newcomer:
        newcomer.post(f"{both.address}/cart/items", json={"sku": "tea"})
        both.terminate()

        only_new = serve(env={"ECART_SECRET": new}).ready()
        assert skus(newcomer, only_new.address) == ["tea"]
        assert skus(visitor, only_new.address) == []


@pytest.mark.parametrize("secret", ["short", f"{SECRET},short", ","])
def test_a_weak_secret_is_refused(serve: Callable[..., Service], secret: str) -> None:
    """16 characters at least, each of them."""
    said = serve(env={"ECART_SECRET": secret}).refused()

    assert "ECART_SECRET: each secret has 16 characters or more" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_others_are_not_served_without_an_explicit_secret(
    serve: Callable[..., Service], data_dir: Path, host: str
) -> None:
    """An address that others can reach is refused; the message says what to set."""
    service = serve("--host", host)

    said = service.refused()

    assert f"others can reach {host}: set ECART_SECRET" in said
    assert said.strip().endswith("[configuration_error]")
    assert not data_dir.exists()


# What it is told


def test_a_redis_of_ones_own(
    serve: Callable[..., Service], engine: Engine, data_dir: Path, visitor: requests.Session
) -> None:
    """`--redis-url`: carts go there, and no engine is started."""
    service = serve("--redis-url", engine.url).ready()

    visitor.post(f"{service.address}/cart/items", json={"sku": "apple"}).raise_for_status()

    with engine.connected() as client:
        assert len(client.keys("ecart:{*:cart:*")) == 1
    assert not (data_dir / "engine.json").exists()
    assert service.terminate()[0] == 0
    assert engine.is_running


def test_variables_instead_of_arguments(
    serve: Callable[..., Service], engine: Engine, tmp_path: Path, visitor: requests.Session
) -> None:
    """Each option has one; an argument given as well wins."""
    wares = tmp_path / "wares.csv"
    wares.write_text("sku,unit_price\nmug,700\n")
    service = serve(
        "--currency",
        "JPY",
        env={
            "ECART_REDIS_URL": engine.url,
            "ECART_CATALOG": str(wares),
            "ECART_CURRENCY": "EUR",
            "ECART_TTL": "60",
            "ECART_WORKERS": "2",
            "ECART_SECRET": SECRET,
            "ECART_TRUSTED_ORIGINS": "https://a.test https://b.test",
        },
    ).ready()

    answer = visitor.post(
        f"{service.address}/cart/items",
        json={"sku": "mug"},
        headers={"Origin": "https://b.test", "Sec-Fetch-Site": "cross-site"},
    ).json()

    assert (answer["currency"], answer["subtotal"]) == ("JPY", "700")
    with engine.connected() as client:
        (key,) = client.keys("ecart:{*:cart:*")
        assert 50 < client.ttl(key) <= 60


def test_a_catalog_is_read_again(
    serve: Callable[..., Service], tmp_path: Path, visitor: requests.Session
) -> None:
    """New prices are used at once; a file that breaks is 503 until it is fixed."""
    wares = tmp_path / "wares.csv"
    wares.write_text("sku,title,unit_price\nmug,Mug,7.00\n")
    service = serve("--catalog", str(wares)).ready()

    def add() -> requests.Response:
        return visitor.post(f"{service.address}/cart/items", json={"sku": "mug"})

    first = add().json()
    wares.write_text("sku,title,unit_price\nmug,Mug,8.50\n")
    second = add().json()
    wares.write_text("sku,unit_price\nmug,cheap\n")
    broken = add()
    shown = visitor.get(f"{service.address}/cart").json()
    wares.write_text("sku,title,unit_price\nmug,Mug,9.00\n")
    fixed = add().json()

    assert first["subtotal"] == "7.00"
    assert second["subtotal"] == "17.00"
    assert (broken.status_code, broken.json()["code"]) == (503, "catalog_unavailable")
    assert shown == second
    assert fixed["subtotal"] == "27.00"


BAD_ARGUMENTS = {
    "a catalog that is not there": (["--catalog", "/nowhere/wares.csv"], 1, "wares.csv"),
    "an unknown currency": (["--currency", "XYZ"], 1, "ISO 4217"),
    "an unknown scheme": (["--redis-url", "http://localhost"], 1, "redis://"),
    "no URL at all": (["--redis-url", "localhost"], 1, "redis://"),
    "an unknown engine": (["--engine", "/nowhere/server"], 1, "/nowhere/server"),
    "no port": (["--port", "99999"], 2, "65535"),
    "no workers": (["--workers", "0"], 2, "--workers"),
    "a life of nothing": (["--ttl", "0"], 2, "--ttl"),
    "an unknown option": (["--colour"], 2, "--colour"),
    "a host that is none": (["--host", "127.0.0.999"], 1, "127.0.0.999"),
}


@pytest.mark.parametrize(
    ("arguments", "code", "told"), BAD_ARGUMENTS.values(), ids=list(BAD_ARGUMENTS)
)
def test_bad_arguments(
    serve: Callable[..., Service], arguments: list[str], code: int, told: str
) -> None:
    """Refused at the start in a line or two that name the fault; never a stack trace."""
    service = serve(*arguments)

    said = service.refused()

    assert service.process.returncode == code
    assert told in said
    assert "Traceback" not in said


def test_a_broken_catalog_is_refused_at_the_start(
    serve: Callable[..., Service], tmp_path: Path
) -> None:
    """Not only at the first add."""
    wares = tmp_path / "wares.json"
    wares.write_text('[{"sku": "mug", "unit_price": "cheap"}]')

    said = serve("--catalog", str(wares)).refused()

    assert "wares.json" in said
    assert "product 1" in said
    assert said.strip().endswith("[catalog_unavailable]")


def test_a_data_folder_of_another_engine(serve: Callable[..., Service], data_dir: Path) -> None:
    """It is refused, not shown as empty carts."""
    data_dir.mkdir()
    (data_dir / "engine.json").write_text('{"engine": "redis", "version": "8.0.0"}')
    (data_dir / "appendonlydir").mkdir()
    (data_dir / "appendonlydir" / "x.aof").write_text("x")

    said = serve("--engine", "valkey").refused()

    assert "written by redis 8.0.0" in said
    assert said.strip().endswith("[engine_error]")


def test_nothing_is_said_per_request(
    serve: Callable[..., Service], visitor: requests.Session
) -> None:
    """The terminal stays quiet: no cookies, ids or addresses in logs."""
    service = serve().ready()
    before = service.said

    for _ in range(5):
        visitor.post(f"{service.address}/cart/items", json={"sku": "apple"})
        visitor.get(f"{service.address}/cart/nothing")

    assert service.said == before


def test_both_names_of_this_machine(serve: Callable[..., Service]) -> None:
    """http://localhost works as printed, whichever address it resolves to first."""
    service = serve().ready()

    answer = requests.get(f"http://localhost:{service.port}/healthz", timeout=5)

    assert answer.json() == {"status": "ok"}


def test_it_reaches_nobody(serve: Callable[..., Service]) -> None:
    """Whatever `ecart serve` is, it listens on loopback alone."""
    service = serve().ready()
    if not Path("/proc/net/tcp").exists():
        pytest.skip("the kernel does not tell")

    listening = subprocess.run(["cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True)
    port = f":{service.port:04X} "
    addresses = {
        fields[1].partition(":")[0]
        for fields in map(str.split, listening.stdout.decode().splitlines())
        if port in f"{fields[1]} " and fields[3] == "0A"
    }

    assert addresses == {"0100007F"}


def test_behind_a_proxy_that_speaks_https(serve: Callable[..., Service]) -> None:
    """A proxy on this machine tells the scheme; then the cookie is `__Host-` and Secure."""
    service = serve().ready()

    answer = requests.get(
        f"{service.address}/cart",
        headers={"X-Forwarded-Proto": "https", "Host": "shop.test"},
        timeout=5,
    )

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-ecart=")
    assert cookie.endswith("; Secure")


def test_a_change_that_no_replica_has_is_not_acknowledged(
    serve: Callable[..., Service], visitor: requests.Session, own_engine: Engine
) -> None:
    """`--durability replicated` without a replica: 504, and the change can be asked about."""
    service = serve("--redis-url", own_engine.url, "--durability", "replicated").ready()
    visitor.get(f"{service.address}/cart")

    answer = visitor.post(f"{service.address}/cart/items", json={"sku": "apple"})

    assert (answer.status_code, answer.json()["code"]) == (504, "outcome_unknown")
    told = visitor.get(f"{service.address}/cart/operations/{answer.json()['operation_id']}")
    assert told.status_code == 200
    assert visitor.get(f"{service.address}/cart").json()["total_quantity"] == 1


GARBAGE = """
import gc
from ecart_server.app.application import GC_THRESHOLD, create_app
from ecart_server.settings import ServiceSettings, StoreSettings, hand_to_workers

store = StoreSettings(url="redis://localhost:1")
settings = ServiceSettings(secrets=("of this test",), store=store)
usual = gc.get_threshold(), gc.get_freeze_count()
create_app(settings)
assert (gc.get_threshold(), gc.get_freeze_count()) == usual
hand_to_workers(settings)
create_app()
assert gc.get_threshold()[0] == GC_THRESHOLD
assert gc.get_freeze_count() > usual[1] + 10_000
collected = gc.get_stats()[0]["collected"]
for _ in range(2 * GC_THRESHOLD):
    cycle = []
    cycle.append(cycle)
assert gc.get_stats()[0]["collected"] - collected >= GC_THRESHOLD // 2
"""


def test_a_worker_collects_garbage_seldom() -> None:
    """Cycles go all the same, in time. An app that somebody else runs leaves the collector be."""
    subprocess.run([sys.executable, "-c", GARBAGE], check=True)
