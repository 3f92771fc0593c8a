"""Administrative connections to the engines behind a URL: one, or every primary of a cluster.

Commands are repeated while an engine is busy or away, also when only the reply was lost. So they
have to be reads, or writes of which a repeat does no harm.
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
from ecart.stores.redis.failures import Failure, classify, reason_of
from ecart.stores.redis.transport.wire import Command
from ecart.stores.redis.urls import read_url

T = TypeVar("T")

RETRY_SECONDS = 5.0
"""How long a command is repeated."""
FIRST_RETRY_SECONDS = 0.5
"""The same for the first command to an engine, which may well be away."""

SCAN_COUNT = 500
"""The `COUNT` of a SCAN: about how many keys the engine examines for one page."""

_SLOTS = 16_384
_FINAL = {Failure.NOT_OURS, Failure.DENIED, Failure.WRONG_TYPE, Failure.NO_SCRIPT}


class Node(msgspec.Struct, frozen=True):
    """An engine that holds carts. `at` is its address, without credentials."""

    at: str
    client: Any
    slots: tuple[range, ...] = (range(_SLOTS),)

    def owns(self, key: str) -> bool:
        """Whether the key is in one of its slots; without a cluster it has all of them."""
        tag = key.partition("{")[2].partition("}")[0] or key
        slot = binascii.crc_hqx(tag.encode(), 0) % _SLOTS
        return any(slot in part for part in self.slots)

    def call(self, *command: str | bytes | int, timeout: float = RETRY_SECONDS) -> Any:
        """The undecoded reply to one command, repeated for `timeout` seconds.

        Raises:
            StoreUnavailableError: there was no reply in time, or the engine refuses.
        """
        return with_retries(lambda: self.client.execute_command(*command), timeout)

    def pipeline(self, commands: Iterable[Command], *, atomic: bool = False) -> list[Any]:
        """The replies to many commands in one round trip; an error stands where its reply would.

        `atomic`: in a transaction, so that all of them read the same state.

        Raises:
            StoreUnavailableError: there was no reply in time.
        """
        commands = list(commands)

        def send() -> list[Any]:
            with self.client.pipeline(transaction=atomic) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                replies: list[Any] = pipe.execute(raise_on_error=False)
                return replies

        return with_retries(send)


def owner_of(nodes: Sequence[Node], key: str) -> Node:
    """The node that has the key; the first node while a cluster has its slot assigned to none."""
    return next((node for node in nodes if node.owns(key)), nodes[0])


def with_retries(call: Callable[[], T], timeout: float = RETRY_SECONDS) -> T:
    """The result of a call, which is repeated for `timeout` seconds while it fails.

    Raises:
        StoreUnavailableError: it did not succeed in time, or a repeat cannot help.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            return call()
        except Exception as error:
            failure = classify(error)
            if failure is Failure.NOT_OURS:
                raise
            if failure in _FINAL or time.monotonic() > end:
                raise StoreUnavailableError(reason_of(error)) from error
        time.sleep(0.1)


def parse_scores(reply: list[Any]) -> list[tuple[str, int]]:
    """Members and their whole-number scores, from pairs (RESP3, some clients) or a flat list."""
    is_paired = bool(reply) and isinstance(reply[0], list | tuple)
    pairs = reply if is_paired else zip(reply[::2], reply[1::2], strict=True)
    return [(member.decode(), int(float(score))) for member, score in pairs]


def scan_pages(node: Node, pattern: str, count: int = SCAN_COUNT) -> Iterator[list[bytes]]:
    """The keys that match, page by page, as SCAN returns them.

    A key that exists throughout is on a page, and may be on two.
    """
    cursor: int | bytes = 0
    while True:
        cursor, keys = node.call("SCAN", cursor, "MATCH", pattern, "COUNT", count)
        yield keys
        if int(cursor) == 0:
            return


def open_nodes(url: str) -> list[Node]:
    """The engine at the URL, or the primaries of its cluster. The caller closes their clients.

    Raises:
        InvalidUrlError: the URL cannot be read.
        StoreUnavailableError: it does not answer.
    """
    address = read_url(_without_decoding(url))
    if address.kind != "cluster":
        parts = urlsplit(url)
        at = parts.path if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]
        return _nodes_behind(Node(at, open_client(address)), address.url)
    failure: StoreUnavailableError | None = None
    for host, port in address.servers:
        one = _with_address(address.url, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        try:
            return _nodes_behind(Node(f"{host}:{port}", open_client(read_url(one))), one)
        except StoreUnavailableError as error:
            failure = error
    raise failure or StoreUnavailableError("the URL names no node")


@contextlib.contextmanager
def opened_nodes(url: str) -> Iterator[list[Node]]:
    """`open_nodes`, whose clients are closed at the end."""
    nodes = open_nodes(url)
    try:
        yield nodes
    finally:
        for node in nodes:
            node.client.close()


def _nodes_behind(first: Node, url: str) -> list[Node]:
    try:
        info = with_retries(first.client.info, FIRST_RETRY_SECONDS)
        return _primaries(first, url) if info.get("cluster_enabled") else [first]
    except BaseException:
        first.client.close()
        raise


def _primaries(first: Node, url: str) -> list[Node]:
    own_id = first.call("CLUSTER", "MYID")
    found: dict[bytes, tuple[str, list[range]]] = {}
    for begin, end, (host, port, node_id, *_), *_ in first.call("CLUSTER", "SLOTS"):
        address = f"{(host or b'').decode()}:{int(port)}"
        found.setdefault(node_id, (address, []))[1].append(range(begin, end + 1))
    nodes = [
        Node(
            address,
            first.client
            if node_id == own_id
            else open_client(read_url(_with_address(url, address))),
            tuple(slots),
        )
        for node_id, (address, slots) in found.items()
    ]
    if not nodes:
        return [first]
    if own_id not in found:  # it is a replica, and its primary is among the nodes
        first.client.close()
    return nodes


def _without_decoding(url: str) -> str:
    """The URL without `decode_responses`: keys may be any bytes."""
    address, _, query = url.partition("?")
    kept = [pair for pair in parse_qsl(query) if pair[0] != "decode_responses"]
    return f"{address}?{urlencode(kept)}" if kept else address


def _with_address(url: str, address: str) -> str:
    """The URL with another host and port, and the same credentials and options."""
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
