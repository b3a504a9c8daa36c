"""The source of remote views: each partition's progress, and which worker writes it.

A partition's row states what the rows of its permits hold, and moves in their transaction. A worker
that claims a partition raises its epoch under the row's lock, which fences the worker that had it
before, even if that one has not noticed yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import rows, scalar
from ledger.errors import Corrupt

CLOCKS_APART_MAX_S = 10
"""The ledger's clock and this database's may differ by so much; by more, a clock is wrong."""

_sql = Queries("projections", "sql/remote.sql")


class NoRemoteSource(Corrupt):
    """This database's views cannot be kept from that topic; the message says why."""


class Fenced(Exception):
    """Another worker has taken a partition over; nothing was written."""


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """Whose events a database follows. ``topic_id`` identifies the topic itself (KIP-516): one that
    was deleted and created again has another."""

    source: str
    topic: str
    topic_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A partition that this worker may write as long as its epoch is unchanged."""

    partition: int
    epoch: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class RemotePartition:
    """A partition's state. ``stale_s``: how long ago the rows held all that the ledger had;
    ``None``: never yet. ``behind_records`` counts offsets, including those of other records."""

    partition: int
    position: int
    recorded_at: datetime | None
    behind_records: int | None
    bad_records: int
    stale_s: float | None
    asked_ago_s: float | None


def remote_source_of(connection: Connection) -> RemoteSource | None:
    """The source of the database's views; ``None`` where it is the database's own log."""
    with connection.cursor(row_factory=class_row(RemoteSource)) as cursor:
        return cursor.execute(_sql.source).fetchone()


def require_own_log(connection: Connection) -> None:
    """Require that this database's views are made from its own log.

    Raises:
        NoRemoteSource: they are remote.
    """
    if source := remote_source_of(connection):
        raise NoRemoteSource(
            f"The views of this database come from the topic {source.topic} of {source.source}, and"
            " not from a log: use `permit-ledger project --source kafka`, or another database."
        )


def begin(connection: Connection, source: RemoteSource, partitions: int) -> str:
    """Start or resume remote views from this source; returns the database's id as a consumer.

    A topic that was created again is read from its beginning; known events are passed over.

    Raises:
        NoRemoteSource: the database has a log of its own, or follows another ledger.
    """
    with connection.transaction():
        if connection.execute(_sql.log_head).fetchone() != (0,):
            raise NoRemoteSource(
                "This database has a log of its own, and its views are made from that."
            )
        connection.execute(
            _sql.begin,
            {"source": source.source, "topic": source.topic, "topic_id": source.topic_id},
        )
        found = remote_source_of(connection)
        assert found is not None  # noqa: S101  it was just inserted
        if (found.source, found.topic) != (source.source, source.topic):
            raise NoRemoteSource(
                f"This database follows {found.source} on the topic {found.topic}, and not"
                f" {source.source} on {source.topic}: take another database."
            )
        connection.execute(_sql.begin_partitions, [partitions])
        connection.execute(_sql.restart_topic, {"topic_id": source.topic_id})
        return str(scalar(connection, _sql.database_id))


def claim(connection: Connection, partitions: Iterable[int]) -> list[Claim]:
    """Claim these partitions; the workers that had them are fenced on return."""
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(_sql.claim, [sorted(partitions)]).fetchall()


def clock(connection: Connection) -> datetime:
    """The database's clock."""
    instant: datetime = scalar(connection, _sql.clock)
    return instant


def record_end(
    connection: Connection,
    claimed: Claim,
    asked_at: datetime,
    behind_records: int,
    in_step_at: datetime | None,
) -> None:
    """Record a partition's end, as the broker gave it at ``asked_at``, and the instant as of which
    the rows hold all that the ledger had recorded (``None`` where that is unknown)."""
    connection.execute(
        _sql.record_end,
        {
            "partition": claimed.partition,
            "epoch": claimed.epoch,
            "asked_at": asked_at,
            "behind_records": behind_records,
            "in_step_at": in_step_at,
        },
    )


def is_fresh(stale_s: float | None, stale_s_max: float) -> bool:
    """Whether the age is known and allowed; one from the future is not."""
    return stale_s is not None and -CLOCKS_APART_MAX_S <= stale_s <= stale_s_max


@dataclass(frozen=True, slots=True)
class RemoteState:
    """All partitions' states, and how many permits are in quarantine."""

    partitions: list[RemotePartition]
    quarantined: int

    @property
    def position(self) -> int:
        """The newest event of any partition; older ones of another may be missing still."""
        return max((each.position for each in self.partitions), default=0)

    @property
    def stale_s(self) -> float | None:
        """The age of the partition furthest behind; ``None`` where one was never in step."""
        ages = [each.stale_s for each in self.partitions]
        known = [age for age in ages if age is not None]
        return max(known) if known and len(known) == len(ages) else None

    @property
    def asked_ago_s(self) -> float | None:
        """The longest time since a partition's end was received; ``None`` where one never was."""
        ages = [each.asked_ago_s for each in self.partitions]
        known = [age for age in ages if age is not None]
        return max(known) if known and len(known) == len(ages) else None

    @property
    def behind_records(self) -> int:
        return sum(each.behind_records or 0 for each in self.partitions)

    @property
    def bad_records(self) -> int:
        return sum(each.bad_records for each in self.partitions)


@dataclass(frozen=True, slots=True)
class Locked:
    """A partition's row, locked until the transaction ends."""

    epoch: int
    next_offset: int
    position: int
    bad_records: int


def remote_state(connection: Connection) -> RemoteState:
    """The partitions' states."""
    quarantined = scalar(connection, _sql.quarantined)
    with connection.cursor(row_factory=class_row(RemotePartition)) as cursor:
        return RemoteState(cursor.execute(_sql.partitions).fetchall(), quarantined)


def lock(connection: Connection, epochs: Mapping[int, int]) -> dict[int, Locked]:
    """Lock partitions for writing.

    Raises:
        Fenced: another worker has claimed one of them.
    """
    locked = rows(connection, _sql.lock, [sorted(epochs)])
    found = {partition: Locked(*rest) for partition, *rest in locked}
    if {partition: row.epoch for partition, row in found.items()} != dict(epochs):
        raise Fenced
    return found
