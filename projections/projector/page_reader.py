"""Reading ahead: while one page is being written, the next one is read and opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from types import TracebackType
from typing import Self

from ledger.database.connections import connect
from ledger.eventlog.follow import follow

from .opening import EventOpener, Page

PAGE_EVENTS_MAX = 2_000
PAGES_AHEAD_MAX = 1
STOP_CHECK_S = 0.1


class PageReader:
    """Owns a thread while it is entered, with one connection to follow the log and one for keys.

    Holds three pages at most: one being opened, one waiting, one with whoever asked for it.
    """

    def __init__(self, database_url: str, opener: EventOpener, *, after: int, stop: Event) -> None:
        self._database_url = database_url
        self._opener = opener
        self._after = after
        self._stop = stop
        self._left = Event()
        self._pages: Queue[Page | Exception | None] = Queue(PAGES_AHEAD_MAX)
        self._thread = Thread(target=self._run, name="page-reader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._left.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Page]:
        """Pages in order, until asked to stop.

        Raises:
            LogGap, LogBehind: the log is not the one that was read so far.
            Unavailable, psycopg.Error: what it reads from is out of reach.
        """
        while not self._stop.is_set():
            with suppress(Empty):
                page = self._pages.get(timeout=STOP_CHECK_S)
                if page is None:
                    return
                if isinstance(page, Exception):
                    raise page
                yield page

    def _run(self) -> None:
        try:
            with connect(self._database_url, application_name="permit-ledger read") as connection:
                for stored in follow(
                    self._database_url,
                    after=self._after,
                    stop=self._left,
                    page_events_max=PAGE_EVENTS_MAX,
                ):
                    self._give(self._opener.open(connection, stored))
            self._give(None)
        except Exception as error:  # noqa: BLE001  it belongs to whoever reads the pages
            self._give(error)

    def _give(self, page: Page | Exception | None) -> None:
        while not self._left.is_set():
            with suppress(Full):
                self._pages.put(page, timeout=STOP_CHECK_S)
                return
