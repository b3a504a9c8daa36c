"""Stop on a signal."""

from __future__ import annotations

import os
import signal
from threading import Event, Thread


def stop_on(*signals: signal.Signals) -> Event:
    """An event that is set when one of these signals comes; call it in the main thread.

    A handler may interrupt the main thread while that holds the event's own lock, and would
    deadlock. So the handler only writes to a pipe, and a thread that reads it sets the event.
    """
    stop = Event()
    received, sent = os.pipe()

    def wait() -> None:
        os.read(received, 1)
        stop.set()

    Thread(target=wait, name="stop", daemon=True).start()
    for number in signals:
        signal.signal(number, lambda *_: os.write(sent, b"\0"))
    return stop
