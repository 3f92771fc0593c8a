"""Classifies errors of a Redis client: what is known of the command that failed.

Errors are recognised by their names and texts, not by their classes, so that redis-py and valkey-py
both work. `retries` explains the classes.
"""

from __future__ import annotations

import re
from enum import Enum

# Replies of an engine that did not run the command, and may later. Clients turn
# some of them into classes and drop the word.
_NOT_NOW_WORDS = re.compile(
    r"\b(LOADING|BUSY|OOM|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|MISCONF|NOREPLICAS)\b"
)
_TOO_MANY_CLIENTS = "max number of clients"
_NOT_NOW_NAMES = {
    "BusyLoadingError", "OutOfMemoryError", "ReadOnlyError", "MasterDownError", "ClusterDownError",
    "TryAgainError", "MovedError", "AskError", "MaxConnectionsError",
}  # fmt: skip
_NOT_CONNECTED = (ConnectionRefusedError, FileNotFoundError, PermissionError)
# Texts about a server, and Sentinel's about its primary. Not that of a cluster's client without a
# node: it may be in search of one because the connection broke after the change was sent.
_NO_CONNECTION = ("connecting to", "No master found")
_LOST = {"ConnectionError", "TimeoutError", "ClusterError", "RedisClusterException"}
_DENIED = {"AuthenticationError", "AuthorizationError", "NoPermissionError"}

# Bugs of redis-py: when a connection is closed under it (its issue 4287), or when it is sent to
# a node of the cluster that it does not know yet (4015).
_BROKEN_OBJECT = "'NoneType' object"


class Failure(Enum):
    """What is known after an attempt failed."""

    NOT_EXECUTED = "not executed; may work later"
    NOT_CONNECTED = "no connection was made; not executed unless the client repeats by itself"
    UNKNOWN = "outcome unknown"
    DENIED = "not executed, and repeating will not help"
    NO_SCRIPT = "the engine does not know the script"
    WRONG_TYPE = "the key holds something else than a hash"
    NOT_OURS = "an error that is no failure of the engine"


def classify(error: BaseException) -> Failure:
    """The class of an error that a client raised."""
    names = {kind.__name__ for kind in type(error).__mro__}
    text = str(error)
    if "NoScriptError" in names or text.startswith("NOSCRIPT"):
        return Failure.NO_SCRIPT
    if "WRONGTYPE" in text:
        return Failure.WRONG_TYPE
    if names & _NOT_NOW_NAMES or _TOO_MANY_CLIENTS in text:
        return Failure.NOT_EXECUTED
    if "ResponseError" in names and _NOT_NOW_WORDS.search(text):
        return Failure.NOT_EXECUTED
    if names & _DENIED:
        return Failure.DENIED
    if isinstance(error, AttributeError | TypeError) and text.startswith(_BROKEN_OBJECT):
        return Failure.UNKNOWN
    if names & _LOST:
        return Failure.NOT_CONNECTED if _never_connected(error, text) else Failure.UNKNOWN
    return Failure.DENIED if "ResponseError" in names else Failure.NOT_OURS


def reason_of(error: BaseException) -> str:
    """What to tell of an error, where the engine's own words do not say it."""
    text = str(error)
    names = {kind.__name__ for kind in type(error).__mro__}
    wants_password = "HELLO must be called" in text or text.startswith(("NOAUTH", "Authentication"))
    if wants_password:
        return "the engine wants a password: redis://user:password@host"
    if "AuthenticationError" in names or text.startswith("WRONGPASS"):
        return f"the engine refuses this user or password: {text}"
    return text


def _never_connected(error: BaseException, text: str) -> bool:
    cause = error.__cause__ or error.__context__
    return isinstance(cause, _NOT_CONNECTED) or any(words in text for words in _NO_CONNECTION)
