"""A primary, two replicas and the three Sentinels that watch over them, on loopback.

With `doors`, everybody but a client that is given a node's own port reaches each node through a
proxy. A proxy that is stopped cuts its node off, together with whoever is inside with it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from redis.backoff import NoBackoff
from redis.retry import Retry

from engines import Engine, eventually
from invariants import violations
from proxy import lossy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy import Lossy

SERVICE = "carts"
DOWN_AFTER = 1.0
"""Seconds until a node that is silent counts as down."""

_READY_WITHIN = 30.0
_OPTIONS = ("--repl-diskless-sync-delay", "0", "--replica-announce-ip", "127.0.0.1")
_CONFIGURATION = f"""
sentinel monitor {SERVICE} 127.0.0.1 {{primary}} 2
sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER * 1000:.0f}
sentinel failover-timeout {SERVICE} 2000
"""


class Sentinel(Engine):
    """One Sentinel: the same binary, told what to watch by a file that it keeps up to date."""

    def __init__(self, kind: str, watched: int) -> None:
        self._watched = watched
        super().__init__(kind, tcp=True)

    def _command(self) -> list[str]:
        file = self.folder / "sentinel.conf"
        if not file.exists():
            listen = f"port {self.port}\nbind 127.0.0.1\nunixsocket {self.socket}\n"
            watch = _CONFIGURATION.format(primary=self._watched)
            file.write_text(f"{listen}dir {self.folder}\nloglevel warning\n{watch}")
        return [str(self.binary), str(file), "--sentinel"]


class Member:
    """One of the watched servers, and the port by which the others know it."""

    def __init__(self, kind: str) -> None:
        self.engine = Engine(kind, *_OPTIONS, tcp=True)
        self.port = self.engine.port
        self.door: Lossy | None = None
        # Sentinels end the connections of a server that they demote.
        self.client = self.engine.client(decode_responses=True, retry=Retry(NoBackoff(), 3))

    def ask(self, *command: Any) -> Any:
        """The node's own reply."""
        return self.client.execute_command(*command)

    def announce(self, port: int) -> None:
        """The others are to come by this port."""
        self.port = port
        self.ask("CONFIG", "SET", "replica-announce-port", port)

    def stop(self) -> None:
        """Ends the server and removes its folder."""
        self.client.close()
        self.engine.stop()


class Sentinels:
    """The watched servers and their Sentinels."""

    def __init__(self, kind: str = "valkey9", *, doors: bool = False) -> None:
        self.members: list[Member] = []
        self.sentinels: list[Sentinel] = []
        self._open = contextlib.ExitStack()
        try:
            self.members += [Member(kind) for _ in range(3)]
            if doors:
                for member in self.members:
                    member.door = self._open.enter_context(lossy(member.engine, drop=0))
                    member.announce(member.door.port)
            self.heal()
            self.sentinels += [Sentinel(kind, self.members[0].port) for _ in range(3)]
            self.settle()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends all processes."""
        while self.sentinels:
            self.sentinels.pop().stop()
        while self.members:
            self.members.pop().stop()
        self._open.close()

    @property
    def primary(self) -> Member:
        """The server that the Sentinels name, by a majority."""
        named = [self._named(sentinel) for sentinel in self.sentinels]
        port = max(named, key=named.count) if named else self.members[0].port
        return next(member for member in self.members if member.port == port)

    def heal(self) -> None:
        """Starts what was killed; all follow the primary again."""
        primary = self.primary
        for member in self.members:
            if not member.engine.is_running:
                member.engine.start()
                member.announce(member.port)
            if member is not primary:
                member.ask("REPLICAOF", "127.0.0.1", primary.port)

    def settle(self) -> None:
        """Waits until replicas are in step and all Sentinels know all and each other."""
        assert eventually(self._is_ready, _READY_WITHIN), self._logs()

    def fail_over(self) -> None:
        """Has the Sentinels replace the primary, which is well."""
        with self.sentinels[0].connected() as client:
            client.execute_command("SENTINEL", "FAILOVER", SERVICE)

    def forget_scripts(self) -> None:
        """Empties the script cache of every server."""
        for member in self.members:
            member.ask("SCRIPT", "FLUSH")

    def empty(self) -> None:
        """Removes all keys."""
        self.primary.ask("FLUSHALL")

    def violations(self) -> list[str]:
        """Everything wrong with the keys of the primary."""
        with self.primary.engine.connected() as client:
            return violations(client)

    @contextlib.contextmanager
    def cut_off(self, member: Member) -> Iterator[None]:
        """A partition: only who uses the member's own port is on its side."""
        assert member.door is not None
        with member.door.frozen():
            yield

    def _is_ready(self) -> bool:
        role, _, replicas = self.primary.ask("ROLE")
        in_step = [replica[2] for replica in replicas]
        return (
            role == "master"
            and len(in_step) == len(self.members) - 1
            and all(self._link(member) in (None, "connected") for member in self.members)
            and all(self._knows_all(sentinel) for sentinel in self.sentinels)
        )

    @staticmethod
    def _link(member: Member) -> str | None:
        role = member.ask("ROLE")
        return None if role[0] == "master" else role[3]

    def _knows_all(self, sentinel: Sentinel) -> bool:
        with sentinel.connected(decode_responses=True) as client:
            seen = client.execute_command("SENTINEL MASTER", SERVICE)
        return (
            seen["num-slaves"] == len(self.members) - 1
            and seen["num-other-sentinels"] == len(self.sentinels) - 1
            and seen["flags"] == "master"
            and seen["port"] == self.primary.port
        )

    @staticmethod
    def _named(sentinel: Sentinel) -> int:
        with sentinel.connected() as client:
            _, port = client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(port)

    def _logs(self) -> str:
        return "\n".join(f"{member.port}: {member.ask('ROLE')}" for member in self.members)
