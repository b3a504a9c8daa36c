"""Waiting for something slow: say what for, and give up only where nothing moves."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psutil

FIRST_WORD_S = 10.0
WORD_EVERY_S = 10.0
LOOK_EVERY_S = 0.5
LOOK_COUNTS_S = 2.0
"""At most so much of the time between two looks counts as standing still: a process that did not
run itself can't say what moved meanwhile."""


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Say on standard error now and then that this still goes on."""
    done, started = Event(), time.monotonic()

    def speak() -> None:
        pause_s = FIRST_WORD_S
        while not done.wait(pause_s):
            waited_s = time.monotonic() - started
            sys.stderr.write(f"permit-ledger: waiting for {what} ({waited_s:.0f} s)\n")
            sys.stderr.flush()
            pause_s = WORD_EVERY_S

    thread = Thread(target=speak, name="waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class Stillness:
    """How long nothing has moved, by signs that change while something does."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._signs: object = None
        self._looked = time.monotonic()
        self._still_s = 0.0

    def is_too_long(self, signs: Callable[[], object]) -> bool:
        """Call it often; it looks once in :data:`LOOK_EVERY_S`, since to look costs something."""
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            if (found := signs()) == self._signs:
                self._still_s += min(now - self._looked, LOOK_COUNTS_S)
            else:
                self._signs, self._still_s = found, 0.0
            self._looked = now
        return self._still_s > self.limit_s


def activity(pid: int) -> tuple[float, int]:
    """CPU seconds and times on a CPU of a process and all that it has started: whatever runs adds
    to one of them, whatever is stuck does not."""
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
            continue  # it has ended meanwhile
        cpu_s += times.user + times.system
        switches += count.voluntary + count.involuntary
    return cpu_s, switches
