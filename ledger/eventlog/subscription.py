"""The library's subscription, on top of :func:`ledger.eventlog.follow.follow`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from threading import Event

from eventsourcing.persistence import ApplicationRecorder, Notification, Subscription

from .follow import follow


class LogSubscription(Subscription[ApplicationRecorder]):
    """Events one by one; blocks at the end of the log until there are more or it is stopped."""

    def __init__(
        self,
        recorder: ApplicationRecorder,
        database_url: str,
        gt: int | None = None,
        topics: Sequence[str] = (),
    ) -> None:
        super().__init__(recorder, gt, topics)
        self._stop = Event()
        self._pages = follow(database_url, after=gt or 0, stop=self._stop, topics=topics)
        self._events: Iterator[Notification] = chain.from_iterable(self._pages)

    def stop(self) -> None:
        super().stop()
        self._stop.set()

    def __exit__(self, *args: object, **kwargs: object) -> None:
        super().__exit__(*args, **kwargs)
        self._pages.close()

    def __next__(self) -> Notification:
        if self._stop.is_set():
            raise StopIteration
        return next(self._events)
