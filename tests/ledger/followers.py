"""A follower of the log, in a thread that collects pages until it is ended."""

from threading import Event, Thread

from ledger.eventlog.follow import follow

WAIT_S = 180


class Follower:
    """Collects pages; its error is raised by ``end``, or returned by ``failure``."""

    def __init__(self, url, **options):
        self.pages = []
        self._url, self._options = url, options
        self._error = None
        self._stop = Event()
        self._thread = Thread(target=self._run)

    @property
    def positions(self):
        return [event.id for page in self.pages for event in page]

    def start(self):
        self._thread.start()

    def end(self):
        self._stop.set()
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
            for page in follow(self._url, stop=self._stop, **self._options):
                self.pages.append(page)
        except Exception as error:  # noqa: BLE001  an outcome like any other
            self._error = error
