"""One batch ahead: the next is read and made ready while the last is on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

AHEAD = 1
STOP_POLL_S = 0.1
END_TIMEOUT_S = 5.0


class _Failed(Generic[T]):
    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def prefetched(
    produce: Callable[[Event], Iterator[T]], stop: Event
) -> Iterator[Iterator[T | None]]:
    """What ``produce`` yields in a thread of its own, until ``stop`` or the end of the block; now
    and then ``None``, where there is nothing new.

    ``produce`` is given an event that is set when it should end. Its errors are raised by the
    iterator.
    """
    queue: Queue[T | _Failed[T]] = Queue(AHEAD)
    ended = Event()

    def put(item: T | _Failed[T]) -> None:
        while not ended.is_set():
            with suppress(Full):
                queue.put(item, timeout=STOP_POLL_S)
                return

    def run() -> None:
        try:
            for item in produce(ended):
                put(item)
        except BaseException as error:  # noqa: BLE001  raised by whoever takes
            put(_Failed(error))

    def take() -> Iterator[T | None]:
        while not stop.is_set():
            try:
                item = queue.get(timeout=STOP_POLL_S)
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
