"""The table of all kinds of findings, and the report that collects them.

A report keeps a count and a few examples of each finding, so it stays small however many carts
are wrong. Only repairs are listed one by one.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

EXAMPLES = 10
"""How many examples of a finding are shown."""


class Fault(NamedTuple):
    """One thing that is wrong in one place: the code of its kind, and the details."""

    code: str
    detail: str


class FindingKind(msgspec.Struct, frozen=True):
    """A kind of fault. Errors and warnings are problems; notes are good to know."""

    severity: Severity
    means: str
    remedy: str
    is_repaired: bool = False
    """Whether `--repair` can repair it."""


class Example(msgspec.Struct, frozen=True):
    """Where a fault was found (a key, or the address of an engine), and its details."""

    at: str
    detail: str


class Finding(msgspec.Struct):
    """All faults of one kind that were found."""

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
    """A fault that was repaired, and how."""

    code: str
    at: str
    done: str


class Engine(msgspec.Struct, frozen=True):
    """An engine that was examined."""

    at: str
    kind: str
    version: str


class CartTotals(msgspec.Struct):
    """How many carts were examined, by state. `complete`: those are all there are."""

    examined: int = 0
    states: dict[str, int] = {}
    seconds: float = 0.0
    complete: bool = False


class Report(msgspec.Struct):
    """What an examination found."""

    engines: list[Engine] = []
    carts: CartTotals = msgspec.field(default_factory=CartTotals)
    findings: list[Finding] = []
    repairs: list[Repair] = []

    @property
    def is_healthy(self) -> bool:
        """Whether there is nothing to do: notes, or nothing at all."""
        return not any(finding.is_problem for finding in self.findings)

    def add(self, code: str, at: str, detail: str) -> Finding:
        """Adds a fault to the finding of its kind."""
        finding = self._finding(code)
        finding.count += 1
        if len(finding.examples) < EXAMPLES:
            finding.examples.append(Example(at, detail))
        return finding

    def add_repair(self, code: str, at: str, done: str) -> None:
        """Adds the repair of a fault that was added before."""
        self._finding(code).repaired += 1
        self.repairs.append(Repair(code, at, done))

    def sort(self) -> None:
        """Sorts the findings, worst first."""
        self.findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))

    def _finding(self, code: str) -> Finding:
        for finding in self.findings:
            if finding.code == code:
                return finding
        kind = KINDS[code]
        self.findings.append(Finding(code, kind.severity, kind.means, kind.remedy, examples=[]))
        return self.findings[-1]


KINDS: dict[str, FindingKind] = {
    "engine_unreachable": FindingKind(
        "error",
        "The engine does not answer, so carts can be neither read nor changed.",
        "Start it, or correct the address, the password or the network; then run the doctor again.",
    ),
    "engine_too_old": FindingKind(
        "error",
        "Older than what the scripts need.",
        "Install Redis 6.2 or newer, or Valkey 7.2 or newer.",
    ),
    "engine_unknown": FindingKind(
        "warning",
        "Neither Redis nor Valkey; ecart is not tested on it.",
        "Use Redis 6.2 or newer, or Valkey 7.2 or newer.",
    ),
    "evicting_policy": FindingKind(
        "error",
        "When memory is full the engine deletes keys to make room: whole carts disappear.",
        "CONFIG SET maxmemory-policy noeviction, and the same in its configuration file. "
        "volatile-* evicts, too: carts have an expiry.",
    ),
    "memory_nearly_full": FindingKind(
        "warning",
        "Over 90 % of maxmemory is in use; when it is full, nothing can be added to carts.",
        "Raise maxmemory, or shorten the life of carts.",
    ),
    "no_memory_limit": FindingKind(
        "note",
        "maxmemory is not set: a full machine makes the system kill the engine.",
        "Set maxmemory below the machine's memory, with the policy noeviction.",
    ),
    "nothing_on_disk": FindingKind(
        "error",
        "The engine writes nothing to disk: a restart loses every cart.",
        "CONFIG SET appendonly yes, and the same in its configuration file.",
    ),
    "snapshots_only": FindingKind(
        "warning",
        "Without an append-only file a crash loses the changes since the last snapshot.",
        "CONFIG SET appendonly yes, and the same in its configuration file.",
    ),
    "sync_left_to_system": FindingKind(
        "warning",
        "The engine leaves it to the system when its file reaches the disk: a power cut loses "
        "what was answered in the last half minute or so.",
        "CONFIG SET appendfsync everysec, or always.",
    ),
    "sync_once_a_second": FindingKind(
        "note",
        "The file reaches the disk once a second: a power cut can lose a second or two.",
        "CONFIG SET appendfsync always, if that is too much to lose.",
    ),
    "last_write_failed": FindingKind(
        "error",
        "The engine could not write its file when it last tried; it may refuse every change.",
        "Look into its log: a full disk, or missing permissions.",
    ),
    "is_replica": FindingKind(
        "error",
        "This is a replica: it refuses changes.",
        "Name its primary instead.",
    ),
    "replica_behind": FindingKind(
        "warning",
        "A replica is not connected or more than 10 seconds behind: if it took over now, "
        "changes would be lost.",
        "Look into the log of the replica; see to the network between the two.",
    ),
    "no_replica": FindingKind(
        "note",
        "There is no replica to take over.",
        "Add one, if carts shall survive the loss of the machine.",
    ),
    "cluster_not_whole": FindingKind(
        "error",
        "The cluster is not in order, or some slots have no node: carts there are out of reach.",
        "CLUSTER INFO and CLUSTER SLOTS show which; bring the nodes back or assign the slots.",
    ),
    "clock_differs": FindingKind(
        "warning",
        "The clocks of this machine and the engine differ by more than two seconds. Expiry and "
        "deadlines go by the engine's.",
        "Synchronise both (NTP).",
    ),
    "config_hidden": FindingKind(
        "note",
        "The engine does not let this user read its configuration: not all could be checked.",
        "Ask its administrator, or allow CONFIG GET.",
    ),
    "deployment_differs": FindingKind(
        "error",
        "The deployment record does not agree with the keys that are used here: carts seem empty.",
        "Use the number of partitions that is recorded; see Service, where the carts are.",
    ),
    "not_recorded": FindingKind(
        "note",
        "No service has started on these carts, so the number of partitions is not recorded.",
        "Nothing, if only the library is used: see that every program uses the same number.",
    ),
    "no_expiry": FindingKind(
        "warning",
        "The cart is to expire and has lost its expiry: it stays for ever.",
        "--repair gives it the life of a cart that was changed now.",
        True,
    ),
    "counters_differ": FindingKind(
        "error",
        "The counters do not agree with the lines: a badge shows something else than the cart, "
        "or the cart cannot be read.",
        "--repair counts the lines again.",
        True,
    ),
    "unreadable_cart": FindingKind(
        "error",
        "A field is not as this version writes it: reading the cart fails with corrupt_cart.",
        "If a newer ecart wrote it, update. Else restore the field from a backup, or purge the "
        "cart. Nothing is repaired by guessing.",
    ),
    "unknown_field": FindingKind(
        "note",
        "A field of no known kind; it is neither read nor written.",
        "None, if a newer version is being rolled out; else find out who writes there.",
    ),
    "wrong_type": FindingKind(
        "error",
        "Another type of value stands where a cart would be: that cart fails with corrupt_cart.",
        "Find out who writes there; give that program another prefix, then delete the key.",
    ),
    "orphan": FindingKind(
        "error",
        "The cart is not under the key that its id gives, so it is never found.",
        "If it was created with another number of partitions, use that number. Else RENAME it to "
        "the key that is named, unless that one exists.",
    ),
    "unknown_name": FindingKind(
        "warning",
        "A key of this prefix that ecart did not write.",
        "Give the program that writes it another prefix.",
    ),
    "stuck_merge": FindingKind(
        "warning",
        "A merge was interrupted over an hour ago: its lines are in no cart until the source is "
        "changed, and are lost after 7 days.",
        "--repair finishes it, as the next change of the cart would.",
        True,
    ),
    "leftover_marks": FindingKind(
        "warning",
        "Marks of what a check-out saw are left without one: the next check-out would hand over "
        "fewer units.",
        "HDEL the fields that begin with ! while no check-out holds the cart.",
    ),
    "large_cart": FindingKind(
        "note",
        "Over 500 lines or 1 MiB: slow to read and to change.",
        "Find out what fills it; Rules limits lines and details.",
    ),
    "oversize_cart": FindingKind(
        "warning",
        "Over 10,000 lines or 16 MiB, more than any rules allow; it was not examined.",
        "Find out what fills it, and purge it if that is no shopper.",
    ),
    "moved_meanwhile": FindingKind(
        "note",
        "Keys moved to another node of the cluster while they were read.",
        "Run the doctor again when no slot is being moved.",
    ),
    "old_carts": FindingKind(
        "note",
        "Carts of E-Cart 1.0 are in this store; this version does not read them.",
        "ecart migrate-1.0 brings them over; see Moving from E-Cart.",
    ),
}
