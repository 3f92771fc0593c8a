"""The deployment record: settings that are fixed once the first service has started on the carts.

Another number of partitions would find other keys and show every cart as empty, so the number is
stored beside the carts and compared. The library never writes it; `ecart serve` does, once.
"""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from ecart.errors import StoreError, StoreUnavailableError
from ecart.stores.redis.failures import Failure, classify, reason_of
from ecart.stores.redis.keys import Keyspace

SCHEMA = 1
"""The layout of carts that this version writes: the first number of a cart's field `m`."""

_FIELDS = ("partitions", "schema", "created")


class Deployment(msgspec.Struct, frozen=True):
    """The record. `created_ms` is in milliseconds since 1970, by the engine's clock."""

    partitions: int
    schema: int
    created_ms: int


class DeploymentError(StoreError):
    """The settings do not match the deployment record; the message says what to do."""

    code = "deployment_error"


def read_deployment(client: Any, keys: Keyspace) -> Deployment | None:
    """The record; None if no service has started here yet. `client` is one of redis-py.

    Raises:
        DeploymentError: the key holds something else.
        StoreUnavailableError: the engine does not answer.
    """
    try:
        values = client.execute_command("HMGET", keys.deployment, *_FIELDS, NEVER_DECODE=True)
    except Exception as error:
        _raise_from(error, keys)
    return _parse(values, keys)


def record_deployment(client: Any, keys: Keyspace) -> Deployment:
    """The record, created from `keys` if there is none; of several processes, one creates it.

    Raises:
        DeploymentError, StoreUnavailableError: as `read_deployment`.
    """
    found = read_deployment(client, keys)
    if found is not None:
        return found
    try:
        seconds, micros = client.execute_command("TIME")
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        with client.pipeline(transaction=True) as pipe:
            for field, value in zip(_FIELDS, (keys.partitions, SCHEMA, now_ms), strict=True):
                pipe.execute_command("HSETNX", keys.deployment, field, value)
            pipe.execute_command("HMGET", keys.deployment, *_FIELDS, NEVER_DECODE=True)
            values = pipe.execute()[-1]
    except Exception as error:
        _raise_from(error, keys)
    recorded = _parse(values, keys)
    assert recorded is not None  # all its fields were just set
    return recorded


def compare_deployment(found: Deployment, keys: Keyspace) -> None:
    """Refuses keys that would not find the carts, and a schema that this version cannot read.

    Raises:
        DeploymentError: one of the two is so.
    """
    if found.partitions != keys.partitions:
        raise DeploymentError(
            f"the carts of prefix {keys.prefix!r} were begun with {found.partitions} partitions, "
            f"and with {keys.partitions} every one of them would seem empty: use --partitions "
            f"{found.partitions} (ECART_PARTITIONS), or another --prefix for new carts"
        )
    if found.schema > SCHEMA:
        raise DeploymentError(
            f"the carts of prefix {keys.prefix!r} are of schema {found.schema}, and this version "
            f"of ecart reads schema {SCHEMA}: install the version that wrote them, or a newer one"
        )


def _parse(values: list[bytes | None], keys: Keyspace) -> Deployment | None:
    if not any(values):
        return None
    numbers = [int(value) for value in values if value and value.isdigit()]
    if len(numbers) != len(_FIELDS):
        raise _unreadable(keys)
    return Deployment(*numbers)


def _unreadable(keys: Keyspace) -> DeploymentError:
    return DeploymentError(
        f"{keys.deployment} does not hold the record of a deployment: if another program wrote "
        "it, choose another --prefix; else delete it, and the next start writes it again"
    )


def _raise_from(error: Exception, keys: Keyspace) -> NoReturn:
    match classify(error):
        case Failure.NOT_OURS:
            raise error
        case Failure.WRONG_TYPE:
            raise _unreadable(keys) from error
        case _:
            raise StoreUnavailableError(reason_of(error)) from error
