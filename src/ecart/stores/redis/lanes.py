"""Who makes a change: the writer, its lanes, and the sequence numbers that make repeats known.

Each process is one writer with a random name. A change holds one lane, alone, from its first
attempt to its last, and takes the lane's next number. A cart keeps a record of each lane that
changed it lately, so only the lanes of one group change it, however many others are busy elsewhere
(decision 38). The writer is the one piece of global state in ecart; a forked child draws its own.
"""

from __future__ import annotations

import os
from itertools import count

from ecart.operations import new_token, short_digest


class Lane:
    """One caller's line of numbered changes."""

    __slots__ = ("epoch", "field", "group", "sequence", "tag", "writer")

    def __init__(self, writer: Writer, number: int, group: list[Lane]) -> None:
        self.writer = writer
        self.group = group
        self.field = f"~{writer.name}.{number}"
        self.tag = short_digest(self.field)
        self.sequence = 0
        self.draw_epoch()

    @property
    def operation_id(self) -> str:
        """Names the change that the lane is making; `operations.lane_of` takes it apart."""
        return f"{self.field}.{self.sequence}"

    @property
    def digest(self) -> str:
        """Tells the change apart from others that a cart may have seen last."""
        return f"{self.tag}-{self.sequence:x}"

    def draw_epoch(self) -> None:
        """Draws the epoch of the cart that the next change may make, once the last one was used."""
        self.epoch = new_token()


GROUPS = 1024
"""Groups of lanes. That a lane is taken by another cart of the group has to be rare."""


class Writer:
    """The lanes of one process. Of a group, the last freed is the first taken: few are in use."""

    def __init__(self) -> None:
        self.name = new_token()
        self.pid = os.getpid()
        self._free: list[list[Lane]] = [[] for _ in range(GROUPS)]
        self._numbers = count(1)

    def take(self, key: str) -> Lane:
        """A lane for one change of a cart, at its next number. Give it back, or retire it."""
        group = self._free[hash(key) % GROUPS]
        try:
            lane = group.pop()
        except IndexError:
            lane = Lane(self, next(self._numbers), group)
        lane.sequence += 1
        return lane


_writer = Writer()


def take_lane(key: str) -> Lane:
    """A lane of this process's writer, for a change of the cart with this key."""
    global _writer
    if _writer.pid != os.getpid():
        _writer = Writer()
    return _writer.take(key)


def give_lane_back(lane: Lane) -> None:
    """Frees a lane whose change has ended for certain; not one that a fork made somebody else's."""
    if lane.writer is _writer:
        lane.group.append(lane)
