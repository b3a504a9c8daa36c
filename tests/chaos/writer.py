"""A service process under load: ``python -m tests.chaos.writer``, until its standard input ends.

Many clients at a time, each with one keyed command after another. When the ledger is
unavailable, a client sends the same command again, under the same key. Every answer is written to
standard output after the client received it, a line at a time, so that it survives ``kill -9``::

    > key                                   about to be sent
    = key position version number replayed  acknowledged
    ! key error                             unavailable for the moment; will be sent again
    x key error                             anything else, which ought not to be
"""

import argparse
import asyncio
import itertools
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Thread

import structlog

from ledger.commands.permits import PermitCommands
from ledger.errors import Contended, Unavailable
from ledger.eventlog.log_access import complete
from tests.chaos.services import FORMS, commands_on, ledger_at
from tests.chaos.workload import Acknowledgement, Request, Workload

PAUSE_S = 0.05
STDOUT = 1

Pause = Callable[[], Awaitable[None]]


def say(mark: str, *words: object) -> None:
    """One line in one write: whole or not at all, whichever thread it comes from."""
    os.write(STDOUT, " ".join([mark, *map(str, words)]).encode() + b"\n")


class Clients:
    """Take requests from one sequence of keys, and send each until it is answered or all stop."""

    def __init__(self, name: str, workload: Workload) -> None:
        self._name, self._workload = name, workload
        self._numbers, self._lock = itertools.count(1), Lock()
        self.stop = Event()

    def _requests(self) -> Iterator[Request]:
        while not self.stop.is_set():
            with self._lock:
                number = next(self._numbers)
            yield self._workload.request(f"{self._name}-{number}")

    async def work(self, commands: PermitCommands, pause: Pause) -> None:
        """One client."""
        for request in self._requests():
            say(">", request.key)
            while not self.stop.is_set():
                if await self._send(request, commands):
                    break
                await pause()

    async def _send(self, request: Request, commands: PermitCommands) -> bool:
        """Whether it is done with."""
        try:
            acknowledged = Acknowledgement.of(request, await request.run(commands))
        except (Unavailable, Contended) as error:
            say("!", request.key, type(error).__name__)
            return False
        except Exception as error:  # noqa: BLE001  the parent is to hear of it
            say("x", request.key, repr(error).replace("\n", " ")[:1000])
        else:
            told = acknowledged
            say("=", told.key, told.position, told.version, told.number, int(told.replayed))
        return True


def work_in_threads(clients: Clients, database_url: str, count: int) -> None:
    """Through ``PermitLedger``."""

    async def pause() -> None:
        clients.stop.wait(PAUSE_S)

    with ledger_at(database_url) as ledger, ThreadPoolExecutor(count) as threads:
        for _ in range(count):
            threads.submit(lambda: complete(clients.work(ledger.commands, pause)))


async def work_in_tasks(clients: Clients, database_url: str, count: int) -> None:
    """Through ``PermitCommands`` on an ``AsyncLog``."""

    async def pause() -> None:
        await asyncio.sleep(PAUSE_S)

    with ledger_at(database_url) as ledger:
        async with commands_on(ledger, database_url) as commands:
            await asyncio.gather(*(clients.work(commands, pause) for _ in range(count)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--form", choices=FORMS, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--issues-share", type=float, required=True)
    parser.add_argument("--permits", nargs="*", default=[])
    told = parser.parse_args()
    logging.disable(logging.WARNING)  # each connection that is lost would be one
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    clients = Clients(told.name, Workload(told.seed, tuple(told.permits), told.issues_share))

    def stop_at_the_end_of_input() -> None:
        sys.stdin.read()
        clients.stop.set()

    Thread(target=stop_at_the_end_of_input, daemon=True).start()
    if told.form == "thread":
        work_in_threads(clients, told.url, told.clients)
    else:
        asyncio.run(work_in_tasks(clients, told.url, told.clients))


if __name__ == "__main__":
    main()
