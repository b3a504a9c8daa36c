"""Waiting for a condition instead of sleeping: the one loop behind each folder's ``until``."""

import time
from collections.abc import Callable
from threading import Event
from typing import Any

POLL_S = 0.01


def until(condition: Callable[[], Any], *, wait_s: float) -> None:
    """Return as soon as it holds, fail where it never does."""
    deadline = time.monotonic() + wait_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        Event().wait(POLL_S)
