"""Batches from a source to the sink: rows, and the marks up to which they were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import NamedTuple, Protocol

from .facts import Row

BATCH_EVENTS_MAX = 5_000


class Mark(NamedTuple):
    """Up to where a partition was read; the log itself is one partition, its offsets are positions.

    ``next_offset`` is where to continue. ``position`` is the last event's, ``position_offset`` its
    offset and ``seen`` its digest: read again, it has to be the same.
    """

    next_offset: int
    position: int = 0
    position_offset: int | None = None
    seen: str | None = None


Marks = Mapping[int, Mark]
"""By partition."""


class UncountedRecord(NamedTuple):
    """A record that cannot be counted: its place and a reason; nothing of its content."""

    partition: int
    offset: int
    reason: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """``marks`` are those of the partitions that the batch moves."""

    marks: Marks
    events: Sequence[Row] = ()
    uncounted: Sequence[UncountedRecord] = ()


@dataclass(slots=True)
class BatchBuilder:
    """Collects a batch; an event that is not newer than its partition's mark was taken before."""

    marks: dict[int, Mark]
    events: list[Row] = field(default_factory=list)
    uncounted: list[UncountedRecord] = field(default_factory=list)
    _moved: set[int] = field(default_factory=set)
    _newest: dict[int, Row] = field(default_factory=dict)

    def mark(self, partition: int) -> Mark:
        return self.marks.get(partition, Mark(0))

    def take(self, partition: int, offset: int, row: Row) -> None:
        """Add an event if it is newer; its partition moves past it in any case."""
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
        """The batch that was collected; the builder starts the next one."""
        for partition, row in self._newest.items():
            self.marks[partition] = self.marks[partition]._replace(seen=seen(row))
        done = Batch({p: self.marks[p] for p in self._moved}, self.events, self.uncounted)
        self.events, self.uncounted, self._moved, self._newest = [], [], set(), {}
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
        """The source that the sink was filled from; for another one it is rebuilt."""
        ...

    def batches(self, marks: Marks, stop: Event) -> Iterator[Batch]:
        """Everything beyond the marks, in the order of each partition, until ``stop``.

        Raises:
            OtherHistory: what the marks remember is not there.
        """
        ...
