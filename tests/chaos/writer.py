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
from ledger.eventlog.idempotency import Answer
from tests.chaos.services import FORMS, Service, commands_on, service_at
from tests.chaos.workload import Acknowledgement, Request, Workload

PAUSE_S = 0.05
STDOUT = 1


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

    async def work(self, commands: PermitCommands) -> None:
        """One client."""
        for request in self._requests():
            say(">", request.key)
            while not self.stop.is_set():
                if self._said(request, await _outcome(request.run(commands))):
                    break
                await asyncio.sleep(PAUSE_S)

    def work_blocking(self, service: Service) -> None:
        """One client, in a thread."""
        for request in self._requests():
            say(">", request.key)
            while not self.stop.is_set():
                if self._said(request, outcome_of(service.run, request)):
                    break
                self.stop.wait(PAUSE_S)

    def _said(self, request: Request, outcome: Answer | Exception) -> bool:
        """Report the outcome; whether the request is done with."""
        match outcome:
            case Unavailable() | Contended():
                say("!", request.key, type(outcome).__name__)
                return False
            case Exception():
                say("x", request.key, repr(outcome).replace("\n", " ")[:1000])
            case answer:
                acknowledged = Acknowledgement.of(request, answer)
                say(
                    "=",
                    acknowledged.key,
                    acknowledged.position,
                    acknowledged.version,
                    acknowledged.number,
                    int(acknowledged.replayed),
                )
        return True


async def _outcome(answer: Awaitable[Answer]) -> Answer | Exception:
    try:
        return await answer
    except Exception as error:  # noqa: BLE001  reported to the parent
        return error


def outcome_of(run: Callable[[Request], Answer], request: Request) -> Answer | Exception:
    try:
        return run(request)
    except Exception as error:  # noqa: BLE001  reported to the parent
        return error


def work_in_threads(clients: Clients, database_url: str, count: int) -> None:
    """Through ``BlockingLedger``, each client in a thread."""

    with service_at(database_url, "thread") as service, ThreadPoolExecutor(count) as threads:
        for _ in range(count):
            threads.submit(clients.work_blocking, service)


async def work_in_tasks(clients: Clients, database_url: str, count: int) -> None:
    """Through ``PermitCommands`` on an ``EventLog``."""
    async with commands_on(database_url) as (_, commands):
        await asyncio.gather(*(clients.work(commands) for _ in range(count)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--form", choices=FORMS, required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--issues-share", type=float, required=True)
    parser.add_argument("--permits", nargs="*", default=[])
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # each connection that is lost would be one
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    clients = Clients(
        options.name, Workload(options.seed, tuple(options.permits), options.issues_share)
    )

    def stop_at_the_end_of_input() -> None:
        sys.stdin.read()
        clients.stop.set()

    Thread(target=stop_at_the_end_of_input, daemon=True).start()
    if options.form == "thread":
        work_in_threads(clients, options.url, options.clients)
    else:
        asyncio.run(work_in_tasks(clients, options.url, options.clients))


if __name__ == "__main__":
    main()
