"""What is wrong with an engine is found: on real ones where one can be made so, else from INFO."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from ecart import Cart, RedisStore
from ecart.stores.redis.keys import Keyspace
from ecart_server.doctor import KINDS, Report, examine
from ecart_server.doctor.engines import EngineFacts, find_engine_faults
from engines import eventually

if TYPE_CHECKING:
    from engines import Engine, Engines

KEYS = Keyspace()
SOUND = {
    "redis_version": "7.2.4", "valkey_version": "9.1.2", "server_name": "valkey",
    "role": "master", "connected_slaves": 1,
    "slave0": {"ip": "10.0.0.2", "port": 6379, "state": "online", "offset": 1, "lag": 1},
    "maxmemory": 1 << 30, "used_memory": 1 << 20, "maxmemory_policy": "noeviction",
    "aof_enabled": 1, "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok",
    "rdb_last_bgsave_status": "ok", "cluster_enabled": 1, "cluster_state": "ok",
    "cluster_slots_assigned": "16384", "cluster_slots_ok": "16384",
}  # fmt: skip
CONFIG = {"save": "", "appendfsync": "always"}
REPLICA = {"ip": "10.0.0.2", "port": 6379, "state": "online", "offset": 1, "lag": 1}

# What is different from a sound engine, in INFO and in its settings; the finding; what it names.
DIFFERENCES: dict[str, tuple[dict[str, Any], dict[str, str], str, str]] = {
    "old Valkey": ({"valkey_version": "7.1.0"}, {}, "engine_too_old", "valkey 7.1.0"),
    "Dragonfly": ({"valkey_version": None, "dragonfly_version": "df-v1.2"}, {},
                  "engine_unknown", "dragonfly"),
    "evicting": ({"maxmemory_policy": "allkeys-lru"}, {}, "evicting_policy", "allkeys-lru"),
    "evicting what expires": ({"maxmemory_policy": "volatile-ttl"}, {}, "evicting_policy",
                              "volatile-ttl, maxmemory 1073741824"),
    "nearly full": ({"used_memory": (1 << 30) - 1}, {}, "memory_nearly_full", "1073741823"),
    "unlimited": ({"maxmemory": 0}, {}, "no_memory_limit", "maxmemory 0"),
    "nothing on disk": ({"aof_enabled": 0}, {}, "nothing_on_disk", "appendonly no"),
    "snapshots": ({"aof_enabled": 0}, {"save": "60 1"}, "snapshots_only", "save 60 1"),
    "no sync": ({}, {"appendfsync": "no"}, "sync_left_to_system", "appendfsync no"),
    "a sync a second": ({}, {"appendfsync": "everysec"}, "sync_once_a_second", "everysec"),
    "file not written": ({"aof_last_write_status": "err"}, {}, "last_write_failed",
                         "aof_last_write_status is err"),
    "file not rewritten": ({"aof_last_bgrewrite_status": "err"}, {}, "last_write_failed",
                           "aof_last_bgrewrite_status is err"),
    "snapshot not written": ({"rdb_last_bgsave_status": "err"}, {"save": "60 1"},
                             "last_write_failed", "rdb_last_bgsave_status is err"),
    "replica": ({"role": "slave", "master_host": "10.0.0.1", "master_port": 6379}, {},
                "is_replica", "of 10.0.0.1:6379"),
    "replica away": ({"slave0": {**REPLICA, "state": "wait_bgsave"}}, {}, "replica_behind",
                     "10.0.0.2:6379 is wait_bgsave"),
    "replica slow": ({"slave0": {**REPLICA, "lag": 11}}, {}, "replica_behind", "11 s behind"),
    "no replica": ({"connected_slaves": 0}, {}, "no_replica", "0"),
    "cluster down": ({"cluster_state": "fail"}, {}, "cluster_not_whole", "cluster_state fail"),
    "slots of nobody": ({"cluster_slots_assigned": "16000"}, {}, "cluster_not_whole",
                        "16000 of 16384"),
    "slots failing": ({"cluster_slots_ok": "9"}, {}, "cluster_not_whole", "9 in order"),
}  # fmt: skip


def engine_facts(info: dict[str, Any], config: dict[str, str]) -> EngineFacts:
    reported = {name: value for name, value in {**SOUND, **info}.items() if value is not None}
    return EngineFacts("10.0.0.1:6379", reported, {**CONFIG, **config})


@pytest.mark.parametrize(
    ("info", "config", "code", "detail"), DIFFERENCES.values(), ids=DIFFERENCES
)
def test_what_an_engine_reports_is_judged(
    info: dict[str, Any], config: dict[str, str], code: str, detail: str
) -> None:
    """One difference from a sound engine, one finding."""
    ((found, text),) = find_engine_faults(engine_facts(info, config))

    assert found == code
    assert detail in text


def test_a_policy_that_waits_for_a_limit() -> None:
    """Is a finding, too: it evicts as soon as one is set."""
    faults = dict(
        find_engine_faults(engine_facts({"maxmemory_policy": "volatile-lru", "maxmemory": 0}, {}))
    )

    assert set(faults) == {"evicting_policy", "no_memory_limit"}
    assert "as soon as maxmemory is set" in faults["evicting_policy"]


def test_a_sound_engine_has_no_faults() -> None:
    """Not even a note."""
    assert list(find_engine_faults(engine_facts({}, {}))) == []


@pytest.mark.parametrize(
    ("kind", "version", "is_too_old"),
    [
        ("redis", "6.0.20", True),
        ("redis", "6.2.0", False),
        ("valkey", "7.2.0", False),
        ("valkey", "7.1.9", True),
        ("redis", "99.0.0", False),
    ],
)
def test_the_oldest_engine(kind: str, version: str, is_too_old: bool) -> None:
    """Redis 6.2 and Valkey 7.2 are supported, and what is newer."""
    info = {"valkey_version": None, "server_name": None} if kind == "redis" else {}
    found = list(find_engine_faults(engine_facts({**info, f"{kind}_version": version}, {})))

    assert found == ([("engine_too_old", f"{kind} {version}")] if is_too_old else [])


# Real engines.


def codes(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


def test_each_engine_is_known(any_engine: Engine) -> None:
    """Kind, version, and what this bare one of the tests lacks."""
    report = examine(any_engine.url, KEYS)

    name, version = {
        "valkey9": ("valkey", "9."),
        "redis6": ("redis", "6.2."),
        "redis7": ("redis", "7."),
        "redis8": ("redis", "8."),
    }[any_engine.kind]
    (engine,) = report.engines
    assert (engine.kind, engine.version.startswith(version)) == (name, True)
    bare = ["nothing_on_disk", "no_memory_limit", "no_replica", "not_recorded"]
    assert codes(report) == bare
    assert not report.is_healthy


def test_settings_of_a_real_engine(any_engine: Engine, engines: Engines) -> None:
    """Found as they are set."""
    engine = engines.acquire_own(
        any_engine.kind,
        *("--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"),
        *("--appendonly", "yes", "--appendfsync", "no"),
    )

    found = codes(examine(engine.url, KEYS))

    assert "evicting_policy" in found
    assert "sync_left_to_system" in found
    assert "no_memory_limit" not in found
    assert "nothing_on_disk" not in found
    with engine.connected() as client:
        client.config_set("appendonly", "no")
        client.config_set("save", "3600 1")
    assert "snapshots_only" in codes(examine(engine.url, KEYS))


def test_a_sound_store_has_nothing_to_do(engines: Engines) -> None:
    """A note at most."""
    engine = engines.acquire_own(
        "valkey9", "--maxmemory", "100mb", "--appendonly", "yes", "--appendfsync", "always"
    )
    with closing(RedisStore(engine.url)) as store:
        Cart("c", store).add("apple", unit_price="1.5")
    with engine.connected() as client:
        client.hset("ecart:deployment", mapping={"partitions": 1024, "schema": 1, "created": 1})

    report = examine(engine.url, KEYS)

    assert codes(report) == ["no_replica"]
    assert report.is_healthy


def test_a_primary_and_its_replica(engines: Engines) -> None:
    """The one has it, the other refuses changes."""
    primary = engines.acquire_own("valkey9", "--repl-diskless-sync-delay", "0", tcp=True)
    replica = engines.acquire_own("valkey9", "--replicaof", "127.0.0.1", str(primary.port))
    with primary.connected() as client:
        assert eventually(lambda: client.info().get("slave0", {}).get("state") == "online", 10)

    assert "no_replica" not in codes(examine(primary.url, KEYS))
    assert "is_replica" in codes(examine(replica.url, KEYS))
    primary.stop()
    replica.stop()


def test_clocks_that_differ(any_engine: Engine) -> None:
    """Beyond two seconds, and beyond what the round trip takes."""
    ahead = examine(any_engine.url, KEYS, sample=0, clock=lambda: time.time() - 10)
    behind = examine(any_engine.url, KEYS, sample=0, clock=lambda: time.time() + 10)
    right = examine(any_engine.url, KEYS, sample=0, clock=lambda: time.time() + 1)

    def details(report: Report) -> list[str]:
        found = (one for one in report.findings if one.code == "clock_differs")
        return [example.detail for one in found for example in one.examples]

    assert details(ahead) == ["the engine is 10 s ahead of this machine"]
    assert details(behind) == ["the engine is 10 s behind this machine"]
    assert details(right) == []


def test_a_user_who_may_not_read_settings(engines: Engines) -> None:
    """As with many a managed engine: what can be seen is judged."""
    engine = engines.acquire_own("valkey9", tcp=True)
    with engine.connected() as client:
        client.execute_command("ACL", "SETUSER", "shop", "on", ">pw", "~*", "+@all", "-config")

    report = examine(f"redis://shop:pw@127.0.0.1:{engine.port}", KEYS)

    assert "config_hidden" in codes(report)
    assert "snapshots_only" in codes(report)
    assert report.engines[0].at == f"127.0.0.1:{engine.port}"


def test_the_deployment_is_compared(any_engine: Engine) -> None:
    """With the partitions that are used; nothing is written."""
    with any_engine.connected() as client:
        client.hset("ecart:deployment", mapping={"partitions": 16, "schema": 1, "created": 1})

    assert "deployment_differs" not in codes(examine(any_engine.url, Keyspace(partitions=16)))
    report = examine(any_engine.url, KEYS)

    (finding,) = (one for one in report.findings if one.code == "deployment_differs")
    assert "--partitions 16" in finding.examples[0].detail
    other = examine(any_engine.url, Keyspace("shop-2"))
    assert "not_recorded" in codes(other)
    with any_engine.connected() as client:
        assert client.keys("*") == [b"ecart:deployment"]


@pytest.mark.foreign_data
def test_a_record_that_is_none(any_engine: Engine) -> None:
    """Is a finding, and carts are examined all the same."""
    with any_engine.connected() as client:
        client.set("ecart:deployment", "text")

    report = examine(any_engine.url, KEYS)

    assert "deployment_differs" in codes(report)
    assert report.carts.complete


def test_an_engine_that_is_away(own_engine: Engine) -> None:
    """A finding with the reason, soon."""
    own_engine.kill()
    began = time.monotonic()

    report = examine(own_engine.url, KEYS)

    assert codes(report) == ["engine_unreachable"]
    assert report.findings[0].examples[0].detail
    assert not report.is_healthy
    assert time.monotonic() - began < 3


def test_a_wrong_password(engines: Engines) -> None:
    """Is no stack trace, and shows no password."""
    engine = engines.acquire_own("valkey9", tcp=True)
    with engine.connected() as client:
        client.config_set("requirepass", "right")
        report = examine(f"redis://:secret@127.0.0.1:{engine.port}", KEYS)
        client.config_set("requirepass", "")

    assert codes(report) == ["engine_unreachable"]
    assert "secret" not in str(report)


def test_every_finding_has_a_remedy() -> None:
    """And says what it means, in sentences."""
    for code, kind in KINDS.items():
        assert kind.means.endswith("."), code
        assert kind.remedy.endswith("."), code
