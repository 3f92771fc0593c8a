"""Finds what is wrong with an engine, from its INFO and its settings. Nothing here does I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ecart_server.doctor.findings import Engine, Fault
from ecart_server.engine.binary import OLDEST, dotted

_MAX_CLOCK_SECONDS = 2.0
_MAX_LAG_SECONDS = 10
_NEARLY_FULL = 0.9


class EngineFacts(msgspec.Struct, frozen=True):
    """What is known of an engine: `info` is its INFO, `config` the settings that could be read.

    `clock_offset`: seconds that its clock is ahead of this machine's at least; negative: behind.
    `is_embedded`: the service started it, with an `appendfsync` that its operator chose.
    """

    at: str
    info: Mapping[str, Any]
    config: Mapping[str, str]
    clock_offset: float = 0.0
    is_embedded: bool = False

    @property
    def kind(self) -> str:
        """`valkey`, `redis`, or the name that it reports."""
        if "valkey_version" in self.info:
            return "valkey"
        if "dragonfly_version" in self.info:
            return "dragonfly"
        return str(self.info.get("server_name", "redis"))

    @property
    def version(self) -> tuple[int, int, int]:
        """Its own version, not the version of Redis that it is compatible with."""
        text = str(self.info.get(f"{self.kind}_version", self.info.get("redis_version", "0")))
        numbers = [int(part) if part.isdigit() else 0 for part in text.split(".")[:3]]
        major, minor, patch = (*numbers, 0, 0, 0)[:3]
        return (major, minor, patch)

    @property
    def engine(self) -> Engine:
        """The engine as the report lists it."""
        return Engine(self.at, self.kind, dotted(self.version))


def find_engine_faults(facts: EngineFacts) -> Iterator[Fault]:
    """Everything that is wrong with one engine."""
    yield from _version_faults(facts)
    yield from _memory_faults(facts)
    yield from _disk_faults(facts)
    yield from _replication_faults(facts)
    yield from _cluster_faults(facts)
    if abs(facts.clock_offset) > _MAX_CLOCK_SECONDS:
        where = "ahead of" if facts.clock_offset > 0 else "behind"
        yield Fault(
            "clock_differs", f"the engine is {abs(facts.clock_offset):.0f} s {where} this machine"
        )
    if not facts.config:
        yield Fault("config_hidden", "CONFIG GET is refused")


def _version_faults(facts: EngineFacts) -> Iterator[Fault]:
    name = f"{facts.kind} {dotted(facts.version)}"
    if facts.kind not in OLDEST:
        yield Fault("engine_unknown", name)
    elif facts.version < OLDEST[facts.kind]:
        yield Fault("engine_too_old", name)


def _memory_faults(facts: EngineFacts) -> Iterator[Fault]:
    limit, used = int(facts.info.get("maxmemory", 0)), int(facts.info.get("used_memory", 0))
    policy = str(facts.info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        when = f"maxmemory {limit}" if limit else "as soon as maxmemory is set"
        yield Fault("evicting_policy", f"maxmemory-policy {policy}, {when}")
    if not limit:
        yield Fault("no_memory_limit", "maxmemory 0")
    elif used > limit * _NEARLY_FULL:
        yield Fault("memory_nearly_full", f"{used} of {limit} bytes")


def _disk_faults(facts: EngineFacts) -> Iterator[Fault]:
    info = facts.info
    snapshots = facts.config.get("save", "unknown")
    checked = []
    if not int(info.get("aof_enabled", 0)):
        if snapshots:
            yield Fault("snapshots_only", f"appendonly no, save {snapshots}")
        else:
            yield Fault("nothing_on_disk", "appendonly no, and no snapshots")
    else:
        yield from _sync_faults(facts)
        checked += ["aof_last_write_status", "aof_last_bgrewrite_status"]
    if snapshots:
        checked.append("rdb_last_bgsave_status")
    for name in checked:
        if str(info.get(name, "ok")) != "ok":
            yield Fault("last_write_failed", f"{name} is {info[name]}")


def _sync_faults(facts: EngineFacts) -> Iterator[Fault]:
    match facts.config.get("appendfsync"):
        case "no":
            yield Fault("sync_left_to_system", "appendfsync no")
        case "everysec" if not facts.is_embedded:
            yield Fault("sync_once_a_second", "appendfsync everysec")


def _replication_faults(facts: EngineFacts) -> Iterator[Fault]:
    info = facts.info
    if info.get("role") != "master":
        yield Fault("is_replica", f"of {info.get('master_host')}:{info.get('master_port')}")
        return
    count = int(info.get("connected_slaves", 0))
    if not count and not facts.is_embedded:
        yield Fault("no_replica", "connected replicas: 0")
    for number in range(count):
        replica = info.get(f"slave{number}", {})
        state, lag = replica.get("state", "unknown"), int(replica.get("lag", 0))
        if state != "online" or lag > _MAX_LAG_SECONDS:
            name = f"{replica.get('ip')}:{replica.get('port')}"
            yield Fault("replica_behind", f"{name} is {state}, {lag} s behind")


def _cluster_faults(facts: EngineFacts) -> Iterator[Fault]:
    state = facts.info.get("cluster_state", "ok")
    assigned = int(facts.info.get("cluster_slots_assigned", 16_384))
    served = int(facts.info.get("cluster_slots_ok", 16_384))
    if state != "ok" or min(assigned, served) < 16_384:
        yield Fault(
            "cluster_not_whole",
            f"cluster_state {state}, {assigned} of 16384 slots assigned, {served} in order",
        )
