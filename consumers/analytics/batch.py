"""What a source hands to the sink: rows, and how far it has come with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import NamedTuple, Protocol

from .facts import Row

BATCH_EVENTS_MAX = 5_000


class Mark(NamedTuple):
    """How far a partition was read; the log itself is one partition, whose offsets are positions.

    ``next_offset`` is where to go on. ``position`` is of the last event that was taken,
    ``position_offset`` where it lies and ``seen`` what it was: read again, it has to be the same.
    """

    next_offset: int
    position: int = 0
    position_offset: int | None = None
    seen: str | None = None


Marks = Mapping[int, Mark]
"""By partition."""


class QuarantinedPermit(NamedTuple):
    """A record that can't be counted: where it lies and why; nothing of what it holds."""

    partition: int
    offset: int
    reason: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """``marks`` are those of the partitions that it brings forward."""

    marks: Marks
    events: Sequence[Row] = ()
    parked: Sequence[QuarantinedPermit] = ()


@dataclass(slots=True)
class BatchBuilder:
    """Collects a batch; not newer than a partition's mark is what was taken before."""

    marks: dict[int, Mark]
    events: list[Row] = field(default_factory=list)
    parked: list[QuarantinedPermit] = field(default_factory=list)
    _moved: set[int] = field(default_factory=set)
    _newest: dict[int, Row] = field(default_factory=dict)

    def mark(self, partition: int) -> Mark:
        return self.marks.get(partition, Mark(0))

    def take(self, partition: int, offset: int, row: Row) -> None:
        """An event, unless it is not newer; either way its partition has come past it."""
        mark = self.mark(partition)
        if row["position"] <= mark.position:
            self._move(partition, mark._replace(next_offset=max(mark.next_offset, offset + 1)))
            return
        self.events.append(row)
        self._newest[partition] = row
        self._move(partition, Mark(offset + 1, row["position"], offset))

    def park(self, parked: QuarantinedPermit) -> None:
        mark = self.mark(parked.partition)
        self.parked.append(parked)
        self._move(parked.partition, mark._replace(next_offset=parked.offset + 1))

    def __len__(self) -> int:
        return len(self.events) + len(self.parked)

    @property
    def has_moved(self) -> bool:
        return bool(self._moved)

    def batch(self) -> Batch:
        """What was collected; the builder begins anew behind it."""
        for partition, row in self._newest.items():
            self.marks[partition] = self.marks[partition]._replace(seen=seen(row))
        done = Batch({p: self.marks[p] for p in self._moved}, self.events, self.parked)
        self.events, self.parked, self._moved, self._newest = [], [], set(), {}
        return done

    def _move(self, partition: int, mark: Mark) -> None:
        self.marks[partition] = mark
        self._moved.add(partition)


def seen(row: Row) -> str:
    """By what an event is known again."""
    return f"{row['position']} {row['subject']} {row['version']} {row['type']}"


class Source(Protocol):
    """Where events come from."""

    @property
    def name(self) -> str:
        """What the sink was filled from; filled from another, it is filled anew."""
        ...

    def batches(self, marks: Marks, stop: Event) -> Iterator[Batch]:
        """Everything beyond the marks, in the order of each partition, until ``stop``.

        Raises:
            OtherHistory: what the marks remember is not there.
        """
        ...
