"""The ledger's pulse for everybody: read once, told to all who listen."""

from __future__ import annotations

import asyncio

import structlog

from api.http.streams import Streams, event
from api.permits.presentation import Json
from ledger.database.clock import Clock
from ledger.errors import Unavailable
from projections.queries.live_summary import LiveSummary, LiveSummaryReader
from projections.queries.waiting import ViewPosition

ROUND_S_MIN = 0.2
ROUND_S_MAX = 2.0
"""How soon it is noticed that the views have stopped, since what does not move wakes nobody."""

_log = structlog.get_logger(__name__)


class LiveSummaryFeed:
    """Reads while somebody listens; ``latest`` is the event that was told last."""

    def __init__(
        self, reader: LiveSummaryReader, views: ViewPosition, clock: Clock, listeners: Streams
    ) -> None:
        self._reader = reader
        self._views = views
        self._clock = clock
        self._listeners = listeners
        self._wanted = asyncio.Event()
        self.latest: bytes | None = None

    def want(self) -> None:
        """Somebody has come to listen."""
        self._wanted.set()

    async def run(self) -> None:
        """Without end; whoever starts it cancels it."""
        seen = -1
        while True:
            await self._wanted.wait()
            if not len(self._listeners):
                self._wanted.clear()
                self.latest = None
                continue
            await self._views.moved(seen, ROUND_S_MAX)
            seen = self._views.position
            try:
                told = event("pulse", document(await self._reader.read(self._clock.now())))
            except Unavailable:
                _log.debug("pulse not read")
            else:
                if told != self.latest:
                    self.latest = told
                    self._listeners.wake()
            await asyncio.sleep(ROUND_S_MIN)


def document(pulse: LiveSummary) -> Json:
    return {
        "log_position": pulse.log_position,
        "views_position": pulse.views_position,
        "lag_events": pulse.lag_events,
        "today": pulse.today,
        "events_today": pulse.events_today,
    }
