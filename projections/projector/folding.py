"""Folding events into rows, stream by stream: a failure in one does not reach another.

All views of a permit are given the same events. Where one of them cannot apply an event, none of
them does, so that they stay in step. Views of other stream types are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.aggregate import DomainEvent
from domain.stream_types import of_topic
from ledger.crypto.holder_keys import Keys
from ledger.errors import LedgerError, Unavailable
from projections.views.track import CHANGES_FACE
from projections.views.view import Record, View

from .pages import Describe, Page, Unreadable
from .quarantine import FailedEvent

Rows = list[Any]
"""A permit's row of each view, ``None`` where there is none."""
Records = list[Record | None]
"""A permit's rows to be written, view by view; ``None`` where nothing changed."""
FreshRows = Callable[[str], Rows]
"""Load a permit's rows as they were before the page; the caller may change them."""


@dataclass(slots=True)
class Folded:
    """The rows that result from a page, by permit number, and the events that failed."""

    records: dict[str, Records] = field(default_factory=dict)
    failed: list[FailedEvent] = field(default_factory=list)


class Folder:
    """Folds events into the rows of some views; keeps no state between calls."""

    def __init__(self, views: Sequence[View[Any]], describe: Describe) -> None:
        self.views = views
        self._describe = describe
        self._followers: dict[str, tuple[int, ...]] = {}

    def fold(self, page: Page, mine: dict[str, list[int]], fresh: FreshRows) -> Folded:
        """Fold a page.

        A permit that fails is folded once more from fresh rows, in case the failure was transient.

        Args:
            mine: the indexes of the events to be folded, by permit.

        Raises:
            Unavailable: keys are out of reach for the moment.
        """
        folded = Folded()
        for number, places in mine.items():
            topic = page.stored[places[0]].topic
            if not self._following(topic):
                continue
            events = [page.events[n] for n in places]
            try:
                folded.records[number] = self._fold(topic, fresh(number), events, page.keys)
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001  any error is this permit's
                self._fold_as_far_as_possible(page, places, fresh, folded)
        return folded

    def _following(self, topic: str) -> tuple[int, ...]:
        """The indexes of the views of this event's stream type."""
        followers = self._followers.get(topic)
        if followers is None:
            views = enumerate(self.views)
            followers = tuple(n for n, view in views if view.follows(topic))
            self._followers[topic] = followers
        return followers

    def _fold(
        self, topic: str, rows: Rows, events: Sequence[DomainEvent | Unreadable], keys: Keys
    ) -> Records:
        views = self.views
        following = [(n, views[n]) for n in self._following(topic)]
        stream_type = of_topic(topic)
        expected = stream_type.event if stream_type else DomainEvent
        touched = [False] * len(views)
        for event in events:
            if isinstance(event, Unreadable):
                raise _CannotBeRead(event)
            if not isinstance(event, expected):
                raise OfAnotherStreamType
            if isinstance(event, CHANGES_FACE):
                for n, view in following:
                    view.open_face(rows[n], keys)
            for n, view in following:
                row = view.evolve(rows[n], event)
                if row is not None:
                    rows[n], touched[n] = row, True
        return [
            view.record(row, keys) if is_touched else None
            for view, row, is_touched in zip(views, rows, touched, strict=True)
        ]

    def _fold_as_far_as_possible(
        self, page: Page, places: Sequence[int], fresh: FreshRows, folded: Folded
    ) -> None:
        """Fold the events before the first one that fails in any view."""
        first = page.stored[places[0]]
        number = str(first.originator_id)
        for length in range(1, len(places) + 1):
            events = [page.events[n] for n in places[:length]]
            try:
                folded.records[number] = self._fold(first.topic, fresh(number), events, page.keys)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001
                failed = page.stored[places[length - 1]]
                folded.failed.append(self.failed_event(failed, error))
                return

    def failed_event(self, stored: Any, error: Exception) -> FailedEvent:
        """Describe an event that cannot be applied, for the quarantine."""
        if isinstance(error, _CannotBeRead):
            reason, trace = error.event.reason, error.event.trace
        else:
            reason = error.detail if isinstance(error, LedgerError) else type(error).__name__
            trace = self._describe(error)
        return FailedEvent(
            permit_number=str(stored.originator_id),
            position=stored.id,
            version=stored.originator_version,
            topic=stored.topic,
            reason=reason,
            trace=trace,
        )


class OfAnotherStreamType(Exception):
    """A stream holds events of two stream types."""


class _CannotBeRead(Exception):
    def __init__(self, event: Unreadable) -> None:
        self.event = event
