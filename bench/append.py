"""Concurrent commands through the application: ours against the library's stock recorder and
against bare PostgreSQL.

Ours and the stock recorder issue permits with the same aggregate, mapper and server; ours also
guards one person, one permit in the same transaction. Ours runs as it does in the service, as
coroutines of one uvloop. Rounds alternate between the sides; a ratio is the median of the rounds'.
What salts cost is measured by themselves, in turns with a log that records without them (format 1).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import bare_postgres, write_paths
from bench.harness import (
    Rates,
    Result,
    Round,
    flush_dirty_pages,
    forget_garbage,
    fresh_database,
    run_for,
    server,
)
from domain.application import Application
from ledger.commands.blocking import BlockingLedger
from ledger.commands.permits import PermitCommands
from ledger.commands.runner import Command
from ledger.database.connections import Connection, connect
from ledger.eventlog.append import Append, append_commits
from ledger.eventlog.log import EventLog
from ledger.eventlog.notifier import notifier_at
from permit_ledger.roles.api import SWITCH_INTERVAL_S
from projections.queries.permits import read_pool
from tests.keks import keyring

CLIENTS = (1, 8, 64, 256)
ROUNDS, ROUND_S = 5, 1.5
QUICK_ROUNDS, QUICK_ROUND_S = 3, 0.4
ISSUES_A_SECOND_MAX = 20_000
ROWS_A_SECOND_MAX = 150_000
"""Prepared before a round, for each second of it."""
TURNS, QUICK_TURNS, TURN_S = 31, 5, 0.3
"""Short ones and many, since other programs disturb a few of them."""
FORMAT_1_MIN = 0.9
FSYNCS, PAGE_BYTES = 300, 8192

Side = Callable[[int, float], Round]
"""Clients, seconds → the work done."""


def bench_append(console: Console, *, quick: bool) -> None:
    """Events a second and latencies of each side, at 1, 8, 64 and 256 commands at a time."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_ROUND_S) if quick else (ROUNDS, ROUND_S)
    result = Result("append")
    table = Table(
        "side", "at a time", "events/s", "p50 ms", "p95 ms", "p99 ms", "of stock", title="append"
    )
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        urls = {
            name: stack.enter_context(fresh_database(embedded, name))
            for name in ("ours", "stock", "raw", "format_2", "format_1")
        }
        contestants = _sides(stack, urls)
        for name in ("format_2", "format_1"):
            stack.enter_context(write_paths.prepared(urls[name]))
        write_paths.without_salts(urls["format_1"])
        formats = [_issuing_at(stack, urls[name]) for name in ("format_2", "format_1")]
        plan = [(clients, n) for clients in CLIENTS for n in range(rounds)]
        measured: dict[int, list[dict[str, Round]]] = {clients: [] for clients in CLIENTS}
        for clients, _ in track(plan, "append", console=console, transient=True):
            done = {}
            for name, side in contestants.items():
                flush_dirty_pages(embedded)
                done[name] = side(clients, seconds)
            measured[clients].append(done)
        turns = QUICK_TURNS if quick else TURNS
        for clients in track(CLIENTS, "append: formats", console=console, transient=True):
            result.ratios[f"append_{clients}_vs_format_1"] = _formats(formats, clients, turns)
        result.figures["fsync_p50_ms"] = _fsync_p50_ms(folder)
    for clients, of_clients in measured.items():
        _report(result, table, clients, of_clients)
        if (ratio := result.ratios[f"append_{clients}_vs_format_1"]) < FORMAT_1_MIN:
            console.print(f"SHORT: {clients} at a time, {ratio:.2f} of the rate of format 1")
    table.caption = f"one fsync of a page: {result.figures['fsync_p50_ms']:.2f} ms (p50)"
    result.show(console, table)


def _report(result: Result, table: Table, clients: int, rounds: list[dict[str, Round]]) -> None:
    for name in rounds[0]:
        rates = Rates([each[name] for each in rounds])
        ratio = statistics.median(each[name].rate / each["stock"].rate for each in rounds)
        table.add_row(
            name,
            str(clients),
            f"{rates.median:,.0f}",
            *(f"{ms:.2f}" for ms in (rates.p50_ms, rates.p95_ms, rates.p99_ms)),
            f"{ratio:.2f}",
            end_section=name == list(rounds[0])[-1],
        )
        result.figures[f"{name}_{clients}"] = {
            "events_per_s": rates.median,
            "p50_ms": rates.p50_ms,
            "p95_ms": rates.p95_ms,
            "p99_ms": rates.p99_ms,
        }
    for baseline in ("stock", "raw_insert", "raw_unnest", "raw_copy"):
        ratio = statistics.median(each["ours"].rate / each[baseline].rate for each in rounds)
        result.ratios[f"append_{clients}_vs_{baseline}"] = ratio
    ratio = statistics.median(each["ours_recorder"].rate / each["stock"].rate for each in rounds)
    result.ratios[f"recorder_alone_{clients}_vs_stock"] = ratio


def _formats(sides: Sequence[Side], clients: int, turns: int) -> float:
    """The rate with salts over that without, the median of the turns."""
    ratios = []
    for n in range(turns):
        done = [side(clients, TURN_S) for side in (sides if n % 2 else reversed(sides))]
        newer, older = done if n % 2 else reversed(done)
        ratios.append(newer.rate / older.rate)
    return statistics.median(ratios)


def _sides(stack: ExitStack, urls: dict[str, str]) -> dict[str, Side]:
    url = stack.enter_context(write_paths.prepared(urls["ours"]))
    ledger = _ledger(stack, url)
    stock = stack.enter_context(write_paths.stock_ledger(urls["stock"]))
    bare_postgres.create(urls["raw"])
    return {
        "ours": issuing(stack, ledger, url),
        "ours_recorder": appending(stack, ledger, url),
        "ours_threads": _threads(lambda a: ledger.permits.issue(a, Command(write_paths.context()))),
        "stock": _threads(lambda a: stock.issue(a, write_paths.context())),
        "raw_insert": raw_inserts(urls["raw"]),
        "raw_unnest": _raw_batches(urls["raw"], bare_postgres.unnest),
        "raw_copy": _raw_batches(urls["raw"], bare_postgres.copy),
    }


def _ledger(stack: ExitStack, url: str) -> BlockingLedger:
    ledger = BlockingLedger(url, blind_index=write_paths.BLIND_INDEX, keyring=keyring())
    return stack.enter_context(closing(ledger))


def _issuing_at(stack: ExitStack, url: str) -> Side:
    return issuing(stack, _ledger(stack, url), url)


def issuing(stack: ExitStack, ledger: BlockingLedger, url: str) -> Side:
    """As in the service: coroutines, each issuing one permit after the other."""
    runner, log = _log(stack, ledger, url)
    commands = PermitCommands(log, ledger.event_mapper, blind_index=ledger.blind_index)

    def run(clients: int, seconds: float) -> Round:
        wanted = deque(write_paths.application() for _ in range(int(ISSUES_A_SECOND_MAX * seconds)))
        return _run_coroutines(
            runner,
            clients,
            seconds,
            lambda: commands.issue(wanted.popleft(), Command(write_paths.context())),
        )

    return run


def appending(stack: ExitStack, ledger: BlockingLedger, url: str) -> Side:
    """The group commit by itself: events that were made before."""
    runner, log = _log(stack, ledger, url)

    def run(clients: int, seconds: float) -> Round:
        events = deque(write_paths.issued_events(int(ROWS_A_SECOND_MAX * seconds)))
        return _run_coroutines(
            runner, clients, seconds, lambda: log.append(Append([events.popleft()]))
        )

    return run


def _log(stack: ExitStack, ledger: BlockingLedger, url: str) -> tuple[asyncio.Runner, EventLog]:
    """A log and its event loop, kept for all rounds as the service keeps them: the server of a new
    connection would first have to make its plans and map the shared memory."""
    runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
    notifier = stack.enter_context(closing(notifier_at(url)))
    commits = stack.enter_context(closing(append_commits(url, committed=notifier.notify)))
    pool = read_pool(url, connections_max=2)
    runner.run(pool.open())
    stack.callback(lambda: runner.run(pool.close()))
    return runner, EventLog(commits, pool, ledger.event_mapper, ledger.holder_keys)


def _run_coroutines(
    runner: asyncio.Runner,
    clients: int,
    seconds: float,
    operation: Callable[[], Awaitable[object]],
) -> Round:
    async def client(end: float) -> list[float]:
        latencies = []
        while (started := time.perf_counter()) < end:
            await operation()
            latencies.append((time.perf_counter() - started) * 1000)
        return latencies

    async def main() -> Round:
        started = time.perf_counter()
        done = await asyncio.gather(*(client(started + seconds) for _ in range(clients)))
        took_s = time.perf_counter() - started
        latencies = [ms for of_client in done for ms in of_client]
        return Round(len(latencies) / took_s, latencies)

    forget_garbage()
    with _switching_often():
        return runner.run(main())


@contextmanager
def _switching_often() -> Iterator[None]:
    """As the service does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _threads(issue: Callable[[Application], object]) -> Side:
    def run(clients: int, seconds: float) -> Round:
        wanted = deque(write_paths.application() for _ in range(int(ISSUES_A_SECOND_MAX * seconds)))
        return run_for(seconds, [lambda: issue(wanted.popleft())] * clients)

    return run


def raw_inserts(url: str) -> Side:
    """A connection for each client, at most 16."""

    def run(clients: int, seconds: float) -> Round:
        rows = deque(
            bare_postgres.rows(write_paths.issued_events(int(ROWS_A_SECOND_MAX * seconds)))
        )
        with ExitStack() as stack:
            connections = [
                stack.enter_context(connect(url))
                for _ in range(min(clients, bare_postgres.INSERT_CONNECTIONS_MAX))
            ]
            return run_for(
                seconds,
                [lambda c=c: bare_postgres.insert(c, [rows.popleft()]) for c in connections],  # type: ignore[misc]
            )

    return run


def _raw_batches(url: str, write: Callable[[Connection, list[bare_postgres.Row]], None]) -> Side:
    """One connection that writes as many rows at a time as there are clients."""

    def run(clients: int, seconds: float) -> Round:
        latencies: list[float] = []
        with connect(url) as connection:
            while sum(latencies) < seconds * 1000:
                batch = bare_postgres.rows(write_paths.issued_events(clients))
                started = time.perf_counter()
                write(connection, batch)
                latencies.append((time.perf_counter() - started) * 1000)
        return Round(len(latencies) * clients / sum(latencies) * 1000, latencies)

    return run


def _fsync_p50_ms(folder: Path) -> float:
    """Syncs of one page, on the database's disk."""
    latencies = []
    file = folder / "fsync.probe"
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY)
    try:
        for _ in range(FSYNCS):
            os.write(descriptor, bytes(PAGE_BYTES))
            started = time.perf_counter()
            os.fdatasync(descriptor)
            latencies.append((time.perf_counter() - started) * 1000)
    finally:
        os.close(descriptor)
        file.unlink()
    return statistics.median(latencies)
