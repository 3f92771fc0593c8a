"""The look at the deployment record when the service starts, so that no cart seems empty."""

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
from ecart.stores.redis.failures import Failure, classify
from ecart.stores.redis.keys import Keyspace
from ecart.stores.redis.urls import Address, read_url
from ecart_server.redis_admin.deployment import (
    DeploymentError,
    compare_deployment,
    read_deployment,
    record_deployment,
)
from ecart_server.settings import ConfigurationError

logger = logging.getLogger("ecart.service")

_LOOK_EVERY = 0.5


@contextlib.contextmanager
def settled_deployment(url: str, keys: Keyspace) -> Iterator[None]:
    """Records or compares the deployment, then lets the service run.

    An engine that is away at the start is not waited for: the look is taken as soon as it is
    there, and a disagreement ends the service then.

    Raises:
        ConfigurationError: the record names other partitions or a newer schema.
    """
    late = _LateLook(url, keys)
    try:
        try:
            settle_deployment(url, keys)
        except StoreUnavailableError as error:
            logger.warning("the deployment record is looked at later: %s", error)
            late.start()
        yield
    finally:
        late.end()


def check_deployment(url: str, keys: Keyspace) -> None:
    """Compares, and writes nothing: for commands that only read.

    Raises:
        ConfigurationError: as `settled_deployment`.
        StoreUnavailableError: the engine does not answer.
    """
    with _asking(url) as client:
        found = read_deployment(client, keys)
        if found is not None:
            compare_deployment(found, keys)


def settle_deployment(url: str, keys: Keyspace) -> None:
    """Records the deployment if none is, and compares: for what is about to write carts.

    Raises:
        ConfigurationError, StoreUnavailableError: as `check_deployment`.
    """
    with _asking(url) as client:
        compare_deployment(record_deployment(client, keys), keys)


@contextlib.contextmanager
def _asking(url: str) -> Iterator[Any]:
    address = read_url(url)
    try:
        with contextlib.closing(_opened(address)) as client:
            yield client
    except DeploymentError as error:
        raise ConfigurationError(str(error)) from error


def _opened(address: Address) -> Any:
    try:
        return open_client(address)
    except Exception as error:  # a cluster's client connects at once
        if classify(error) is Failure.NOT_OURS:
            raise
        raise StoreUnavailableError(str(error)) from error


class _LateLook(threading.Thread):
    """Looks again until the engine answers; on disagreement it has this process end."""

    def __init__(self, url: str, keys: Keyspace) -> None:
        super().__init__(name="ecart-deployment", daemon=True)
        self._url = url
        self._keys = keys
        self._ending = threading.Event()
        self._refusal: ConfigurationError | None = None

    def run(self) -> None:
        while not self._ending.wait(_LOOK_EVERY):
            try:
                settle_deployment(self._url, self._keys)
            except StoreUnavailableError:
                continue
            except ConfigurationError as error:
                self._refusal = error
                os.kill(os.getpid(), signal.SIGTERM)
            return

    def end(self) -> None:
        """Stops looking, and raises what was found."""
        self._ending.set()
        if self.ident is not None:
            self.join()
        if self._refusal is not None:
            raise self._refusal
