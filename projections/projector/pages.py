"""Pages of the log, with their events opened; an unreadable event does not fail its page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event
from typing import cast

from eventsourcing.persistence import Notification

from domain.aggregate import DomainEvent
from ledger.codec.mapper import EventMapper, OrjsonTranscoder, SealedEvent, holders_of
from ledger.crypto.holder_keys import HolderKeys, Keys, WrappedKey, wrapped_keys_in
from ledger.database.connections import Connection, connect
from ledger.database.named_sql import Queries
from ledger.errors import Corrupt
from ledger.eventlog.follow import follow
from ledger.eventlog.prefetch import prefetched

PAGE_EVENTS_MAX = 2_000

Describe = Callable[[BaseException], str]
"""Describe an error by its place in the code, without any value."""

_ledger_sql = Queries("ledger", "sql/queries.sql")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Takes the place of an event that cannot be read."""

    reason: str
    trace: str


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive events: ``events[n]`` is the content of ``stored[n]``.

    ``keys`` are those of the holders of these events.
    """

    stored: Sequence[Notification]
    events: Sequence[DomainEvent | Unreadable]
    keys: Keys

    @property
    def before(self) -> int:
        """The position before the page."""
        return self.stored[0].id - 1

    @property
    def until(self) -> int:
        """The page's last position."""
        return self.stored[-1].id

    @property
    def by_permit(self) -> dict[str, list[int]]:
        """The indexes of each permit's events."""
        found: dict[str, list[int]] = {}
        for n, event in enumerate(self.stored):
            found.setdefault(cast("str", event.originator_id), []).append(n)
        return found


class EventOpener:
    """Opens events with their holders' keys. Use it in one thread at a time."""

    def __init__(
        self,
        keys: HolderKeys,
        describe: Describe = lambda error: type(error).__name__,
        *,
        mapper: EventMapper | None = None,
    ) -> None:
        self.describe = describe
        self._keys = keys
        self._mapper = mapper or EventMapper(OrjsonTranscoder())

    def open(self, connection: Connection, stored: Sequence[Notification]) -> Page:
        """Open a page at once, or event by event where one of them cannot be read.

        Raises:
            Unavailable: the keys are out of reach for the moment.
        """
        try:
            return self._open(connection, stored)
        except Corrupt:
            return self._open_each(connection, stored)

    def _open(self, connection: Connection, stored: Sequence[Notification]) -> Page:
        sealed = [self._mapper.parse(event) for event in stored]
        keys = self._keys_of(connection, sealed)
        return Page(stored, self._mapper.open(sealed, keys), keys)

    def _open_each(self, connection: Connection, stored: Sequence[Notification]) -> Page:
        events: list[DomainEvent | Unreadable] = []
        keys: Keys = {}
        for one in stored:
            try:
                page = self._open(connection, [one])
            except Corrupt as error:
                events.append(Unreadable(error.detail, self.describe(error)))
            else:
                events += page.events
                keys |= page.keys
        return Page(stored, events, keys)

    def _keys_of(self, connection: Connection, sealed: Sequence[SealedEvent]) -> Keys:
        def wrapped(holder_ids: list[str]) -> Iterable[WrappedKey]:
            rows = connection.execute(_ledger_sql.select_holder_keys, {"holder_ids": holder_ids})
            return wrapped_keys_in(rows.fetchall())

        return self._keys.of(holders_of(sealed), wrapped)


def pages_after(
    database_url: str, opener: EventOpener, position: int, stop: Event
) -> AbstractContextManager[Iterator[Page | None]]:
    """Follow the log from ``position`` on; the next page is read and opened meanwhile.

    The iterator yields ``None`` where there is nothing new. While the block lasts, the opener
    belongs to the thread that reads ahead.

    Raises (the iterator):
        LogGap, LogBehind: the log is not the one that was read so far.
        Unavailable, psycopg.Error: the log or the keys are out of reach.
    """

    def produce(ended: Event) -> Iterator[Page]:
        with connect(database_url, application_name="permit-ledger read") as connection:
            for stored in follow(
                database_url, after=position, stop=ended, page_events_max=PAGE_EVENTS_MAX
            ):
                yield opener.open(connection, stored)

    return prefetched(produce, stop)
