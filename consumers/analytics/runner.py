"""The consumer: reads its source in a thread, writes and publishes in its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread

import psycopg
import structlog

from domain.calendar import shanghai_date

from .batch import Batch, Source
from .check_source import CHECKS_MAX, CheckSource
from .errors import OtherHistory
from .pace import Pace
from .publishing import Publisher
from .sink import CHECKS, EVENTS, MEMORY_MB, Sink

AHEAD_BATCHES_MAX = 2
"""Read and not written yet: what bounds the memory, beside DuckDB's own bound."""
WAIT_S = 0.2
CHECKS_EVERY_S = 1.0
PUBLISH_EVERY_S_MIN = 1.0
PUBLISH_BUSY_S = 5.0
DRAW_EVERY_S_MIN = 0.2
DRAW_BUSY_S = 30.0
"""While events wait they come first, answers and charts later; but not for ever."""
SHARE_MAX, DRAW_SHARE_MAX = 0.1, 0.2
"""Of a processor, for answers and for charts: what takes long is done less often."""
REBUILDS_MAX = 3

_log = structlog.get_logger(__name__)


class Analytics:
    """Owns the sink while it runs; one process a folder."""

    def __init__(
        self,
        folder: Path,
        source: Source,
        checks: CheckSource | None,
        now: Callable[[], datetime],
        stop: Event,
        *,
        grace_days: int,
        memory_mb: int = MEMORY_MB,
    ) -> None:
        """``grace_days`` are the policy's; without ``checks`` there are none in the answers."""
        self._folder, self._memory_mb = folder, memory_mb
        self._source, self._checks = source, checks
        self._now, self._stop, self._grace_days = now, stop, grace_days
        self._publisher = Publisher(folder)
        self._is_stale = self._is_undrawn = True
        self._published_for: date | None = None
        self._looks = Pace(pause_s_min=CHECKS_EVERY_S, share_max=SHARE_MAX)
        self._answers = Pace(
            pause_s_min=PUBLISH_EVERY_S_MIN, share_max=SHARE_MAX, busy_s=PUBLISH_BUSY_S
        )
        self._drawings = Pace(
            pause_s_min=DRAW_EVERY_S_MIN, share_max=DRAW_SHARE_MAX, busy_s=DRAW_BUSY_S
        )

    def run(self) -> None:
        """Until stopped.

        Raises:
            SinkBusy: another process has the file.
            OtherHistory: the log is another again and again.
        """
        with closing(Sink(self._folder, self._source.name, memory_mb=self._memory_mb)) as sink:
            for _ in range(REBUILDS_MAX):
                try:
                    return self._follow(sink)
                except OtherHistory:
                    _log.warning("statistics are made anew", reason="the log is another one")
                    sink.rebuild()
                    self._is_stale = True
            raise OtherHistory("The log is another one again and again: do two feed the topic?")

    def _follow(self, sink: Sink) -> None:
        with closing(_Reader(self._source, sink.marks(EVENTS))) as reader:
            while not self._stop.is_set():
                if batch := reader.next():
                    sink.write(batch)
                    self._is_stale = True
                self._take_checks(sink)
                self._publish(sink, is_busy=batch is not None)
                self._draw(is_busy=batch is not None)

    def _take_checks(self, sink: Sink) -> None:
        if self._checks is None or not self._looks.is_due():
            return
        mark = sink.marks(CHECKS).get(0)
        position = mark.position if mark else 0
        try:
            while found := self._checks.after(position):
                sink.write_checks(found)
                position, self._is_stale = found[-1]["position"], True
                if self._stop.is_set() or len(found) < CHECKS_MAX:
                    break
        except psycopg.Error as error:
            _log.warning("checks can't be read", error=type(error).__name__)
        with self._looks.taking():
            pass

    def _publish(self, sink: Sink, *, is_busy: bool) -> None:
        today = shanghai_date(self._now())
        if not self._is_stale and today == self._published_for:
            return
        if not self._answers.is_due(is_busy=is_busy):
            return
        with self._answers.taking():
            answers = sink.answers(today, self._grace_days)
            self._publisher.publish(answers, sink.vitals(), sink.parked(), today)
        self._is_stale, self._is_undrawn, self._published_for = False, True, today

    def _draw(self, *, is_busy: bool) -> None:
        if self._published_for and self._is_undrawn and self._drawings.is_due(is_busy=is_busy):
            with self._drawings.taking():
                self._is_undrawn = self._publisher.draw_next(self._published_for)


class _Reader:
    """The source, read ahead in a thread of its own as far as there is room."""

    def __init__(self, source: Source, marks: object) -> None:
        self._queue: Queue[Batch | BaseException] = Queue(AHEAD_BATCHES_MAX)
        self._stop = Event()
        self._thread = Thread(target=self._run, args=[source, marks], name="source", daemon=True)
        self._thread.start()

    def next(self) -> Batch | None:
        """The next batch, or ``None`` after a moment.

        Raises:
            whatever the source raises.
        """
        try:
            found = self._queue.get(timeout=WAIT_S)
        except Empty:
            return None
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        self._stop.set()
        self._thread.join(WAIT_S * 50)

    def _run(self, source: Source, marks: object) -> None:
        try:
            with closing(source.batches(marks, self._stop)) as batches:  # type: ignore[arg-type, type-var]
                for batch in batches:
                    self._put(batch)
                    if self._stop.is_set():
                        return
        except BaseException as error:  # noqa: BLE001  raised where the batches are taken
            self._put(error)

    def _put(self, item: Batch | BaseException) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=WAIT_S)
            except Full:
                continue
            return
