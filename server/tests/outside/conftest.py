"""A service behind other people's programs: each runs in a folder of its own, on free ports."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from certificates import make_certificate
from engines import free_port, missing
from serving import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engines import Engine

OFFICE_KEY = "a key of the office that is long"
ADMIN_KEY = "a key of the operators"
PACKAGES = {"apache2": "apache2", "java": "default-jdk-headless", "nginx": "nginx", "curl": "curl"}


def program(name: str) -> str:
    """The path of a program, which Debian's package of it brings."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        missing(f"no {name}: apt-get install {PACKAGES[name]}")
    return found


@pytest.fixture
def run_service(engine: Engine, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Runs `ecart serve` with more arguments, until the end of the test."""
    started: list[Service] = []

    def run(*arguments: str) -> Service:
        env = {
            "ECART_SECRET": "a secret of the tests that is long enough",
            "ECART_OFFICE_KEYS": OFFICE_KEY,
            "ECART_ADMIN_KEY": ADMIN_KEY,
        }
        folder = tmp_path / f"service-{len(started)}" / "data"
        folder.parent.mkdir()
        service = Service("--redis-url", engine.url, *arguments, data_dir=folder, env=env)
        started.append(service)
        return service.ready()

    yield run
    for service in started:
        service.end_all()


@pytest.fixture
def service(run_service: Callable[..., Service]) -> Service:
    return run_service()


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs. `https` and `http` are where it listens; `certificate` is its file."""

    https: str
    http: str
    certificate: Path


class Proxies:
    """Starts proxies, and stops each by its own process at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        self._certificate, self._key = make_certificate(folder, "DNS:localhost", "IP:127.0.0.1")

    def nginx(self, locations: str) -> Proxy:
        """nginx with gzip for JSON; `locations` are those of its server."""
        folder, ports = self._new_folder("nginx")
        (folder / "nginx.conf").write_text(
            f"""
            daemon off;
            pid {folder}/nginx.pid;
            error_log {folder}/error.log;
            worker_processes 1;
            {"user root;" if os.geteuid() == 0 else ""}
            events {{ worker_connections 256; }}
            http {{
              access_log off;
              client_body_temp_path {folder}/body;
              proxy_temp_path {folder}/proxy;
              fastcgi_temp_path {folder}/fastcgi;
              uwsgi_temp_path {folder}/uwsgi;
              scgi_temp_path {folder}/scgi;
              gzip on; gzip_min_length 1; gzip_proxied any; gzip_vary on;
              gzip_types application/json application/problem+json text/javascript;
              proxy_http_version 1.1;
              proxy_set_header Host $http_host;
              proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
              proxy_set_header X-Forwarded-Proto $scheme;
              server {{
                listen 127.0.0.1:{ports[0]} ssl http2;
                listen 127.0.0.1:{ports[1]};
                ssl_certificate {self._certificate};
                ssl_certificate_key {self._key};
                {locations}
              }}
            }}"""
        )
        command = [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        return self._start(folder, [*command, "-e", str(folder / "error.log")], ports)

    def apache(self, directives: str) -> Proxy:
        """Apache with deflate for JSON; `directives` stand in its virtual hosts."""
        folder, ports = self._new_folder("apache")
        modules = "mpm_event authz_core proxy proxy_http headers deflate filter ssl socache_shmcb"
        loaded = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
            for name in modules.split()
        )
        user = "User root\nGroup root" if os.geteuid() == 0 else ""
        host = f"""
            ProxyPreserveHost On
            AddOutputFilterByType DEFLATE application/json application/problem+json
            {directives}
        """
        (folder / "apache.conf").write_text(
            f"""
            {loaded}
            {user.replace("User root", "User www-data").replace("Group root", "Group www-data")}
            ServerName localhost
            ServerRoot {folder}
            DefaultRuntimeDir {folder}
            PidFile {folder}/apache.pid
            ErrorLog {folder}/error.log
            Listen 127.0.0.1:{ports[0]}
            Listen 127.0.0.1:{ports[1]}
            <VirtualHost 127.0.0.1:{ports[0]}>
              SSLEngine on
              SSLCertificateFile {self._certificate}
              SSLCertificateKeyFile {self._key}
              RequestHeader set X-Forwarded-Proto https
              {host}
            </VirtualHost>
            <VirtualHost 127.0.0.1:{ports[1]}>
              RequestHeader setifempty X-Forwarded-Proto http
              {host}
            </VirtualHost>"""
        )
        command = [program("apache2"), "-f", str(folder / "apache.conf"), "-D", "FOREGROUND"]
        return self._start(folder, command, ports)

    def close(self) -> None:
        """Stops them, the last one first."""
        for process in reversed(self._running):
            process.terminate()
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait(10)

    def _new_folder(self, name: str) -> tuple[Path, tuple[int, int]]:
        folder = self._folder / f"{name}-{len(self._running)}"
        folder.mkdir()
        return folder, (free_port(), free_port())

    def _start(self, folder: Path, command: list[str], ports: tuple[int, int]) -> Proxy:
        log = (folder / "output.log").open("wb")
        with log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._running.append(process)
        until = time.monotonic() + 20
        while not all(map(_listens, ports)):
            told = "".join(file.read_text() for file in folder.glob("*.log"))
            assert process.poll() is None, told
            assert time.monotonic() < until, told
            time.sleep(0.05)
        https, http = ports
        return Proxy(f"https://localhost:{https}", f"http://localhost:{http}", self._certificate)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def proxies(tmp_path: Path) -> Iterator[Proxies]:
    """The certificate is for all of them."""
    made = Proxies(tmp_path)
    yield made
    made.close()


def passed_on(service: Service, path: str = "/") -> str:
    """nginx's location that passes everything on."""
    more: Any = "proxy_buffering off;" if path == "/cart/events" else ""
    return f"location {path} {{ proxy_pass {service.address}; {more} }}"
