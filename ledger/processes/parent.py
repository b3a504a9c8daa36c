"""Ending with the parent process, however it ended: no process goes on working for no one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import parent_process
from threading import Thread


def exit_with_parent() -> None:
    """In a process that ``multiprocessing`` started: exit at once when its parent has ended."""
    if parent := parent_process():
        _after(parent.join, lambda: os._exit(1))


def terminate_with_parent(descriptor: int) -> None:
    """In any other child: act as on SIGTERM when the parent has ended.

    Args:
        descriptor: the inherited read end of a pipe whose write end the parent keeps open.
    """
    _after(lambda: os.read(descriptor, 1), lambda: os.kill(os.getpid(), signal.SIGTERM))


def _after(wait: Callable[[], object], end: Callable[[], object]) -> None:
    def run() -> None:
        wait()
        end()

    Thread(target=run, name="parent", daemon=True).start()
