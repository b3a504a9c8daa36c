"""Finding a person's permits by citizen number, through the blind index."""

from __future__ import annotations

from dataclasses import dataclass

from domain.events import HolderErased, IdentityCorrected, PermitEvent, PermitIssued
from domain.personal import ERASED
from ledger.crypto.blind_index import BlindIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEntry:
    """A row of ``views.permit_search``."""

    permit_number: str
    citizen_index: str | None
    """The index of an erased holder is ``None``."""


class SearchView:
    """Folds events into rows of the search; holds the blind index's key only."""

    def __init__(self, blind_index: BlindIndex) -> None:
        self._blind_index = blind_index

    def evolve(self, _row: SearchEntry | None, event: PermitEvent) -> SearchEntry | None:
        """The entry after the event; ``None`` where the event changes none."""
        match event:
            case PermitIssued() if event.identity is not ERASED:
                return self._entry(event.originator_id, event.identity.citizen_id_number)
            case PermitIssued() | HolderErased():
                return SearchEntry(permit_number=event.originator_id, citizen_index=None)
            case IdentityCorrected(citizen_id_number=str(number)):
                return self._entry(event.originator_id, number)
            case _:
                return None

    def _entry(self, permit_number: str, citizen_id_number: str) -> SearchEntry:
        index = self._blind_index.of(citizen_id_number).hex()
        return SearchEntry(permit_number=permit_number, citizen_index=index)
