"""Decides where the relay continues, from the topics' tail, the cursor and the log; no I/O."""

from __future__ import annotations

from collections.abc import Mapping

from kafka import TopicPartition

from consumers.errors import LogForked, TailUnknown, TopicLost

from .cursor import Cursor
from .tail import Tail

TRANSACTION_EVENTS_MAX = 2000
"""Limit of a transaction, and so of how far the tail can be ahead of the cursor."""


def last_sent(tail: Tail, cursor: Cursor, head: int, *, is_of_log: bool) -> int:
    """Return the position of the last event on the topics; 0 if there is none.

    ``is_of_log``: the tail's last record is the log's event at its position.

    Raises:
        TopicLost, LogForked, TailUnknown: the relay has to stop.
    """
    _require_records(tail.ends, cursor)
    if tail.position is None:
        return _without_tail(tail, cursor)
    if tail.position > head:
        raise LogForked(
            f"The topics hold event {tail.position}, and the log ends at position {head}."
        )
    if not is_of_log:
        raise LogForked(
            f"The topics hold another event {tail.position} than the log: their histories differ."
        )
    if cursor.position is None:
        return tail.position
    if tail.position < cursor.position:
        raise TopicLost(
            f"Event {cursor.position} was sent, and the topics end with event {tail.position}."
        )
    if tail.position > cursor.position + TRANSACTION_EVENTS_MAX:
        raise LogForked(
            f"The topics end with event {tail.position}, and the relay had come to"
            f" {cursor.position}: that is more than it can have sent since."
        )
    return tail.position


def _require_records(ends: Mapping[TopicPartition, int], cursor: Cursor) -> None:
    for topic, of_topic in cursor.ends.items():
        for number, sent in of_topic.items():
            end = ends.get(TopicPartition(topic, int(number)))
            if end is not None and end < sent:
                raise TopicLost(
                    f"Partition {number} of {topic} ends at offset {end}; {sent} were written."
                )


def _without_tail(tail: Tail, cursor: Cursor) -> int:
    """Decide without any record of this ledger: none was sent, or retention has deleted them."""
    if tail.began_later:
        if cursor.position is None:
            raise TailUnknown(
                "The topics' records are gone by retention, and how far they had come is not known."
                " Nothing is sent: delete the topics, and all of the log is sent again."
            )
        return cursor.position
    if cursor.position:
        raise TopicLost(f"Event {cursor.position} was sent, and the topics are empty.")
    return 0
