"""Reading one step ahead: the next item is made while the caller works on the last one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

POLL_S = 0.1
END_TIMEOUT_S = 10.0
"""A stop interrupts connecting after 5 s, and waiting for a lock after 2 s."""


class _Failed(Generic[T]):
    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def prefetched(
    produce: Callable[[Event], Iterator[T]],
    stop: Event,
    *,
    ahead_max: int = 1,
    poll_s: float = POLL_S,
) -> Iterator[Iterator[T | None]]:
    """Iterate over what ``produce`` yields in a thread of its own, until ``stop`` is set.

    Besides ``ahead_max`` items that wait, one is being made and one is with the caller.

    Args:
        produce: given an event that is set when it should end. The iterator raises its errors.

    Yields:
        An iterator over the items; it yields ``None`` where there was none for ``poll_s``, which is
        also how long a stop may take.
    """
    queue: Queue[T | _Failed[T]] = Queue(ahead_max)
    ended = Event()

    def put(item: T | _Failed[T]) -> None:
        while not ended.is_set():
            with suppress(Full):
                queue.put(item, timeout=POLL_S)
                return

    def run() -> None:
        try:
            for item in produce(ended):
                put(item)
                if ended.is_set():
                    return
        except BaseException as error:  # noqa: BLE001  raised in the thread that takes the items
            put(_Failed(error))

    def take() -> Iterator[T | None]:
        while not stop.is_set():
            try:
                item = queue.get(timeout=poll_s)
            except Empty:
                yield None
                continue
            if isinstance(item, _Failed):
                raise item.error
            yield item

    thread = Thread(target=run, name="prefetch", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        ended.set()
        thread.join(END_TIMEOUT_S)
