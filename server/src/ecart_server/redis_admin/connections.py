"""The engines behind a URL: one, or every primary of a cluster; how they are asked and scanned.

Questions are repeated while an engine is busy: each of them reads, so a repeat does no harm.
"""

from __future__ import annotations

import binascii
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from ecart.errors import StoreUnavailableError
from ecart.stores.redis.clients import open_client
from ecart.stores.redis.failures import Failure, classify
from ecart.stores.redis.urls import read_url

Answer = TypeVar("Answer")
Command = tuple[str | bytes | int, ...]

PATIENCE = 5.0
"""Seconds for which a question is repeated."""
FIRST_PATIENCE = 0.5
"""The same for the first question to an engine, which may well not be there."""

PAGE = 500
"""Keys that one SCAN is asked to look at."""

_SLOTS = 16_384
_FINAL = {Failure.NOT_OURS, Failure.DENIED, Failure.WRONG_TYPE, Failure.NO_SCRIPT}


class Node(msgspec.Struct, frozen=True):
    """An engine that holds carts. `at` names it without its password."""

    at: str
    client: Any
    slots: tuple[range, ...] = (range(_SLOTS),)

    def owns(self, key: str) -> bool:
        """Whether the key is in one of its slots; without a cluster it owns all."""
        tag = key.partition("{")[2].partition("}")[0] or key
        slot = binascii.crc_hqx(tag.encode(), 0) % _SLOTS
        return any(slot in part for part in self.slots)

    def ask(self, *command: str | bytes | int, patience: float = PATIENCE) -> Any:
        """The reply to one command, undecoded."""
        return patiently(lambda: self.client.execute_command(*command), patience)

    def ask_all(self, commands: Iterable[Command], *, at_once: bool = False) -> list[Any]:
        """The replies to many; an error stands where its reply would. `at_once`: in one moment."""
        commands = list(commands)

        def send() -> list[Any]:
            with self.client.pipeline(transaction=at_once) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                replies: list[Any] = pipe.execute(raise_on_error=False)
                return replies

        return patiently(send)


def owner_of(nodes: Sequence[Node], key: str) -> Node:
    """The node that has the key; the first one, if a cluster that changes leaves it open."""
    return next((node for node in nodes if node.owns(key)), nodes[0])


def patiently(ask: Callable[[], Answer], patience: float = PATIENCE) -> Answer:
    """The answer, after as many tries as it takes.

    Raises:
        StoreUnavailableError: there was none in time, or the engine will not give one.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return ask()
        except Exception as error:
            failure = classify(error)
            if failure is Failure.NOT_OURS:
                raise
            if failure in _FINAL or time.monotonic() > end:
                raise StoreUnavailableError(str(error)) from error
        time.sleep(0.1)


def scored(reply: list[Any]) -> list[tuple[str, int]]:
    """Members and their scores, whole numbers; told in pairs (RESP3, some clients) or in a row."""
    is_paired = bool(reply) and isinstance(reply[0], list | tuple)
    pairs = reply if is_paired else zip(reply[::2], reply[1::2], strict=True)
    return [(member.decode(), int(float(score))) for member, score in pairs]


def pages(node: Node, pattern: str, page: int = PAGE) -> Iterator[list[bytes]]:
    """The keys that match, as SCAN gives them: each that stays, and now and then one twice."""
    cursor: int | bytes = 0
    while True:
        cursor, keys = node.ask("SCAN", cursor, "MATCH", pattern, "COUNT", page)
        yield keys
        if int(cursor) == 0:
            return


def open_nodes(url: str) -> list[Node]:
    """The engine at the URL, or the primaries of its cluster. Close each one's client.

    Raises:
        InvalidUrlError: the URL cannot be read.
        StoreUnavailableError: it does not answer.
    """
    address = read_url(_undecoded(url))
    if address.kind != "cluster":
        return _nodes_behind(Node(_named(url), open_client(address)), address.url)
    failure: StoreUnavailableError | None = None
    for host, port in address.servers:
        one = _elsewhere(address.url, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        try:
            return _nodes_behind(Node(f"{host}:{port}", open_client(read_url(one))), one)
        except StoreUnavailableError as error:
            failure = error
    raise failure or StoreUnavailableError("the URL names no node")


@contextlib.contextmanager
def opened(url: str) -> Iterator[list[Node]]:
    """`open_nodes`, with the clients closed at the end."""
    nodes = open_nodes(url)
    try:
        yield nodes
    finally:
        for node in nodes:
            node.client.close()


def _nodes_behind(first: Node, url: str) -> list[Node]:
    try:
        info = patiently(first.client.info, FIRST_PATIENCE)
        return _primaries(first, url) if info.get("cluster_enabled") else [first]
    except BaseException:
        first.client.close()
        raise


def _primaries(first: Node, url: str) -> list[Node]:
    own_id = first.ask("CLUSTER", "MYID")
    found: dict[bytes, tuple[str, list[range]]] = {}
    for begin, end, (host, port, node_id, *_), *_ in first.ask("CLUSTER", "SLOTS"):
        address = f"{(host or b'').decode()}:{int(port)}"
        found.setdefault(node_id, (address, []))[1].append(range(begin, end + 1))
    nodes = [
        Node(
            address,
            first.client if node_id == own_id else open_client(read_url(_elsewhere(url, address))),
            tuple(slots),
        )
        for node_id, (address, slots) in found.items()
    ]
    if not nodes:
        return [first]
    if own_id not in found:  # a replica: its primary is asked instead
        first.client.close()
    return nodes


def _undecoded(url: str) -> str:
    """The URL without a wish for decoded replies: keys may be any bytes."""
    address, _, query = url.partition("?")
    kept = [pair for pair in parse_qsl(query) if pair[0] != "decode_responses"]
    return f"{address}?{urlencode(kept)}" if kept else address


def _named(url: str) -> str:
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]


def _elsewhere(url: str, address: str) -> str:
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    if address.startswith(":"):  # the node does not know its own name
        address = f"{parts.hostname or '127.0.0.1'}{address}"
    is_socket = parts.scheme == "unix"
    return parts._replace(
        scheme="redis" if is_socket else parts.scheme,
        netloc=f"{credentials}{at}{address}",
        path="" if is_socket else parts.path,
    ).geturl()
