"""Deduplication ids: how a script recognises a change that it has already applied.

A client that gets no reply does not know whether its command was executed. To retry blindly may
apply a change twice; not to retry may lose it. So each change carries an id, and the cart records
the ids that it has applied. A record per change would grow without bound on a busy cart. This is
how Kafka's idempotent producer avoids it, and so do we:

- Each process is a **producer** with a random id.
- A producer has **lanes**: sequences of numbered changes. A change holds a lane exclusively, from
  its first attempt to its last retry, and takes the lane's next number. So of one lane, at most one
  change is in flight.
- A cart has one record per lane: the last number applied, a fingerprint, the time. An equal number
  is a retry: the script answers without changing anything. A lower number is a straggler of an
  attempt that was abandoned: it is refused. A higher number is a new change.
- A lane whose change ended with an unknown outcome is retired and never reused. Its record stays in
  the cart for ten minutes, so that `resolve` can tell whether that change was applied.

Free lanes are kept as stacks: the last released is the next acquired, so a process that makes one
change at a time uses one lane, and a cart that one worker fills has one record. Lanes are in groups
by a hash of the cart's key, so that a cart sees only the lanes of one group, however many others
are in use at the same time (decision 38).

The producer is the only global state in ecart. A forked child draws an id of its own.
"""

from __future__ import annotations

import os
from itertools import count

from ecart.operations import new_token, short_digest


class Lane:
    """A sequence of numbered changes, used by one change at a time.

    `digest` is a short digest of the change's id, for the cart's entity tag. `epoch` is a random
    token for the cart that the change may create.
    """

    __slots__ = ("digest", "epoch", "field", "group", "producer", "sequence", "tag")

    def __init__(self, producer: Producer, number: int, group: list[Lane]) -> None:
        self.producer = producer
        self.group = group
        self.field = f"~{producer.name}.{number}"
        self.tag = short_digest(self.field)
        self.sequence = 0
        self.digest = ""
        self.draw_epoch()

    @property
    def operation_id(self) -> str:
        """The id of the change that holds the lane; `operations.parse_operation_id` parses it."""
        return f"{self.field}.{self.sequence}"

    def draw_epoch(self) -> None:
        """Replaces the epoch, after a cart was created with it."""
        self.epoch = new_token()


GROUPS = 1024
"""Groups of lanes. Two carts in use at the same time should rarely share one."""


class Producer:
    """The free lanes of one process, by group."""

    def __init__(self) -> None:
        self.name = new_token()
        self.pid = os.getpid()
        self.free: list[list[Lane]] = [[] for _ in range(GROUPS)]
        self.numbers = count(1)


_producer = Producer()


def acquire_lane(key: str) -> Lane:
    """A lane for one change of the cart with this key, at its next number.

    Release it when the outcome is known; else drop it.
    """
    global _producer
    if _producer.pid != os.getpid():
        _producer = Producer()
    group = _producer.free[hash(key) % GROUPS]
    try:
        lane = group.pop()
    except IndexError:
        lane = Lane(_producer, next(_producer.numbers), group)
    lane.sequence += 1
    lane.digest = f"{lane.tag}-{lane.sequence:x}"
    return lane


def release_lane(lane: Lane) -> None:
    """Frees a lane for the next change, unless a fork has left it to the parent process."""
    if lane.producer is _producer:
        lane.group.append(lane)
