"""Batches of rows from a source to the sink, with the marks up to which the source was read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import NamedTuple, Protocol

from .facts import Row

BATCH_EVENTS_MAX = 5_000


class Mark(NamedTuple):
    """How far a partition was read. The log is one partition whose offsets are positions.

    ``next_offset`` is where to continue. ``position``, ``position_offset`` and ``seen`` are the
    position, the offset and the identity of the last event: when it is read again, it has to be the
    same.
    """

    next_offset: int
    position: int = 0
    position_offset: int | None = None
    seen: str | None = None


Marks = Mapping[int, Mark]
"""One mark for each partition."""


class UncountedRecord(NamedTuple):
    """A record that cannot be counted: its place and a reason, without its content."""

    partition: int
    offset: int
    reason: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """``marks`` are the new marks of the partitions that the batch advances."""

    marks: Marks
    events: Sequence[Row] = ()
    uncounted: Sequence[UncountedRecord] = ()


@dataclass(slots=True)
class BatchBuilder:
    """Collects a batch; skips events that are not newer than their partition's mark."""

    marks: dict[int, Mark]
    events: list[Row] = field(default_factory=list)
    uncounted: list[UncountedRecord] = field(default_factory=list)
    _moved: set[int] = field(default_factory=set)
    _newest: dict[int, Row] = field(default_factory=dict)

    def mark(self, partition: int) -> Mark:
        return self.marks.get(partition, Mark(0))

    def take(self, partition: int, offset: int, row: Row) -> None:
        """Add an event if it is newer; advance its partition past it in any case."""
        mark = self.mark(partition)
        if row["position"] <= mark.position:
            self._move(partition, mark._replace(next_offset=max(mark.next_offset, offset + 1)))
            return
        self.events.append(row)
        self._newest[partition] = row
        self._move(partition, Mark(offset + 1, row["position"], offset))

    def leave_out(self, uncounted: UncountedRecord) -> None:
        mark = self.mark(uncounted.partition)
        self.uncounted.append(uncounted)
        self._move(uncounted.partition, mark._replace(next_offset=uncounted.offset + 1))

    def __len__(self) -> int:
        return len(self.events) + len(self.uncounted)

    @property
    def has_moved(self) -> bool:
        return bool(self._moved)

    def batch(self) -> Batch:
        """Return the collected batch, and start the next one."""
        for partition, row in self._newest.items():
            self.marks[partition] = self.marks[partition]._replace(seen=seen(row))
        done = Batch({p: self.marks[p] for p in self._moved}, self.events, self.uncounted)
        self.events, self.uncounted, self._moved, self._newest = [], [], set(), {}
        return done

    def _move(self, partition: int, mark: Mark) -> None:
        self.marks[partition] = mark
        self._moved.add(partition)


def seen(row: Row) -> str:
    """Return the text that identifies an event when it is read again."""
    return f"{row['position']} {row['subject']} {row['version']} {row['type']}"


class Source(Protocol):
    """Where events come from."""

    @property
    def name(self) -> str:
        """Name of the source. A sink that was filled from another source is rebuilt."""
        ...

    def batches(self, marks: Marks, stop: Event) -> Iterator[Batch]:
        """Yield everything after the marks, in the order of each partition, until ``stop`` is set.

        Raises:
            OtherHistory: the source does not contain the events that the marks identify.
        """
        ...
