"""Wait for something slow: report it on the terminal, and give up only when it stalls."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psutil

REPORT_AFTER_S = 10.0
REPORT_EVERY_S = 10.0
SAMPLE_EVERY_S = 0.5
SAMPLE_COUNTS_S_MAX = 2.0
"""At most this much time between two samples counts as stalled: if this process itself did not run,
it can't know what happened meanwhile."""


@contextmanager
def waiting_for(what: object) -> Iterator[None]:
    """Report on standard error at intervals that this still takes time; ``what`` is written as it
    is at each report."""
    done, started = Event(), time.monotonic()

    def report() -> None:
        pause_s = REPORT_AFTER_S
        while not done.wait(pause_s):
            waited_s = time.monotonic() - started
            sys.stderr.write(f"permit-ledger: waiting for {what} ({waited_s:.0f} s)\n")
            sys.stderr.flush()
            pause_s = REPORT_EVERY_S

    thread = Thread(target=report, name="waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class StallDetector:
    """Measures for how long an operation has made no progress."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._last: object = None
        self._sampled_at = time.monotonic()
        self._stalled_s = 0.0

    def is_stalled(self, progress: Callable[[], object]) -> bool:
        """Whether nothing has changed for longer than the limit; call it often.

        Args:
            progress: gives a value that changes while the operation goes on; called once in
                :data:`SAMPLE_EVERY_S` only, since it is expensive.
        """
        now = time.monotonic()
        if now - self._sampled_at >= SAMPLE_EVERY_S:
            if (found := progress()) == self._last:
                self._stalled_s += min(now - self._sampled_at, SAMPLE_COUNTS_S_MAX)
            else:
                self._last, self._stalled_s = found, 0.0
            self._sampled_at = now
        return self._stalled_s > self.limit_s


def activity(pid: int) -> tuple[float, int]:
    """CPU seconds and context switches of a process and its descendants. Both stay as they are
    while all of them are stuck."""
    cpu_s, switches = 0.0, 0
    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.Error:
        return cpu_s, switches
    for process in family:
        try:
            times, count = process.cpu_times(), process.num_ctx_switches()
        except psutil.Error:
            continue  # it has ended in the meantime
        cpu_s += times.user + times.system
        switches += count.voluntary + count.involuntary
    return cpu_s, switches
