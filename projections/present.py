"""A permit as it is now, from its own events: for whoever can't wait until the views have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eventsourcing.persistence import StoredEvent
from psycopg.rows import DictRow, dict_row

from domain.lifecycle import LifeEvent
from ledger.async_reads import Pool, read_rows
from ledger.errors import UnreadableEvent
from ledger.holder_keys import HolderKeys, Keys, WrappedKey
from ledger.mapper import EventMapper, holders_of
from ledger.named_sql import Queries

from .reading import Seen, seen_in
from .view import ELECTRONIC, PHYSICAL

_NOBODY: Mapping[str, Any] = {
    "key_of": None,
    "kek_id": None,
    "wrapped": None,
    "has_key": False,
    "kept_unused": None,
    "portrait_image": None,
    "devices": None,
}

_sql = Queries("projections", "sql/present.sql")


class PresentPermits:
    """Folds a permit's events into the very rows that the views will have; borrows a connection
    twice for each."""

    def __init__(self, pool: Pool, mapper: EventMapper, keys: HolderKeys) -> None:
        self._pool = pool
        self._mapper = mapper
        self._keys = keys

    async def permit(self, permit_number: str) -> Seen:
        """As of the log's head; its row has the columns of a look at both views.

        Raises:
            Corrupt: an event can't be read or applied.
            Unavailable: the log or the keys are out of reach.
        """
        rows = await self._rows(_sql.events, permit_number=permit_number)
        head = {"as_of_position": rows[0]["head"], "head": rows[0]["head"]}
        stored = [
            StoredEvent(row["stream"], row["version"], row["topic"], row["state"])
            for row in rows
            if row["position"] is not None
        ]
        if not stored or not PHYSICAL.follows(stored[0].topic):
            return seen_in({**head, **_NOBODY, "permit_number": None})
        sealed = [self._mapper.parse(event) for event in stored]
        person, keys = await self._person(permit_number, holders_of(sealed)[0])
        both = _fold(self._mapper.open(sealed, keys), keys)
        return seen_in({**head, **both, **person})

    async def _person(self, permit_number: str, holder_id: str) -> tuple[DictRow, Keys]:
        found = await self._rows(_sql.person, permit_number=permit_number, holder_id=holder_id)
        if not found:
            return {**_NOBODY}, {}
        person = found[0]
        wrapped = WrappedKey(holder_id, person["kek_id"], person["wrapped"])
        return person, await self._keys.unwrap_async([wrapped])

    async def _rows(self, query: str, **parameters: object) -> list[DictRow]:
        return await read_rows(self._pool, query, parameters, dict_row)


def _fold(events: Sequence[LifeEvent], keys: Keys) -> dict[str, Any]:
    """A row of ``views.permits``."""
    tracks: list[dict[str, Any]] = []
    for view in (PHYSICAL, ELECTRONIC):
        row: Any = None
        for event in events:
            try:
                row = view.evolve(row, event)
            except Exception as error:
                raise UnreadableEvent(
                    f"version {event.originator_version} of {event.originator_id}"
                    f" can't be applied: {type(error).__name__}"
                ) from error
        tracks.append(view.record(row, keys))
    card, phone = tracks
    return {
        **card,
        "electronic_card_serial": phone["card_serial"],
        "claimed": phone["claimed"],
        "devices": phone["devices"],
    }
