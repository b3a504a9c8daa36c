"""Batches made in a process of their own, for a relay that has much to catch up with.

Making records takes the interpreter about as long as sending them does; in two processes it is done
at the same time.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection as Pipe
from threading import Event, Thread

from consumers.contract.kinds import Kind
from ledger.codec.mapper import EventMapper
from ledger.database.connections import Connection, connect
from ledger.eventlog.follow import follow

from .records import Batch, Preparer

STOP_POLL_S = 0.1
END_TIMEOUT_S = 2.0
GC_OBJECTS = 50_000
"""A batch's records are no garbage yet when the collector comes by after the usual 700."""


class PreparerEnded(Exception):
    """The process that makes batches has gone."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What batches are made of: the log, and how it goes to which topics."""

    database_url: str
    mapper: EventMapper
    kinds: Sequence[Kind]
    source: str
    application_name: str
    page_events_max: int

    def batches(self, after: int, ended: Event) -> Iterator[Batch]:
        """From the event that follows ``after``, without end."""
        with ExitStack() as stack:
            connections: list[Connection] = []

            def earlier() -> Connection:
                if not connections:
                    opened = connect(self.database_url, application_name=self.application_name)
                    connections.append(stack.enter_context(opened))
                return connections[0]

            preparer = Preparer(earlier, self.mapper, self.kinds, self.source)
            pages = follow(
                self.database_url, after=after, stop=ended, page_events_max=self.page_events_max
            )
            for page in pages:
                yield preparer.batch(page)

    def batches_apart(self, after: int, ended: Event) -> Iterator[Batch]:
        """The same, made by another process; it ends with whoever takes them, however that ends.

        Raises:
            PreparerEnded
        """
        context = get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_prepare, args=(self, after, sender), daemon=True)
        process.start()
        sender.close()
        try:
            while not ended.is_set():
                if not receiver.poll(STOP_POLL_S):
                    continue
                try:
                    made: Batch | Exception = receiver.recv()
                except (EOFError, OSError):
                    raise PreparerEnded from None
                if isinstance(made, Exception):
                    raise made
                yield made
        finally:
            receiver.close()
            process.terminate()
            process.join(END_TIMEOUT_S)
            process.kill()


def _prepare(preparation: Preparation, after: int, sender: Pipe) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the whole group's; the relay ends this process
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
    try:
        for batch in preparation.batches(after, Event()):
            sender.send(batch)
    except Exception as error:  # noqa: BLE001  raised by whoever takes
        with suppress(OSError):  # whoever took them has gone
            sender.send(error)


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)
