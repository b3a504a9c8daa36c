"""The analytics consumer: prefetches from its source, writes the sink and publishes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic

import psycopg
import structlog

from domain.calendar import shanghai_date
from ledger.eventlog.prefetch import prefetched

from .batch import Source
from .check_source import CHECKS_MAX, CheckSource
from .errors import OtherHistory
from .facts import Row
from .pace import Pace
from .publishing import Publisher
from .recount import recount
from .sink import CHECKS, EVENTS, MEMORY_MB, Sink

AHEAD_BATCHES_MAX = 2
"""Batches read but not yet written; bounds memory, in addition to the file's page cache."""
IDLE_S = 0.5
"""How often it looks for what is due while no event arrives; a stop may take as long."""
CHECKS_EVERY_S, CHECKS_IDLE_S_MAX = 1.0, 8.0
"""Checks are not notified: the pause between two reads doubles while there are none."""
OFFICER_READS_EVERY_S = 30.0
PROGRESS_EVERY_S = 10.0
READS_KEPT = timedelta(days=31)
PUBLISH_EVERY_S_MIN = 1.0
PUBLISH_BUSY_S = 5.0
DRAW_EVERY_S_MIN = 0.2
DRAW_BUSY_S = 30.0
"""How much later answers and charts are due while there is a backlog of events."""
SHARE_MAX = 0.3
"""The share of a processor for answers and charts: the longer they take, the longer they pause."""
ANSWERS_PART = 1 / 3
"""Of that share; the rest is for charts."""
REBUILDS_MAX = 3

_log = structlog.get_logger(__name__)


class Analytics:
    """Owns the sink while it runs; one process per folder."""

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
        share_max: float = SHARE_MAX,
    ) -> None:
        """``grace_days`` come from the policy; without ``checks`` the answers count no checks.
        ``share_max`` is the share of a processor for answers and charts."""
        self._folder, self._memory_mb = folder, memory_mb
        self._source, self._checks = source, checks
        self._now, self._stop, self._grace_days = now, stop, grace_days
        self._publisher = Publisher(folder)
        self._is_stale = self._is_undrawn = True
        self._published_for: date | None = None
        answers = ANSWERS_PART * share_max
        self._checks_pause_s = CHECKS_EVERY_S
        self._checks_due_s = monotonic()
        self._checked: int | None = None
        self._officer_reads = Pace(pause_s_min=OFFICER_READS_EVERY_S, share_max=answers)
        self._reads_counted: list[Row] = []
        self._answers = Pace(
            pause_s_min=PUBLISH_EVERY_S_MIN, share_max=answers, busy_s=PUBLISH_BUSY_S
        )
        self._drawings = Pace(
            pause_s_min=DRAW_EVERY_S_MIN, share_max=share_max - answers, busy_s=DRAW_BUSY_S
        )

    def run(self) -> None:
        """Follow the source until ``stop`` is set.

        Raises:
            SinkBusy: another process has the file open.
            OtherHistory: the log has changed repeatedly.
        """
        with (
            closing(self._checks) if self._checks else nullcontext(),
            closing(Sink(self._folder, self._source.name, memory_mb=self._memory_mb)) as sink,
        ):
            if sink.is_of_other_rules and recount(sink, _Progress(), self._stop) is None:
                return None
            for _ in range(REBUILDS_MAX):
                try:
                    return self._follow(sink)
                except OtherHistory:
                    _log.warning("statistics are rebuilt", reason="the log is a different one")
                    sink.rebuild()
                    self._is_stale, self._checked = True, None
            raise OtherHistory("The log has changed repeatedly: do two relays write to the topic?")

    def _follow(self, sink: Sink) -> None:
        marks = sink.marks(EVENTS)
        with prefetched(
            lambda ended: self._source.batches(marks, ended),
            self._stop,
            ahead_max=AHEAD_BATCHES_MAX,
            poll_s=IDLE_S,
        ) as batches:
            for batch in batches:
                if batch:
                    sink.write(batch)
                    self._is_stale = True
                self._take_checks(sink)
                self._take_officer_reads(sink)
                self._publish(sink, is_busy=batch is not None)
                self._draw(is_busy=batch is not None)

    def _take_checks(self, sink: Sink) -> None:
        if self._checks is None or monotonic() < self._checks_due_s:
            return
        if self._checked is None:
            mark = sink.marks(CHECKS).get(0)
            self._checked = mark.position if mark else 0
        self._checks_pause_s = min(2 * self._checks_pause_s, CHECKS_IDLE_S_MAX)
        try:
            while found := self._checks.after(self._checked):
                sink.write_checks(found)
                self._checked, self._is_stale = found[-1]["position"], True
                self._checks_pause_s = CHECKS_EVERY_S
                if self._stop.is_set() or len(found) < CHECKS_MAX:
                    break
        except psycopg.Error as error:
            _log.warning("checks can't be read", error=type(error).__name__)
        self._checks_due_s = monotonic() + self._checks_pause_s

    def _take_officer_reads(self, sink: Sink) -> None:
        if self._checks is None or not self._officer_reads.is_due():
            return
        with self._officer_reads.taking():
            try:
                found = self._checks.officer_reads(self._now() - READS_KEPT)
            except psycopg.Error as error:
                _log.warning("officers' reads can't be read", error=type(error).__name__)
                return
            if found != self._reads_counted:
                sink.replace_officer_reads(found)
                self._reads_counted, self._is_stale = found, True

    def _publish(self, sink: Sink, *, is_busy: bool) -> None:
        today = shanghai_date(self._now())
        if not self._is_stale and today == self._published_for:
            return
        if not self._answers.is_due(is_busy=is_busy):
            return
        with self._answers.taking():
            answers = sink.answers(today, self._grace_days)
            self._publisher.publish(answers, sink.vitals(), sink.uncounted(), today)
        self._is_stale, self._is_undrawn, self._published_for = False, True, today

    def _draw(self, *, is_busy: bool) -> None:
        if self._published_for and self._is_undrawn and self._drawings.is_due(is_busy=is_busy):
            with self._drawings.taking():
                self._is_undrawn = self._publisher.draw_next()


class _Progress:
    """Logs how far a recount is."""

    def __init__(self) -> None:
        self._due_s = monotonic()

    def __call__(self, what: str, done: int, of: int) -> None:
        if monotonic() >= self._due_s:
            _log.info("roll-ups are counted again", progress=f"{done:,} of {of:,} {what}")
            self._due_s = monotonic() + PROGRESS_EVERY_S
