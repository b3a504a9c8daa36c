"""The ledger for programs without an event loop: the command line, scripts, benchmarks, tests."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import wraps
from threading import Thread
from typing import Any, TypeVar

from eventsourcing.persistence import Notification

from domain.aggregate import Aggregate
from domain.permit import Permit
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.holder_keys import HolderKeys
from ledger.crypto.key_encryption import Keyring
from ledger.database.connections import async_pool
from ledger.eventlog.append import Append, append_commits
from ledger.eventlog.bulk_append import BulkWriter
from ledger.eventlog.group_commit import WAIT_S
from ledger.eventlog.log import EventLog
from ledger.eventlog.notifier import notifier_at

from .holders import HolderCommands
from .permits import PermitCommands
from .runner import Renderer

CONNECTIONS_MAX = 8

T = TypeVar("T")


class EventLoopThread:
    """An event loop in a thread of its own, which runs coroutines for all other threads."""

    def __init__(self) -> None:
        started: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = Thread(target=self._main, args=[started], name="event loop", daemon=True)
        self._thread.start()
        self._loop = started.result()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine to its end; returns its result."""
        return self.start(coroutine).result()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start the coroutine, after those started before; returns at once."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def blocking(self, of: object) -> Blocking:
        """The object, its coroutine methods as blocking ones."""
        return Blocking(of, self)

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @staticmethod
    def _main(started: Future[asyncio.AbstractEventLoop]) -> None:
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            asyncio.set_event_loop(loop)
            started.set_result(loop)
            loop.run_forever()


class Blocking:
    """An object whose coroutine methods return when they are done; safe for use by many threads."""

    def __init__(self, of: object, loop: EventLoopThread) -> None:
        self._of = of
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._of, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute

        @wraps(attribute)
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._loop.run(attribute(*args, **kwargs))

        return call


class BlockingLedger:
    """All commands and the log, for threads; the one who makes it closes it.

    ``permits`` and ``holders`` have the methods of :class:`.PermitCommands` and
    :class:`.HolderCommands`, ``log`` those of :class:`.EventLog`, each returning when it is done.
    """

    def __init__(
        self,
        database_url: str,
        *,
        blind_index: BlindIndex,
        keyring: Keyring,
        renderer: Renderer | None = None,
        connections_max: int = CONNECTIONS_MAX,
        wait_s: float = WAIT_S,
        mapper: EventMapper | None = None,
        holder_keys: HolderKeys | None = None,
        **sources: Callable[[], str],
    ) -> None:
        """
        Args:
            renderer: renders the idempotent responses.
            wait_s: how long an append may take.
            mapper: reads and writes events otherwise.
            holder_keys: makes and unwraps keys otherwise.
            sources: ``new_permit_number`` and ``new_holder_id``, for samples and tests.
        """
        self.blind_index = blind_index
        self.event_mapper = mapper or EventMapper(OrjsonTranscoder())
        self.holder_keys = holder_keys or HolderKeys(keyring)
        self.loop = EventLoopThread()
        notifier = notifier_at(database_url)
        self.commits = append_commits(database_url, committed=notifier.notify, wait_s=wait_s)
        self._bulk = BulkWriter(database_url, committed=notifier.notify)
        self.pool = async_pool(database_url, connections_max=connections_max)

        self.event_log = EventLog(self.commits, self.pool, self.event_mapper, self.holder_keys)
        self.log = self.loop.blocking(self.event_log)
        self.permits = self.loop.blocking(
            PermitCommands(
                self.event_log,
                self.event_mapper,
                blind_index=blind_index,
                renderer=renderer,
                **sources,
            )
        )
        self.holders = self.loop.blocking(
            HolderCommands(self.event_log, self.event_mapper, renderer=renderer)
        )

        with ExitStack() as stack:
            stack.callback(self.loop.close)
            stack.callback(notifier.close)
            self.loop.run(self.pool.open())
            stack.callback(lambda: self.loop.run(self.pool.close()))
            stack.callback(self._bulk.close)
            stack.callback(self.commits.close)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Write what is queued, and close all connections."""
        self._stack.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of ``event_log``, or of commands on it."""
        return self.loop.run(coroutine)

    def permit(self, number: str) -> Permit:
        """The permit, folded from its events.

        Raises:
            UnknownPermit
        """
        permit: Permit = self.permits.permit(number)
        return permit

    def load(self, stream: str) -> Aggregate | None:
        """The aggregate of a stream; ``None`` if it has no events."""
        return self.run(self.event_log.load(stream))

    def head(self) -> int:
        """The log's last position, 0 if it is empty."""
        return self.run(self.event_log.head())

    def events(self, first: int, limit: int) -> list[Notification]:
        """The log's events from this position on, at most ``limit``."""
        return self.run(self.event_log.events(first, limit))

    def append_all(self, appends: Sequence[Append]) -> list[int]:
        """As :meth:`.BulkWriter.append_all`."""
        return self._bulk.append_all(appends)
