"""Reads of one permit or application that show every write acknowledged before they came in.

What the views have is compared with the log in the statement that reads them: a row whose version
is the stream's last one is fresh, however far behind the views are otherwise. One that is not is
waited for, a moment, and then folded from its own events, which needs no projector.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from eventsourcing.persistence import StoredEvent
from psycopg.rows import DictRow, dict_row

from domain.aggregate import DomainEvent
from ledger.codec.mapper import EventMapper, SealedEvent, holders_of
from ledger.crypto.holder_keys import HolderKeys, Keys, WrappedKey
from ledger.database.named_sql import Queries
from ledger.errors import UnreadableEvent
from ledger.eventlog.pages import Pages
from ledger.eventlog.reads import Pool, read_rows
from projections.views.id_cards import VIEW as ID_CARDS
from projections.views.view import ELECTRONIC, PHYSICAL, View

from .id_cards import IdCardReader, Progress
from .permits import PermitReader, PermitRow, seen_in
from .waiting import ViewPosition

_NOBODY: Mapping[str, Any] = {
    "key_of": None,
    "kek_id": None,
    "wrapped": None,
    "has_key": False,
    "kept_unused": None,
    "portrait_image": None,
    "devices": None,
}

_sql = Queries("projections", "sql/fresh.sql")


class StreamFolder:
    """Folds a stream's own events into the very rows that the views will have.

    Raises, each method:
        Corrupt: an event can't be read or applied.
        Unavailable: the log or the keys are out of reach.
    """

    def __init__(self, pool: Pool, mapper: EventMapper, keys: HolderKeys) -> None:
        self._pool = pool
        self._mapper = mapper
        self._keys = keys
        self._pages = Pages()

    async def permit(self, permit_number: str) -> PermitRow:
        """As of the log's head; its row has the columns of both views."""
        return await self._seen(permit_number, PHYSICAL, ELECTRONIC)

    async def physical(self, permit_number: str) -> PermitRow:
        return await self._seen(permit_number, PHYSICAL)

    async def electronic(self, permit_number: str) -> PermitRow:
        return await self._seen(permit_number, ELECTRONIC)

    async def application(self, receipt_number: str) -> Progress:
        """An application for an identity card."""
        head, stored = await self._events(receipt_number, ID_CARDS)
        row = None
        if stored:
            with self._pages.admitted(stored):
                opened = await self._opened(receipt_number, stored)
                row = await self._folded(ID_CARDS, opened.events)
        return Progress(as_of_position=head, head=head, row=row, is_present=True)

    async def _seen(self, number: str, *views: View[Any]) -> PermitRow:
        head, stored = await self._events(number, PHYSICAL)
        positions = {"as_of_position": head, "head": head}
        if not stored:
            return seen_in({**positions, **_NOBODY, "permit_number": None})
        with self._pages.admitted(stored):
            opened = await self._opened(number, stored)
            rows = [
                view.record(await self._folded(view, opened.events), opened.keys) for view in views
            ]
        return seen_in({**positions, **_joined(rows), **opened.person})

    async def _events(self, stream: str, view: View[Any]) -> tuple[int, list[StoredEvent]]:
        """The log's head, and the stream's events where they are of the view's lifecycle."""
        rows = await self._rows(_sql.events, stream=stream)
        stored = [
            StoredEvent(row["stream"], row["version"], row["topic"], row["state"])
            for row in rows
            if row["position"] is not None
        ]
        is_own = bool(stored) and view.follows(stored[0].topic)
        return rows[0]["head"], stored if is_own else []

    async def _opened(self, stream: str, stored: Sequence[StoredEvent]) -> _Opened:
        sealed: list[SealedEvent] = []
        await self._pages.each(stored, lambda page: sealed.extend(map(self._mapper.parse, page)))
        holder_id = holders_of(sealed)[0]
        found = await self._rows(_sql.person, stream=stream, holder_id=holder_id)
        person: Mapping[str, Any] = _NOBODY
        keys: Keys = {}
        if found:
            [person] = found
            wrapped = WrappedKey(holder_id, person["kek_id"], person["wrapped"])
            keys = await self._keys.unwrap_async([wrapped])
        events: list[DomainEvent] = []
        await self._pages.each(sealed, lambda page: events.extend(self._mapper.open(page, keys)))
        return _Opened(events, keys, person)

    async def _folded(self, view: View[Any], events: Sequence[DomainEvent]) -> Any:
        row: Any = None

        def add(page: Sequence[DomainEvent]) -> None:
            nonlocal row
            for event in page:
                try:
                    row = view.evolve(row, event)
                except Exception as error:
                    raise UnreadableEvent(
                        f"version {event.originator_version} of {event.originator_id}"
                        f" can't be applied: {type(error).__name__}"
                    ) from error

        await self._pages.each(events, add)
        return row

    async def _rows(self, query: str, **parameters: object) -> list[DictRow]:
        return await read_rows(self._pool, query, parameters, dict_row)


class _Opened(NamedTuple):
    events: Sequence[DomainEvent]
    keys: Keys
    person: Mapping[str, Any]


class FreshReader:
    """Reads one permit or application as it is now, whether or not the projector has applied its
    last events.

    ``wait_s`` is how long it waits for the views before it folds the events itself.

    Raises, each method:
        Unavailable: the database is out of reach, or the permit's record is quarantined.
        Corrupt: an event can't be read.
    """

    def __init__(
        self,
        permits: PermitReader,
        id_cards: IdCardReader,
        folder: StreamFolder,
        views: ViewPosition,
        *,
        wait_s: float,
    ) -> None:
        self._permits = permits
        self._id_cards = id_cards
        self._folder = folder
        self._views = views
        self._wait_s = wait_s

    async def permit(self, permit_number: str) -> PermitRow:
        return await self._fresh(lambda: self._permits.permit(permit_number), self._folder.permit)

    async def of_holder(self, holder_id: str) -> PermitRow:
        """The holder's open permit, else the last one."""
        return await self._fresh(lambda: self._permits.of_holder(holder_id), self._folder.permit)

    async def physical(self, permit_number: str) -> PermitRow:
        """The physical view by itself."""
        return await self._fresh(
            lambda: self._permits.physical(permit_number), self._folder.physical
        )

    async def electronic(self, permit_number: str) -> PermitRow:
        """The electronic view by itself."""
        return await self._fresh(
            lambda: self._permits.electronic(permit_number), self._folder.electronic
        )

    async def progress(self, receipt_number: str) -> Progress:
        """The progress of an application for an identity card."""
        found = await self._id_cards.progress(receipt_number)
        if not found.is_present and await self._views.wait_for(found.head, self._wait_s):
            found = await self._id_cards.progress(receipt_number)
        if found.is_present:
            return found
        return await self._folder.application(receipt_number)

    async def _fresh(
        self, read: Callable[[], Awaitable[PermitRow]], fold: Callable[[str], Awaitable[PermitRow]]
    ) -> PermitRow:
        seen = await read()
        if not seen.is_fresh and await self._views.wait_for(seen.head, self._wait_s):
            seen = await read()
        if seen.is_fresh:
            return seen.as_of_head()
        return await fold(seen.row["wanted"])


def _joined(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The one view's row; of both, one as in ``views.permits``."""
    if len(rows) == 1:
        return rows[0]
    card, phone = rows
    return {
        **card,
        "electronic_card_serial": phone["card_serial"],
        "claimed": phone["claimed"],
        "devices": phone["devices"],
    }
