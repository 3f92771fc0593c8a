"""Checks the deployment record when the service starts, so that no cart seems empty."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.clients import open_client
from ecart.stores.redis.failures import Failure, classify, reason_of
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.urls import read_url
from ecart_server.redis_admin.deployment import (
    DeploymentError,
    compare_deployment,
    read_deployment,
    record_deployment,
)
from ecart_server.settings import ConfigurationError

_log = logging.getLogger("ecart.service")

_RETRY_SECONDS = 0.5


@contextlib.contextmanager
def deployment_guard(url: str, keys: Keyspace) -> Iterator[None]:
    """Records or compares the deployment, then runs the body: the service.

    An engine that is away at the start is not waited for. A thread checks the record as soon as the
    engine is there, and ends this process by SIGTERM if the record does not match.

    Raises:
        ConfigurationError: the record names other partitions or a newer schema.
    """
    late = _LateCheck(url, keys)
    try:
        try:
            ensure_deployment(url, keys)
        except StoreUnavailableError as error:
            _log.warning("the deployment record is checked later: %s", error)
            late.start()
        yield
    finally:
        late.end()


def check_deployment(url: str, keys: Keyspace) -> None:
    """Compares the record and writes nothing: for commands that only read.

    Raises:
        ConfigurationError: as `deployment_guard`.
        StoreUnavailableError: the engine does not answer.
    """
    with _connected(url) as client:
        found = read_deployment(client, keys)
        if found is not None:
            compare_deployment(found, keys)


def ensure_deployment(url: str, keys: Keyspace) -> None:
    """Creates the record if there is none, and compares it: for commands that write carts.

    Raises:
        ConfigurationError, StoreUnavailableError: as `check_deployment`.
    """
    with _connected(url) as client:
        compare_deployment(record_deployment(client, keys), keys)


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Any]:
    address = read_url(url)
    try:
        client = open_client(address)
    except Exception as error:  # a cluster's client connects at once
        if classify(error) is Failure.NOT_OURS:
            raise
        raise StoreUnavailableError(reason_of(error)) from error
    with contextlib.closing(client):
        try:
            yield client
        except DeploymentError as error:
            raise ConfigurationError(str(error)) from error


class _LateCheck(threading.Thread):
    """Repeats the check until the engine answers; if it fails, it ends this process."""

    def __init__(self, url: str, keys: Keyspace) -> None:
        super().__init__(name="ecart-deployment", daemon=True)
        self._url = url
        self._keys = keys
        self._ending = threading.Event()
        self._refusal: ConfigurationError | None = None

    def run(self) -> None:
        while not self._ending.wait(_RETRY_SECONDS):
            try:
                ensure_deployment(self._url, self._keys)
            except StoreUnavailableError:
                continue
            except ConfigurationError as error:
                self._refusal = error
                os.kill(os.getpid(), signal.SIGTERM)
            return

    def end(self) -> None:
        """Stops the thread, and raises the refusal that it found."""
        self._ending.set()
        if self.ident is not None:
            self.join()
        if self._refusal is not None:
            raise self._refusal
