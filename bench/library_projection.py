"""The library's own projection runner, keeping the same views with the same handlers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from eventsourcing.application import Application
from eventsourcing.persistence import Mapper, Notification, StoredEvent, Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner

from bench.write_paths import BLIND_INDEX, stock_environment, stock_ledger
from domain.aggregate import DomainEvent
from domain.events import PermitEvent
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.crypto.holder_keys import Keys
from projections.views.registry import all_views
from projections.views.track import CHANGES_FACE
from projections.views.view import View

FILL_EVENTS = 50
"""Batch size; with large batches the library hangs."""

Runner = ProjectionRunner["StockReader", "StockViews"]


class OpeningMapper(EventMapper):
    """Decrypts one event after the other, with all keys loaded, which favours this side."""

    KEYS: ClassVar[Keys] = {}

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEvent:
        return self.open([self.parse(stored_event)], self.KEYS)[0]


class StockReader(Application[str]):
    """The application that the runner follows."""

    name = "stock"

    def construct_transcoder(self) -> OrjsonTranscoder:
        return OrjsonTranscoder()

    def construct_mapper(self) -> Mapper[str]:
        return OpeningMapper(OrjsonTranscoder())


class StockViews(PostgresTrackingRecorder):
    """Our tables, in the library's tracking transaction."""

    VIEWS: ClassVar[Sequence[View[Any]]] = all_views(BLIND_INDEX)

    def apply(self, event: PermitEvent, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            connection: Any = cursor.connection
            for view in self.VIEWS:
                if not view.follows(event.TOPIC):
                    continue
                number = event.originator_id
                row = view.load(connection, [number]).get(number) if view.reads_rows else None
                if isinstance(event, CHANGES_FACE):
                    view.open_face(row, OpeningMapper.KEYS)
                row = view.evolve(row, event)
                if row is not None:
                    view.save(connection, [view.record(row, OpeningMapper.KEYS)])


class StockProjection(Projection[StockViews]):
    name = "stockviews"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.apply(domain_event, tracking)


def fill(database_url: str, log: Sequence[Notification]) -> None:
    """The library's own log, with the same events."""
    with stock_ledger(database_url) as ledger:
        for start in range(0, len(log), FILL_EVENTS):
            ledger.recorder.insert_events(
                [
                    StoredEvent(e.originator_id, e.originator_version, e.topic, e.state)
                    for e in log[start : start + FILL_EVENTS]
                ]
            )


@contextmanager
def running(database_url: str, keys: Keys) -> Iterator[Runner]:
    """Follow the log from the last position."""
    OpeningMapper.KEYS = keys
    with ProjectionRunner(
        application_class=StockReader,
        projection_class=StockProjection,
        view_class=StockViews,
        env=stock_environment(database_url),
    ) as runner:
        yield runner
