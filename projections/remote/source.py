"""Views without a log beside them: how far each partition of a topic has come, and who writes it.

A partition's row says what is in the rows of its permits, and is moved in their transaction. Who
takes a partition over raises its epoch under the row's lock: whoever had it before writes no more,
even if it does not know yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from psycopg.rows import class_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import Corrupt

CLOCKS_APART_MAX_S = 10
"""The ledger's clock and this database's may differ by so much; by more, a clock is wrong."""

_sql = Queries("projections", "sql/feed.sql")


class NoRemoteSource(Corrupt):
    """This database can't be fed from that topic; the message says why."""


class Fenced(Exception):
    """Another worker has taken a partition over; nothing was written."""


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """Whose events a database follows. ``topic_id`` is the topic's own name for itself (KIP-516):
    one that was deleted and made again has another."""

    source: str
    topic: str
    topic_id: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A partition that is ours as long as nobody raises its epoch."""

    partition: int
    epoch: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class RemotePartition:
    """How a partition is. ``stale_s``: so long ago all that the ledger had was in the rows;
    ``None``: never yet. ``behind_records`` counts offsets, which other records have as well."""

    partition: int
    position: int
    recorded_at: datetime | None
    behind_records: int | None
    bad_records: int
    stale_s: float | None
    asked_ago_s: float | None


def remote_source_of(connection: Connection) -> RemoteSource | None:
    """What the database's views are fed from; ``None`` where it is the database's own log."""
    row = connection.execute(_sql.feed).fetchone()
    return RemoteSource(*cast("tuple[str, str, str]", row)) if row else None


def require_own_log(connection: Connection) -> None:
    """
    Raises:
        NoRemoteSource: the views of this database are fed from elsewhere.
    """
    if feed := remote_source_of(connection):
        raise NoRemoteSource(
            f"The views of this database are fed from the topic {feed.topic} of {feed.source}, and"
            " not from a log: use `permit-ledger project --source kafka`, or another database."
        )


def begin(connection: Connection, feed: RemoteSource, partitions: int) -> str:
    """Feed the views from there, from the beginning or from where they are; returns the database's
    own name among those that are fed.

    A topic that was made anew is read from its beginning; what is known already is passed over.

    Raises:
        NoRemoteSource: the database has a log of its own, or follows another ledger.
    """
    with connection.transaction():
        if connection.execute(_sql.log_head).fetchone() != (0,):
            raise NoRemoteSource(
                "This database has a log of its own, and its views are made from that."
            )
        connection.execute(
            _sql.begin, {"source": feed.source, "topic": feed.topic, "topic_id": feed.topic_id}
        )
        found = remote_source_of(connection)
        assert found is not None  # noqa: S101  it was just made
        if (found.source, found.topic) != (feed.source, feed.topic):
            raise NoRemoteSource(
                f"This database follows {found.source} on the topic {found.topic}, and not"
                f" {feed.source} on {feed.topic}: take another database."
            )
        connection.execute(_sql.begin_partitions, [partitions])
        connection.execute(_sql.topic_made_anew, {"topic_id": feed.topic_id})
        return cast("tuple[str]", connection.execute(_sql.feed_id).fetchone())[0]


def claim(connection: Connection, partitions: Iterable[int]) -> list[Claim]:
    """Take these partitions over; who had them is fenced on return."""
    rows = connection.execute(_sql.claim, [sorted(partitions)]).fetchall()
    return [Claim(*row) for row in cast("list[tuple[int, int, int]]", rows)]


def clock(connection: Connection) -> datetime:
    """The database's own."""
    return cast("tuple[datetime]", connection.execute(_sql.clock).fetchone())[0]


def tell_end(
    connection: Connection,
    claimed: Claim,
    asked_at: datetime,
    behind_records: int,
    in_step_at: datetime | None,
) -> None:
    """Keep what the broker said of a partition's end at ``asked_at``, and of which instant all that
    the ledger had recorded is in the rows (``None``: of none that is known)."""
    connection.execute(
        _sql.tell_end,
        {
            "partition": claimed.partition,
            "epoch": claimed.epoch,
            "asked_at": asked_at,
            "behind_records": behind_records,
            "in_step_at": in_step_at,
        },
    )


def is_fresh(stale_s: float | None, stale_s_max: float) -> bool:
    """Whether that is an age, and no more than is allowed. From the future nothing is fresh."""
    return stale_s is not None and -CLOCKS_APART_MAX_S <= stale_s <= stale_s_max


@dataclass(frozen=True, slots=True)
class RemoteState:
    """How all of the partitions are; ``quarantined`` permits stand still."""

    partitions: list[RemotePartition]
    quarantined: int

    @property
    def position(self) -> int:
        """The newest event of any: older ones of another partition may be missing yet."""
        return max((each.position for each in self.partitions), default=0)

    @property
    def stale_s(self) -> float | None:
        """Of the partition that is the furthest behind; ``None`` where one was never in step."""
        ages = [each.stale_s for each in self.partitions]
        known = [age for age in ages if age is not None]
        return max(known) if known and len(known) == len(ages) else None

    @property
    def asked_ago_s(self) -> float | None:
        """Since when the broker has not said where a partition ends, of the worst of them."""
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
    """A partition's row, ours until the transaction ends."""

    epoch: int
    next_offset: int
    position: int
    bad_records: int


def remote_state(connection: Connection) -> RemoteState:
    """How far the partitions are."""
    quarantined = cast("tuple[int]", connection.execute(_sql.quarantined).fetchone())[0]
    with connection.cursor(row_factory=class_row(RemotePartition)) as cursor:
        return RemoteState(cursor.execute(_sql.partitions).fetchall(), quarantined)


def lock(connection: Connection, epochs: Mapping[int, int]) -> dict[int, Locked]:
    """
    Raises:
        Fenced: one of them is another's by now.
    """
    rows = connection.execute(_sql.lock, [sorted(epochs)]).fetchall()
    found = {
        partition: Locked(*rest)
        for partition, *rest in cast("list[tuple[int, int, int, int, int]]", rows)
    }
    if {partition: row.epoch for partition, row in found.items()} != dict(epochs):
        raise Fenced
    return found
