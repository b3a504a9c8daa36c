"""Folding events into rows, life by life: what fails in one does not reach another.

All views of a permit go through the same events. Where one of them can't take an event, none of
them does, so that they stay in step. Views of other lifecycles are not asked.
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

from .opening import Describe, Page, Unreadable
from .quarantine import FailedEvent

Rows = list[Any]
"""A permit's row of each view, ``None`` where there is none."""
Records = list[Record | None]
"""What is to be written of a permit, view by view; ``None`` for nothing."""
FreshRows = Callable[[str], Rows]
"""A permit's rows as they were before the page, the caller's own to change."""


@dataclass(slots=True)
class Folded:
    """What a page makes of the permits in it, by number."""

    records: dict[str, Records] = field(default_factory=dict)
    poison: list[FailedEvent] = field(default_factory=list)


class Folder:
    """Of some views; holds nothing between calls."""

    def __init__(self, views: Sequence[View[Any]], describe: Describe) -> None:
        self.views = views
        self._describe = describe
        self._followers: dict[str, tuple[int, ...]] = {}

    def fold(self, page: Page, mine: dict[str, list[int]], fresh: FreshRows) -> Folded:
        """``mine`` says which of the page's events are to be folded, by permit.

        Whoever fails is folded once more, from fresh rows: what went wrong by chance goes right.

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
            except Exception:  # noqa: BLE001  whatever it is, it is this permit's
                self._fold_as_far_as_possible(page, places, fresh, folded)
        return folded

    def _following(self, topic: str) -> tuple[int, ...]:
        """Which of the views are of the lifecycle that a stream's event has, by their place."""
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
                raise OfAnotherLifecycle
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
        """The events before the first that fails in any view."""
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
                folded.poison.append(self.poison(failed, error))
                return

    def poison(self, stored: Any, error: Exception) -> FailedEvent:
        """What is put on record of an event that can't be applied."""
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


class OfAnotherLifecycle(Exception):
    """A stream holds events of two lifecycles."""


class _CannotBeRead(Exception):
    def __init__(self, event: Unreadable) -> None:
        self.event = event
