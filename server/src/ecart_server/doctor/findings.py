"""What can be found, in one table, and the report in which it is gathered.

A report keeps a count and a few examples of each finding, so it stays small however many carts
are wrong. Only repairs are listed one by one.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

EXAMPLES = 10
"""How many of a kind are shown."""


class Kind(msgspec.Struct, frozen=True):
    """One thing that can be found. Errors and warnings are problems; notes are good to know."""

    severity: Severity
    means: str
    remedy: str
    is_repaired: bool = False
    """Whether `--repair` mends it."""


class Example(msgspec.Struct, frozen=True):
    """Where it was found: a key, or the engine that was asked; and what exactly."""

    at: str
    detail: str


class Finding(msgspec.Struct):
    """All that was found of one kind."""

    code: str
    severity: Severity
    means: str
    remedy: str
    count: int = 0
    repaired: int = 0
    examples: list[Example] = []

    @property
    def is_problem(self) -> bool:
        """Whether something is left to do."""
        return self.severity != "note" and self.count > self.repaired


class Repair(msgspec.Struct, frozen=True):
    """One thing that was mended."""

    code: str
    at: str
    done: str


class Engine(msgspec.Struct, frozen=True):
    """An engine that was asked."""

    at: str
    kind: str
    version: str


class Carts(msgspec.Struct):
    """How many carts were looked at, by state. `complete`: that was all there are."""

    examined: int = 0
    states: dict[str, int] = {}
    seconds: float = 0.0
    complete: bool = False


class Report(msgspec.Struct):
    """What an examination found."""

    engines: list[Engine] = []
    carts: Carts = msgspec.field(default_factory=Carts)
    findings: list[Finding] = []
    repairs: list[Repair] = []

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to do: notes, or nothing at all."""
        return not any(finding.is_problem for finding in self.findings)

    def add(self, code: str, at: str, detail: str) -> Finding:
        """Counts one more of this kind."""
        finding = self._finding(code)
        finding.count += 1
        if len(finding.examples) < EXAMPLES:
            finding.examples.append(Example(at, detail))
        return finding

    def mended(self, code: str, at: str, done: str) -> None:
        """Notes that one that was just added has been mended."""
        self._finding(code).repaired += 1
        self.repairs.append(Repair(code, at, done))

    def sort(self) -> None:
        """Puts what is worst first."""
        self.findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))

    def _finding(self, code: str) -> Finding:
        for finding in self.findings:
            if finding.code == code:
                return finding
        kind = KINDS[code]
        self.findings.append(Finding(code, kind.severity, kind.means, kind.remedy, examples=[]))
        return self.findings[-1]


KINDS: dict[str, Kind] = {
    "engine_unreachable": Kind(
        "error",
        "The engine does not answer, so carts can be neither read nor changed.",
        "Start it, or mend the address, the password or the network; then look again.",
    ),
    "engine_too_old": Kind(
        "error",
        "Older than what the scripts need.",
        "Install Redis 6.2 or newer, or Valkey 7.2 or newer.",
    ),
    "engine_unknown": Kind(
        "warning",
        "Neither Redis nor Valkey; ecart is not tested on it.",
        "Use Redis 6.2 or newer, or Valkey 7.2 or newer.",
    ),
    "evicting_policy": Kind(
        "error",
        "When memory is full the engine deletes keys to make room: whole carts disappear.",
        "CONFIG SET maxmemory-policy noeviction, and the same in its configuration file. "
        "volatile-* evicts, too: carts have an expiry.",
    ),
    "memory_nearly_full": Kind(
        "warning",
        "Over 90 % of maxmemory is in use; when it is full, nothing can be added to carts.",
        "Raise maxmemory, or shorten the life of carts.",
    ),
    "no_memory_limit": Kind(
        "note",
        "maxmemory is not set: a full machine makes the system kill the engine.",
        "Set maxmemory below the machine's memory, with the policy noeviction.",
    ),
    "nothing_on_disk": Kind(
        "error",
        "The engine writes nothing to disk: a restart loses every cart.",
        "CONFIG SET appendonly yes, and the same in its configuration file.",
    ),
    "snapshots_only": Kind(
        "warning",
        "Without an append-only file a crash loses the changes since the last snapshot.",
        "CONFIG SET appendonly yes, and the same in its configuration file.",
    ),
    "sync_left_to_system": Kind(
        "warning",
        "The engine leaves it to the system when its file reaches the disk: a power cut loses "
        "what was answered in the last half minute or so.",
        "CONFIG SET appendfsync everysec, or always.",
    ),
    "sync_once_a_second": Kind(
        "note",
        "The file reaches the disk once a second: a power cut can lose a second or two.",
        "CONFIG SET appendfsync always, if that is too much to lose.",
    ),
    "last_write_failed": Kind(
        "error",
        "The engine could not write its file when it last tried; it may refuse every change.",
        "Look into its log: a full disk, or missing permissions.",
    ),
    "is_replica": Kind(
        "error",
        "This is a replica: it refuses changes.",
        "Name its primary instead.",
    ),
    "replica_behind": Kind(
        "warning",
        "A replica is not connected or more than 10 seconds behind: if it took over now, "
        "changes would be lost.",
        "Look into the log of the replica; see to the network between the two.",
    ),
    "no_replica": Kind(
        "note",
        "There is no replica to take over.",
        "Add one, if carts shall survive the loss of the machine.",
    ),
    "cluster_not_whole": Kind(
        "error",
        "The cluster is not in order, or some slots belong to nobody: carts there are out of "
        "reach.",
        "CLUSTER INFO and CLUSTER SLOTS tell which; bring the nodes back or assign the slots.",
    ),
    "clock_differs": Kind(
        "warning",
        "The clocks of this machine and the engine differ by more than two seconds. Expiry and "
        "deadlines go by the engine's.",
        "Synchronise both (NTP).",
    ),
    "config_hidden": Kind(
        "note",
        "The engine does not let this user read its configuration: not all could be checked.",
        "Ask whoever runs it, or allow CONFIG GET.",
    ),
    "deployment_differs": Kind(
        "error",
        "The deployment record does not agree with how the carts are looked for: they seem empty.",
        "Use the number of partitions that is recorded; see Service, where the carts are.",
    ),
    "not_recorded": Kind(
        "note",
        "No service has begun on these carts, so the number of partitions is not recorded.",
        "Nothing, if only the library is used: see that every program uses the same number.",
    ),
    "no_expiry": Kind(
        "warning",
        "The cart is to expire and has lost its expiry: it stays for ever.",
        "--repair gives it the life of a cart that was changed now.",
        True,
    ),
    "counters_differ": Kind(
        "error",
        "The counters do not agree with the lines: a badge shows something else than the cart, "
        "or the cart cannot be read.",
        "--repair counts the lines again.",
        True,
    ),
    "unreadable_cart": Kind(
        "error",
        "A field is not as this version writes it: reading the cart fails with corrupt_cart.",
        "If a newer ecart wrote it, update. Else restore the field from a backup, or purge the "
        "cart. Nothing is mended by guessing.",
    ),
    "unknown_field": Kind(
        "note",
        "A field of no known kind; it is neither read nor written.",
        "None, if a newer version is being rolled out; else find out who writes there.",
    ),
    "wrong_type": Kind(
        "error",
        "Another type of value stands where a cart would be: that cart fails with corrupt_cart.",
        "Find out who writes there; give that program another prefix, then delete the key.",
    ),
    "orphan": Kind(
        "error",
        "The cart is not under the key that its id gives, so nobody finds it.",
        "If it was begun with another number of partitions, use that number. Else RENAME it to "
        "the key that is named, unless that one exists.",
    ),
    "unknown_name": Kind(
        "warning",
        "A key of this prefix that ecart did not write.",
        "Give the program that writes it another prefix.",
    ),
    "stuck_merge": Kind(
        "warning",
        "A merge broke off over an hour ago: its lines are seen in no cart until somebody "
        "touches the source, and are lost after 7 days.",
        "--repair finishes it, as the next change of the cart would.",
        True,
    ),
    "leftover_marks": Kind(
        "warning",
        "Marks of what a check-out saw are left without one: the next check-out would hand over "
        "fewer units.",
        "HDEL the fields that begin with ! while no check-out holds the cart.",
    ),
    "large_cart": Kind(
        "note",
        "Over 500 lines or 1 MiB: slow to read and to change.",
        "Look at what fills it; Rules limits lines and details.",
    ),
    "oversize_cart": Kind(
        "warning",
        "Over 10,000 lines or 16 MiB, more than any rules allow; it was not looked into.",
        "Look at what fills it, and purge it if that is no shopper.",
    ),
    "moved_meanwhile": Kind(
        "note",
        "Keys moved to another node of the cluster while they were looked at.",
        "Look again when the slots are settled.",
    ),
    "old_carts": Kind(
        "note",
        "Carts of E-Cart 1.0 are in this store; this version does not read them.",
        "ecart migrate-1.0 brings them over; see Moving from E-Cart.",
    ),
}
