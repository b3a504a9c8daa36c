"""Reads long streams page by page, so that the event loop answers others in between.

A permit has a few dozen events in its life, which take a few milliseconds. One with thousands is
possible, and takes as long as thousands of requests: its events are read a page at a time, one page
of one stream between two turns of the event loop, however many streams are being read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from ledger.errors import Unavailable

PAGE_EVENTS_MAX = 50
LONG_STREAMS_MAX = 16
"""Read at a time: each holds all its events in memory."""

T = TypeVar("T")


class Pages:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._long_streams = 0

    @contextmanager
    def admitted(self, events: Sequence[object]) -> Iterator[None]:
        """Hold a place for a stream that is longer than a page.

        Raises:
            Unavailable: too many long streams are being read.
        """
        if len(events) <= PAGE_EVENTS_MAX:
            yield
            return
        if self._long_streams >= LONG_STREAMS_MAX:
            raise Unavailable("Too many long histories are being read: try again.")
        self._long_streams += 1
        try:
            yield
        finally:
            self._long_streams -= 1

    async def each(self, events: Sequence[T], work: Callable[[Sequence[T]], object]) -> None:
        """Call ``work`` with the events, page by page and in order; at once if there is only one
        page."""
        if len(events) <= PAGE_EVENTS_MAX:
            work(events)
            return
        for at in range(0, len(events), PAGE_EVENTS_MAX):
            async with self._turn:
                work(events[at : at + PAGE_EVENTS_MAX])
                await asyncio.sleep(0)
