"""The write path as the product composes it: for threads, and for the API's coroutines."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, closing, contextmanager
from threading import Thread
from typing import Any, Protocol, TypeVar

from ledger.commands.ledger import PermitLedger
from ledger.commands.permits import PermitCommands
from ledger.database.connections import as_service
from ledger.eventlog.async_log import AsyncLog
from ledger.eventlog.idempotency import Answer
from ledger.eventlog.log_access import complete
from projections.queries.permits import read_pool
from tests.chaos.workload import BLIND_INDEX, NumberAndVersion, Request
from tests.keks import keyring

T = TypeVar("T")

CONNECTIONS_MAX = 8
FORMS = ("thread", "task")


class Service(Protocol):
    """Runs requests, many at a time."""

    @property
    def ledger(self) -> PermitLedger: ...

    def run(self, request: Request) -> Answer: ...


class ThreadService:
    """Every caller waits in its own thread."""

    def __init__(self, ledger: PermitLedger) -> None:
        self.ledger = ledger

    def run(self, request: Request) -> Answer:
        return complete(request.run(self.ledger.commands))


class TaskService:
    """Every request is a coroutine of one event loop, from any thread."""

    def __init__(
        self, ledger: PermitLedger, commands: PermitCommands, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.ledger = ledger
        self._commands, self._loop = commands, loop

    def start(self, request: Request) -> Future[Answer]:
        """Not waited for: thousands may be on their way."""
        return asyncio.run_coroutine_threadsafe(request.run(self._commands), self._loop)

    def run(self, request: Request) -> Answer:
        return self.start(request).result()


@contextmanager
def ledger_at(database_url: str) -> Iterator[PermitLedger]:
    """With the service's rights, and a body that can be compared."""
    ledger = PermitLedger(
        as_service(database_url),
        blind_index=BLIND_INDEX,
        keyring=keyring(),
        renderer=NumberAndVersion(),
    )
    with closing(ledger):
        yield ledger


@asynccontextmanager
async def commands_on(ledger: PermitLedger, database_url: str) -> AsyncIterator[PermitCommands]:
    """As ``permit_ledger.bootstrap.service`` puts them together for the API."""
    pool = read_pool(as_service(database_url), connections_max=CONNECTIONS_MAX)
    async with pool:
        yield PermitCommands(
            AsyncLog(ledger.log.commits, pool, ledger.event_mapper, ledger.holder_keys),
            ledger.event_mapper,
            blind_index=BLIND_INDEX,
            renderer=NumberAndVersion(),
        )


@contextmanager
def service_at(database_url: str, form: str) -> Iterator[Service]:
    """A service in this process, in one of ``FORMS``."""
    with ledger_at(database_url) as ledger:
        if form == "thread":
            yield ThreadService(ledger)
            return
        with running_loop() as loop:
            context = commands_on(ledger, database_url)
            commands = _in(loop, context.__aenter__())
            try:
                yield TaskService(ledger, commands, loop)
            finally:
                _in(loop, context.__aexit__(None, None, None))


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="service")
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
