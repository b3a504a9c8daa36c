"""Both forms of following the log, each in a thread that collects pages until it is ended."""

import asyncio
from contextlib import aclosing, suppress
from threading import Event, Thread

from ledger.eventlog.follow import follow
from ledger.eventlog.follow_async import follow_async

WAIT_S = 180


class Follower:
    """Collects pages; what it fails with is raised where it is ended, or given by ``failure``."""

    def __init__(self, url, **options):
        self.pages = []
        self._url, self._options = url, options
        self._error = None
        self._thread = Thread(target=self._run)

    @property
    def positions(self):
        return [event.id for page in self.pages for event in page]

    def start(self):
        self._thread.start()

    def end(self):
        self._ask_to_stop()
        self._join()
        if self._error:
            raise self._error

    def failure(self):
        """What it ends with by itself."""
        self._join()
        error, self._error = self._error, None
        return error

    def _join(self):
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive(), "it goes on"

    def _run(self):
        try:
            self._collect()
        except Exception as error:  # noqa: BLE001  an outcome like any other
            self._error = error


class ThreadFollower(Follower):
    """``follow``, until the event is set."""

    def __init__(self, url, **options):
        super().__init__(url, **options)
        self._stop = Event()

    def _ask_to_stop(self):
        self._stop.set()

    def _collect(self):
        for page in follow(self._url, stop=self._stop, **self._options):
            self.pages.append(page)


class TaskFollower(Follower):
    """``follow_async``, until its task is cancelled."""

    def __init__(self, url, **options):
        super().__init__(url, **options)
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self._read())

    def _ask_to_stop(self):
        self._loop.call_soon_threadsafe(self._task.cancel)

    def _join(self):
        super()._join()
        self._loop.close()

    def end(self):
        if not self._loop.is_closed():
            super().end()

    def _collect(self):
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    async def _read(self):
        async with aclosing(follow_async(self._url, **self._options)) as pages:
            async for page in pages:
                self.pages.append(page)
