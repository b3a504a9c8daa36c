"""Each permit's current state, folded from the log without any holder's key.

The log's events are read as if their holders were erased, since the state of a permit needs no
personal data. A bounded number of permits is kept; others are folded again from the log when they
are needed, so memory does not grow with the log.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple, cast

import orjson

from domain.calendar import shanghai_date
from domain.events import (
    DeviceBound,
    DeviceRevoked,
    ElectronicPermitClaimed,
    HolderErased,
    PermitEvent,
)
from domain.permit import Permit
from domain.permit_document import permit_document
from domain.standing import Facts, Standing
from ledger.errors import UnreadableEvent

PERMITS_KEPT = 10_000
UNDETERMINED = "undetermined"

Earlier = Callable[[list[str], int], Iterable[tuple[str, PermitEvent | None]]]
"""``earlier(streams, position)`` returns the events of the streams up to a position, by stream and
version, each with its stream; ``None`` for an unreadable event."""


class EventRow(NamedTuple):
    """An event of a page; ``event`` is ``None`` if it is unreadable."""

    position: int
    stream: str
    version: int
    event: PermitEvent | None


class _Folded:
    """A permit folded so far; ``permit`` is ``None`` once an event was unreadable."""

    __slots__ = ("devices", "permit", "position", "undetermined")

    def __init__(self) -> None:
        self.permit: Permit | None = None
        self.devices = 0
        self.position = 0
        self.undetermined = False

    def fold(self, event: PermitEvent | None) -> None:
        if self.undetermined:
            return
        try:
            if event is None:
                raise UnreadableEvent
            self.permit = cast("Permit", event.mutate(self.permit))
        except Exception:  # noqa: BLE001  any error concerns this permit only
            self.undetermined, self.permit = True, None
            return
        self._count(event)

    def _count(self, event: PermitEvent) -> None:
        """Count phones: their identities are sealed, but not that one was added or removed."""
        match event:
            case ElectronicPermitClaimed():
                self.devices = 1
            case DeviceBound():
                self.devices += 1
            case DeviceRevoked():
                self.devices -= 1
            case HolderErased():
                self.devices = 0


class PermitStates:
    """Folds states page by page; not thread-safe. ``earlier`` reads the log."""

    def __init__(self, earlier: Earlier, *, permits_kept: int = PERMITS_KEPT) -> None:
        self._earlier = earlier
        self._permits_kept = permits_kept
        self._folded: OrderedDict[str, _Folded] = OrderedDict()

    def after(self, page: list[EventRow]) -> Mapping[str, bytes | None]:
        """Return the states of the page's permits after it, as JSON; ``None`` for an erased one.

        Every page has to be passed, in the order of the log.
        """
        if not page:
            return {}
        self._load(page)
        touched: dict[str, _Folded] = {}
        for position, stream, _, event in page:
            folded = self._folded[stream]
            folded.fold(event)
            folded.position = position
            touched[stream] = folded
        for stream in touched:
            self._folded.move_to_end(stream)
        while len(self._folded) > self._permits_kept:
            self._folded.popitem(last=False)
        return {stream: _value(stream, folded) for stream, folded in touched.items()}

    def _load(self, page: list[EventRow]) -> None:
        unknown: list[str] = []
        for _, stream, version, _ in page:
            if stream not in self._folded:
                self._folded[stream] = _Folded()
                if version > Permit.INITIAL_VERSION:
                    unknown.append(stream)
        if unknown:
            for stream, event in self._earlier(unknown, page[0].position - 1):
                self._folded[stream].fold(event)


def _value(stream: str, folded: _Folded) -> bytes | None:
    """Return the state as JSON; values that depend on the date are as of the last event's day."""
    permit = folded.permit
    if permit is None:
        return orjson.dumps(
            {
                "permit_number": stream,
                "status": UNDETERMINED,
                "as_of_position": folded.position,
            }
        )
    if permit.erased:
        return None
    day = shanghai_date(permit.modified_on)
    facts = Facts.of(permit)
    if facts.devices != folded.devices:  # most have none
        facts = replace(facts, devices=folded.devices)
    document = permit_document(Standing(facts, day))
    return orjson.dumps({**document, "as_of_date": day, "as_of_position": folded.position})
