"""Which topics lie in the log, and whether all of them can be read.

Asked before anything is done: a permit is folded from all of its events or not at all, so a version
that knows only some of them would come to a stop later, permit by permit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import UnreadableTopics

_sql = Queries("ledger", "sql/queries.sql")


@dataclass(frozen=True, slots=True)
class UnreadableTopic:
    """A topic that nobody here knows, how many events have it, and where the first one is."""

    topic: str
    events: int
    first_position: int

    def __str__(self) -> str:
        return f"{self.topic} (events: {self.events:,}, first position: {self.first_position})"


def unreadable_topics(connection: Connection, readable: Collection[str]) -> list[UnreadableTopic]:
    """What the log holds beyond ``readable``; events are counted of these topics only.

    Takes as long for a long log as for a short one, unless something is found.
    """
    topics = [cast("str", topic) for (topic,) in connection.execute(_sql.topics)]
    return [_extent(connection, topic) for topic in topics if topic not in readable]


def require_readable(connection: Connection, readable: Collection[str]) -> None:
    """
    Raises:
        UnreadableTopics: naming each, and what to do.
    """
    if unreadable := unreadable_topics(connection, readable):
        raise UnreadableTopics(
            f"this version can't read what the log holds: {', '.join(map(str, unreadable))}."
            " Run the version that wrote it, or a newer one."
        )


def _extent(connection: Connection, topic: str) -> UnreadableTopic:
    row = connection.execute(_sql.events_of_topic, {"topic": topic}).fetchone()
    events, first_position = cast("tuple[int, int]", row)
    return UnreadableTopic(topic, events, first_position)
