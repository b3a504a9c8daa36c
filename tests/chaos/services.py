"""The command side for threads, and for the coroutines of the API as the product composes it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, closing, contextmanager
from threading import Thread
from typing import Any, Protocol, TypeVar

from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.blocking import BlockingLedger
from ledger.commands.permits import PermitCommands
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service
from ledger.eventlog.append import AppendCommits, append_commits
from ledger.eventlog.group_commit import WAIT_S
from ledger.eventlog.idempotency import Answer
from ledger.eventlog.log import EventLog
from ledger.eventlog.notifier import notifier_at
from projections.queries.permits import read_pool
from tests.chaos.workload import BLIND_INDEX, NumberAndVersion, Request
from tests.keks import keyring

T = TypeVar("T")

CONNECTIONS_MAX = 8
FORMS = ("thread", "task")


class Service(Protocol):
    """Runs requests, many at a time."""

    @property
    def ledger(self) -> BlockingLedger: ...

    @property
    def commits(self) -> AppendCommits: ...

    def run(self, request: Request) -> Answer: ...


class ThreadService:
    """Every caller waits in its own thread."""

    def __init__(self, ledger: BlockingLedger) -> None:
        self.ledger, self.commits = ledger, ledger.commits
        self._commands = PermitCommands(
            ledger.event_log,
            ledger.event_mapper,
            blind_index=BLIND_INDEX,
            renderer=NumberAndVersion(),
        )

    def run(self, request: Request) -> Answer:
        return self.ledger.run(request.run(self._commands))


class TaskService:
    """Every request is a coroutine of one event loop, from any thread."""

    def __init__(
        self,
        ledger: BlockingLedger,
        commits: AppendCommits,
        commands: PermitCommands,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.ledger, self.commits = ledger, commits
        self._commands, self._loop = commands, loop

    def start(self, request: Request) -> Future[Answer]:
        """Not waited for: thousands may be on their way."""
        return asyncio.run_coroutine_threadsafe(request.run(self._commands), self._loop)

    def run(self, request: Request) -> Answer:
        return self.start(request).result()


@contextmanager
def ledger_at(database_url: str, wait_s: float = WAIT_S) -> Iterator[BlockingLedger]:
    """With the service's rights, and a body that can be compared."""
    ledger = BlockingLedger(
        as_service(database_url),
        blind_index=BLIND_INDEX,
        keyring=keyring(),
        renderer=NumberAndVersion(),
        wait_s=wait_s,
    )
    with closing(ledger):
        yield ledger


@asynccontextmanager
async def commands_on(
    database_url: str, wait_s: float = WAIT_S
) -> AsyncIterator[tuple[AppendCommits, PermitCommands]]:
    """As ``permit_ledger.bootstrap.service`` composes them for the API."""
    url = as_service(database_url)
    notifier = notifier_at(url)
    commits = append_commits(url, committed=notifier.notify, wait_s=wait_s)
    async with read_pool(url, connections_max=CONNECTIONS_MAX) as pool:
        mapper = EventMapper(OrjsonTranscoder())
        try:
            yield (
                commits,
                PermitCommands(
                    EventLog(commits, pool, mapper, HolderKeys(keyring())),
                    mapper,
                    blind_index=BLIND_INDEX,
                    renderer=NumberAndVersion(),
                ),
            )
        finally:
            await asyncio.to_thread(commits.close)
            await asyncio.to_thread(notifier.close)


@contextmanager
def service_at(database_url: str, form: str, wait_s: float = WAIT_S) -> Iterator[Service]:
    """A service in this process, in one of ``FORMS``."""
    with ledger_at(database_url, wait_s) as ledger:
        if form == "thread":
            yield ThreadService(ledger)
            return
        with running_loop() as loop:
            context = commands_on(database_url, wait_s)
            commits, commands = _in(loop, context.__aenter__())
            try:
                yield TaskService(ledger, commits, commands, loop)
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
