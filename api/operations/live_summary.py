"""The live summary on the overview page: positions, lag and today's events, for everyone."""

from __future__ import annotations

import re
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request

from api.http import documents
from api.http.admission import client_of
from api.http.rendering import Json
from api.http.services import Services, services
from api.http.streams import EventStream, Streams, event
from ledger.database.clock import Clock
from ledger.errors import Unavailable
from projections.queries.live_summary import LiveSummary, LiveSummaryReader
from projections.queries.waiting import ViewPosition

from .public_feed import PublicFeed

PAUSE_S = 0.2
COUNT_STEP = 5
UNMOVED_S_MAX = 2.0
"""Without a new position, the summary is read again after so long: the lag may have grown."""

_PROTECTION = re.compile(r"\.holder-(erased|restricted|restriction-lifted)\.v")
"""In the topics of data protection, of all stream types and versions."""

router = APIRouter(tags=["live"])

_log = structlog.get_logger(__name__)


@router.get("/v1/live", responses=documents.streamed(429))
async def pulse(request: Request, service: Annotated[Services, Depends(services)]) -> EventStream:
    """How the ledger is doing: `pulse` events with positions, lag, and today's events by kind."""
    return service.live_summary.stream(client_of(request))


class LiveSummaryFeed(PublicFeed):
    """Reads the summary when the views have moved."""

    def __init__(
        self, reader: LiveSummaryReader, views: ViewPosition, clock: Clock, listeners: Streams
    ) -> None:
        super().__init__(listeners, PAUSE_S)
        self._reader = reader
        self._views = views
        self._clock = clock
        self._position = -1

    async def read(self) -> bytes | None:
        await self._views.moved(self._position, UNMOVED_S_MAX)
        self._position = self._views.position
        try:
            return event("pulse", document(await self._reader.read(self._clock.now())))
        except Unavailable:
            _log.debug("live summary not read")
            return self.latest


def document(summary: LiveSummary) -> Json:
    """The summary as JSON. Counts are rounded down, so that one event more or less rarely shows.
    Restrictions and erasures are left out: who knows of a case
    would learn when it was decided."""
    return {
        "log_position": summary.log_position,
        "views_position": summary.views_position,
        "lag_events": summary.lag_events,
        "today": summary.today,
        "events_today": {
            kind: times - times % COUNT_STEP
            for kind, times in summary.events_today.items()
            if times >= COUNT_STEP and not _PROTECTION.search(kind)
        },
    }
