"""Pages of the log, opened: what can't be read stands in them as such, and the rest is not lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from eventsourcing.persistence import Notification

from domain.aggregate import DomainEvent
from ledger.codec.mapper import EventMapper, OrjsonTranscoder, SealedEvent, holders_of
from ledger.crypto.holder_keys import HolderKeys, Keys, WrappedKey, wrapped_keys_in
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import Corrupt

Describe = Callable[[BaseException], str]
"""What may be told of an error: where it came from, and no value."""

_ledger_sql = Queries("ledger", "sql/queries.sql")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands where the event would."""

    reason: str
    trace: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the log in its order: ``events[n]`` is what ``stored[n]`` holds. ``keys`` are those
    of the holders who are in it."""

    stored: Sequence[Notification]
    events: Sequence[DomainEvent | Unreadable]
    keys: Keys

    @property
    def before(self) -> int:
        """The position that comes before it."""
        return self.stored[0].id - 1

    @property
    def until(self) -> int:
        """Its last position."""
        return self.stored[-1].id

    @property
    def by_permit(self) -> dict[str, list[int]]:
        """Which of its events are whose."""
        found: dict[str, list[int]] = {}
        for n, event in enumerate(self.stored):
            found.setdefault(cast("str", event.originator_id), []).append(n)
        return found


class EventOpener:
    """Opens events with their holders' keys; one thread's."""

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
        """All of them at once; one by one where one of them can't be read.

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
