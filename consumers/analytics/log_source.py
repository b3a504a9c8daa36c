"""The log itself as a source: without a broker, and without keys to personal data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from threading import Event

from eventsourcing.persistence import Notification

from consumers.contract.cloudevents import EventRecord
from ledger.codec.mapper import SealedEvent
from ledger.errors import LogBehind, UnreadableEvent
from ledger.eventlog.follow import follow

from .batch import BATCH_EVENTS_MAX, Batch, BatchBuilder, Mark, Marks, UncountedRecord, seen
from .errors import OtherHistory
from .facts import Row, Unfit, row_of

LOG = 0
"""The only partition."""
POLL_S = 5.0
STOP_CHECK_S = 0.5
"""An event is notified at once; only one whose notification was lost waits for the next poll."""


class LogSource:
    """Follows the log over its own connection."""

    name = "log"

    def __init__(
        self,
        database_url: str,
        parse: Callable[[Notification], SealedEvent],
        *,
        batch_events_max: int = BATCH_EVENTS_MAX,
    ) -> None:
        """``parse`` is :meth:`ledger.codec.mapper.EventMapper.parse`."""
        self._database_url = database_url
        self._batch_events_max = batch_events_max
        self._parse = parse

    def batches(self, marks: Marks, stop: Event) -> Iterator[Batch]:
        """Yield batches after the marks, until ``stop`` is set.

        Raises:
            OtherHistory: the log ends before the mark, or has another event there.
            LogGap, psycopg.Error: as :func:`ledger.eventlog.follow.follow`.
        """
        builder = BatchBuilder(dict(marks))
        mark = builder.mark(LOG)
        after = mark.next_offset - 1
        if mark.position_offset is not None:
            after = mark.position_offset - 1
        with closing(
            follow(
                self._database_url,
                after=max(after, 0),
                stop=stop,
                page_events_max=self._batch_events_max,
                poll_s=POLL_S,
                stop_check_s=STOP_CHECK_S,
            )
        ) as pages:
            try:
                for page in pages:
                    for event in page:
                        self._take(builder, event, mark)
                    if builder.has_moved:
                        yield builder.batch()
            except LogBehind as behind:
                raise OtherHistory(str(behind)) from None

    def _take(self, builder: BatchBuilder, event: Notification, start: Mark) -> None:
        if event.id < start.next_offset and event.id != start.position_offset:
            return  # was left out before
        found = self._row(event)
        if event.id == start.position_offset:
            if isinstance(found, str) or seen(found) != start.seen:
                raise OtherHistory(f"The log holds another event at position {event.id} now.")
            return
        if isinstance(found, str):
            builder.leave_out(UncountedRecord(LOG, event.id, found, str(event.originator_id)))
        else:
            builder.take(LOG, event.id, found)

    def _row(self, event: Notification) -> Row | str:
        """Return a row, or the reason why there is none."""
        try:
            sealed = self._parse(event)
            return row_of(
                EventRecord(
                    position=event.id,
                    type=event.topic,
                    time=datetime.fromisoformat(sealed.state["timestamp"]).astimezone(UTC),
                    subject=str(event.originator_id),
                    version=event.originator_version,
                    source=self.name,
                    fields=sealed.state,
                )
            )
        except Unfit as unfit:
            return str(unfit)
        except UnreadableEvent:
            return "the ledger itself can't read this event"
        except (KeyError, TypeError, ValueError, OverflowError):
            return "it does not say when it was recorded"
