"""A real cluster for tests: three primaries with a replica each, on loopback."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from engines import Engine, eventually, free_port
from invariants import violations

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOTS = 16_384
NODE_TIMEOUT = 2.0
"""Seconds until a node that is silent counts as failed."""

_READY_WITHIN = 30.0
_OPTIONS = {
    "--cluster-enabled": "yes",
    "--cluster-node-timeout": str(int(NODE_TIMEOUT * 1000)),
    "--cluster-allow-replica-migration": "no",  # who replicates whom stays as it was made
    "--repl-diskless-sync-delay": "0",
    "--repl-ping-replica-period": "1",
}


class Node:
    """One node of a cluster: its server, and what it says of itself and the others."""

    def __init__(self, kind: str) -> None:
        options = {**_OPTIONS, "--cluster-port": str(free_port())}
        self.engine = Engine(kind, *(part for pair in options.items() for part in pair), tcp=True)
        self.bus = int(options["--cluster-port"])
        self.port = self.engine.port
        # Redis before 7 does not know the shorter names of the answers: all are asked for as text.
        self.client = self.engine.client(decode_responses=True)
        self.id: str = self.ask("CLUSTER", "MYID")

    def __repr__(self) -> str:
        return f"node {self.port}"

    def ask(self, *command: Any) -> Any:
        """The node's own reply, whatever the others think."""
        return self.client.execute_command(*command)

    def calls(self, command: str) -> int:
        """How often the node was given this command."""
        return int(
            self.ask("INFO", "commandstats").get(f"cmdstat_{command}", {"calls": 0})["calls"]
        )

    def stop(self) -> None:
        """Ends the server and removes its folder."""
        self.client.close()
        self.engine.stop()

    @property
    def is_primary(self) -> bool:
        return bool(self.ask("ROLE")[0] == "master")

    @property
    def is_ready(self) -> bool:
        """Whether it serves, and is linked to its other half."""
        role = self.ask("ROLE")
        linked = len(role[2]) > 0 if role[0] == "master" else role[3] == "connected"
        return linked and self.ask("CLUSTER INFO")["cluster_state"] == "ok"


class Cluster:
    """The nodes; who is primary and who replica is asked anew each time."""

    def __init__(self, kind: str = "valkey9", shards: int = 3) -> None:
        self.kind = kind
        self.nodes: list[Node] = []
        try:
            self.nodes += [Node(kind) for _ in range(2 * shards)]
            self._form(self.nodes[:shards], self.nodes[shards:])
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends all nodes."""
        while self.nodes:
            self.nodes.pop().stop()

    @property
    def primaries(self) -> list[Node]:
        return [node for node in self.nodes if node.engine.is_running and node.is_primary]

    def slot(self, key: str) -> int:
        """The slot of a key."""
        slot: int = self.primaries[0].ask("CLUSTER", "KEYSLOT", key)
        return slot

    def owner(self, key: str) -> Node:
        """The primary that holds the key's slot."""
        return self.owner_of(self.slot(key))

    def owner_of(self, slot: int) -> Node:
        """The primary that holds a slot, as all primaries see it."""
        (owner,) = {self._owner(node, slot) for node in self.primaries}
        return next(node for node in self.nodes if node.id == owner)

    def replica_of(self, primary: Node) -> Node:
        """The running replica of a primary."""
        running = (node for node in self.nodes if node.engine.is_running)
        roles = ((node, node.ask("ROLE")) for node in running)
        return next(node for node, role in roles if role[0] == "slave" and role[2] == primary.port)

    def heal(self) -> None:
        """Starts what was killed and waits until every shard is whole again."""
        self.start_again()
        self._settle()

    def start_again(self) -> None:
        """Starts what was killed; it finds its place by itself."""
        for node in self.nodes:
            if not node.engine.is_running:
                node.engine.start()

    def empty(self) -> None:
        """Removes all keys."""
        for node in self.primaries:
            node.ask("FLUSHALL")

    def violations(self) -> list[str]:
        """Everything wrong with the keys of all shards."""
        found = []
        for node in self.primaries:
            with node.engine.connected() as client:
                found += violations(client)
        return found

    def keys(self) -> list[str]:
        """The carts' keys of all shards; one that two hold is there twice."""
        return [key for node in self.primaries for key in node.ask("KEYS", "*:cart:*")]

    def fail_over(self, primary: Node) -> None:
        """Hands a shard to its replica, without loss, and waits until the hand-over is done."""
        replica = self.replica_of(primary)
        replica.ask("CLUSTER", "FAILOVER")
        assert eventually(lambda: replica.is_primary, _READY_WITHIN)

    def grow(self) -> Node:
        """One more primary, known to all, that has no slots yet."""
        new = Node(self.kind)
        self.nodes.append(new)
        for node in self.nodes[:-1]:
            new.ask("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)
        assert eventually(
            lambda: (
                all(self._knows(node, new) and self._knows(new, node) for node in self.nodes)
                and new.ask("CLUSTER INFO")["cluster_state"] == "ok"
            ),
            _READY_WITHIN,
        )
        return new

    @contextlib.contextmanager
    def moving(self, slot: int, source: Node, target: Node) -> Iterator[None]:
        """A slot is half moved: its keys stay where they are until `move_keys`."""
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
        try:
            yield
        finally:
            self.move_keys(slot, source, target)
            for node in (target, source, *self.primaries):
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)

    @staticmethod
    def move_keys(slot: int, source: Node, target: Node) -> int:
        """Moves the keys of a slot; how many they were."""
        moved = 0
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            moved += len(keys)
        return moved

    def _form(self, primaries: list[Node], replicas: list[Node]) -> None:
        shards = len(primaries)
        for number, node in enumerate(self.nodes):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for number, node in enumerate(primaries):
            first, after = (SLOTS * (number + more) // shards for more in (0, 1))
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, after - 1)
        for node in self.nodes:
            for other in self.nodes:
                if other is not node:
                    node.ask("CLUSTER", "MEET", "127.0.0.1", other.port, other.bus)
        for primary, replica in zip(primaries, replicas, strict=True):
            assert eventually(lambda: self._knows(replica, primary), _READY_WITHIN)  # noqa: B023
            replica.ask("CLUSTER", "REPLICATE", primary.id)
        self._settle()

    def _settle(self) -> None:
        def is_ready() -> bool:
            return all(node.is_ready for node in self.nodes) and self._agree()

        assert eventually(is_ready, _READY_WITHIN), self._logs()

    def _agree(self) -> bool:
        """Whether every node sees the same slots with the same primaries, and nobody failing."""
        views = set()
        for node in self.nodes:
            seen = node.ask("CLUSTER NODES").values()
            if len(seen) != len(self.nodes) or any("fail" in other["flags"] for other in seen):
                return False
            views.add(frozenset((o["node_id"], str(o["slots"])) for o in seen if o["slots"]))
        return len(views) == 1

    def _logs(self) -> str:
        return "\n".join(f"{node}: {node.ask('ROLE')}" for node in self.nodes)

    @staticmethod
    def _knows(node: Node, other: Node) -> bool:
        return any(seen["node_id"] == other.id for seen in node.ask("CLUSTER NODES").values())

    @staticmethod
    def _owner(node: Node, slot: int) -> str:
        for first, last, primary, *_ in node.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return str(primary[2])
        raise LookupError(f"nobody owns slot {slot}")
