"""Which topics the log holds and may hold, and whether this version can read all of them.

Checked at every start: a permit is folded from all of its events or not at all, so a version that
knows only some topics would fail later, permit by permit. For the same reason the log takes no
topic that its owner has not admitted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from psycopg.errors import InsufficientPrivilege
from psycopg.rows import args_row, scalar_row

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import SchemaBehind, UnreadableTopics

_sql = Queries("ledger", "sql/queries.sql")


@dataclass(frozen=True, slots=True)
class UnreadableTopic:
    """A topic that this version does not know, how many events have it, and the first position."""

    topic: str
    events: int
    first_position: int

    def __str__(self) -> str:
        return f"{self.topic} (events: {self.events:,}, first position: {self.first_position})"


def unreadable_topics(connection: Connection, readable: Collection[str]) -> list[UnreadableTopic]:
    """The log's topics that are not ``readable``.

    Takes as long for a long log as for a short one; only the events of these topics are counted.
    """
    with connection.cursor(row_factory=scalar_row) as cursor:
        topics: list[str] = cursor.execute(_sql.topics).fetchall()
    return [_extent(connection, topic) for topic in topics if topic not in readable]


def require_readable(connection: Connection, readable: Collection[str]) -> None:
    """
    Raises:
        UnreadableTopics: names each, and what to do.
    """
    if unreadable := unreadable_topics(connection, readable):
        raise UnreadableTopics(
            f"this version can't read what the log holds: {', '.join(map(str, unreadable))}."
            " Run the version that wrote it, or a newer one."
        )


def admit_topics(connection: Connection, topics: Collection[str]) -> None:
    """Let the log take events of these topics; if it does already, nothing is written.

    Raises:
        SchemaBehind: some are missing, and this user may not add them.
    """
    wanted = [sorted(topics)]
    with connection.cursor(row_factory=scalar_row) as cursor:
        missing: list[str] = cursor.execute(_sql.topics_to_admit, wanted).fetchall()
    if not missing:
        return
    try:
        connection.execute(_sql.admit_topics, wanted)
    except InsufficientPrivilege:
        raise SchemaBehind(
            f"The database takes no events of {', '.join(missing)} yet, and the database user"
            f" {connection.info.user} may not add them:"
            " run `permit-ledger migrate` as the database's owner."
        ) from None


def _extent(connection: Connection, topic: str) -> UnreadableTopic:
    with connection.cursor(row_factory=args_row(partial(UnreadableTopic, topic))) as cursor:
        [extent] = cursor.execute(_sql.events_of_topic, {"topic": topic}).fetchall()
    return extent
