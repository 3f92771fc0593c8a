"""The deployment record: what was fixed for ever when the first service began on these carts.

Another number of partitions would find other keys and show every cart as empty, so it is kept
beside the carts and compared. The library never writes it; `ecart serve` does, once.
"""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from ecart.errors import StoreError, StoreUnavailableError
from ecart.stores.redis.failures import Failure, classify
from ecart.stores.redis.keys import Keyspace

SCHEMA = 1
"""The layout of carts that this version writes: the first number of a cart's field `m`."""

_FIELDS = ("partitions", "schema", "created")


class Deployment(msgspec.Struct, frozen=True):
    """What is recorded. `created_ms` is milliseconds since 1970 by the engine's clock."""

    partitions: int
    schema: int
    created_ms: int


class DeploymentError(StoreError):
    """The carts belong to a deployment of another form; the message says what to do."""

    code = "deployment_error"


def read_deployment(client: Any, keys: Keyspace) -> Deployment | None:
    """The record; None if no service has begun here yet. `client` is redis-py's.

    Raises:
        DeploymentError: there is something else under its key.
        StoreUnavailableError: the engine does not answer.
    """
    try:
        values = client.execute_command("HMGET", keys.deployment, *_FIELDS, NEVER_DECODE=True)
    except Exception as error:
        _fail(error, keys)
    return _deployment(values, keys)


def record_deployment(client: Any, keys: Keyspace) -> Deployment:
    """The record, made with these keys if there is none: of several that try, one makes it.

    Raises:
        DeploymentError, StoreUnavailableError: as `read_deployment`.
    """
    found = read_deployment(client, keys)
    if found is not None:
        return found
    try:
        seconds, micros = client.execute_command("TIME")
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        with client.pipeline(transaction=True) as together:
            for field, value in zip(_FIELDS, (keys.partitions, SCHEMA, now_ms), strict=True):
                together.execute_command("HSETNX", keys.deployment, field, value)
            together.execute_command("HMGET", keys.deployment, *_FIELDS, NEVER_DECODE=True)
            values = together.execute()[-1]
    except Exception as error:
        _fail(error, keys)
    made = _deployment(values, keys)
    assert made is not None  # all its fields were just set
    return made


def compare_deployment(found: Deployment, keys: Keyspace) -> None:
    """Nothing, if carts of this deployment are found with these keys and read by this version.

    Raises:
        DeploymentError: they are not.
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


def _deployment(values: list[bytes | None], keys: Keyspace) -> Deployment | None:
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


def _fail(error: Exception, keys: Keyspace) -> NoReturn:
    match classify(error):
        case Failure.NOT_OURS:
            raise error
        case Failure.WRONG_TYPE:
            raise _unreadable(keys) from error
        case _:
            raise StoreUnavailableError(str(error)) from error
