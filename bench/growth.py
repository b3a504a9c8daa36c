"""What grows with the history: the cost of each operation by the size of the log.

Logs of synthetic events are made in PostgreSQL, in bulk: as many permits of one event each, and as
many checks. Then operations are timed on each, with the service's own code and queries. The slope
is the cost in the largest log over that in the smallest.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, LiteralString
from uuid import uuid4

import orjson
import typer
from rich.console import Console
from rich.table import Table

from bench import write_paths
from bench.harness import Result, cpu_s, flush_dirty_pages, fresh_database, server
from bench.projections import projecting
from bench.service import environment_of, free_port, role
from bench.snapshot import Cost, beside_a_snapshot
from ledger.checks.log import CheckRecord
from ledger.commands.blocking import BlockingLedger
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import Connection, as_service, connect
from ledger.database.named_sql import Queries
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.embedded.server import EmbeddedPostgres
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.sample.command import simulate
from permit_ledger.settings import Settings
from projections.queries.check_batcher import CheckQuery, CheckWriter
from projections.queries.live_summary import LiveSummaryReader
from projections.queries.permits import PermitReader, ReadPool, read_pool

SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000, 10_000_000), (10_000, 100_000)
BYTES_AN_EVENT = 3_000
"""Of an event with its permit, its check and all indexes, and as much again for WAL."""
SPARE_BYTES = 8 << 30
REPEATED = 300
EDGE = 100
SLOPE_MAX = 1.2
ROUNDS = 3
POLL_S = 0.005
SNAPSHOT_COMMITS = 1_500
START = "start until ready (time that passes)"
"""Most of it are Python's imports; on a busy machine it says little, and decides nothing."""
SIMULATED_PERMITS, SIMULATED_DAYS = 200, 60

_status = Queries("permit_ledger", "sql/status.sql")

_FILL: tuple[LiteralString, ...] = (
    """CREATE TEMP TABLE made AS SELECT n AS position, upper(left(md5(n::text), 12)) || n AS number,
           left(md5('h' || n), 32) AS holder, sha256(n::text::bytea) AS person
       FROM generate_series(1, {events}) AS n""",
    """INSERT INTO ledger.events (position, stream, version, topic, state)
       SELECT position, number, 1, 'permit.issued.v1', convert_to(json_build_object(
           'timestamp', '2026-01-05T00:00:00+00:00', 'holder_id', holder)::text, 'UTF8')
       FROM made""",
    """INSERT INTO ledger.holders
           (holder_id, citizen_index, permit_number, permit_numbers, kek_id, wrapped)
       SELECT holder, person, number, ARRAY[number], kek_id, sha256(person)
       FROM made, ledger.key_encryption_keys""",
    """INSERT INTO views.physical_permits (permit_number, holder_id, version, division,
           issuing_authority, issued_on, anchor, years, endorsements, card_serial, card_status,
           identity_stale, card_due_on, face, restricted, erased, updated_at)
       SELECT number, holder, 1, '320211', '320211-01', '2026-01-05', '2026-01-05', 1, 0, 1,
              'issued', false, '2026-01-05', person || person || person, false, false,
              '2026-01-05 00:00+00' FROM made""",
    """INSERT INTO views.electronic_permits (permit_number, holder_id, version, division,
           issuing_authority, issued_on, anchor, years, endorsements, card_serial, claimed, devices,
           face, restricted, erased)
       SELECT number, holder, 1, '320211', '320211-01', '2026-01-05', '2026-01-05', 1, 0, 1, false,
              '{{}}', person || person || person, false, false FROM made""",
    """INSERT INTO views.permit_search SELECT number, encode(person, 'hex') FROM made""",
    """INSERT INTO ledger.checks (position, check_id, checked_at, permit_number, track, scenario,
           outcome, as_of_position, state)
       SELECT position, gen_random_uuid(), '2026-01-05 00:00+00', number, 'physical', 's',
              'effective', position, '{{}}' FROM made""",
    "UPDATE ledger.head SET position = {events}",
    "UPDATE ledger.checks_head SET position = {events}",
    "UPDATE views.position SET position = {events}",
    "DROP TABLE made",
    "VACUUM (ANALYZE)",
)
_APPEND: LiteralString = """SELECT ledger.append(
    event_command => '{0}', event_stream => ARRAY[%s], event_version => '{1}',
    event_topic => '{permit.issued.v1}', event_state => ARRAY['{}'::bytea])"""
_numbers = count(1)


@dataclass(frozen=True)
class _Log:
    """A log of a size, with the connections that operations use."""

    url: str
    settings: Settings
    connection: Connection
    pool: ReadPool
    reader: PermitReader
    known: list[Any]
    """Some of its permits: number and blind index of the holder."""
    session: int
    """The process of the server that serves the pool."""

    def some(self) -> Any:
        return self.known[next(_numbers) % len(self.known)]


def bench_growth(console: Console, *, quick: bool) -> None:
    """Cost by size, and beside a snapshot; exits with 1 if a cost has a slope.

    ``PERMIT_LEDGER_BENCH_EVENTS`` is the size of the largest log.
    """
    result = Result("growth")
    with server() as (folder, embedded), asyncio.Runner() as runner, ExitStack() as stack:
        beside = beside_a_snapshot(embedded, quick=quick)
        logs: dict[int, _Log] = {}
        for events in _sizes(folder, console, quick=quick):
            with console.status(f"a log of {events:,} events"):
                logs[events] = _made(folder, embedded, events, runner, stack)
        flush_dirty_pages(embedded)
        with console.status("measuring"):
            measured = _measured(logs, runner)
    is_flat = _report(result, measured, beside, console)
    if quick and not is_flat:
        raise typer.Exit(1)


def _sizes(folder: Path, console: Console, *, quick: bool) -> list[int]:
    """Those that the disk has space for."""
    wanted = int(os.environ.get("PERMIT_LEDGER_BENCH_EVENTS", "0")) or SIZES[-1]
    free = shutil.disk_usage(folder).free - SPARE_BYTES
    sizes = [size for size in (QUICK_SIZES if quick else SIZES) if size <= wanted]
    fitting = [size for size in sizes if size * BYTES_AN_EVENT <= free]
    for size in sizes[len(fitting) :]:
        console.print(f"left out, for want of disk space: {size:,} events", highlight=False)
    return fitting


def _report(
    result: Result, measured: dict[int, dict[str, float]], beside: dict[str, Cost], console: Console
) -> bool:
    """Print and keep the figures; returns whether no cost has a slope."""
    smallest, largest = min(measured), max(measured)
    table = Table(
        "ms of the processor's time",
        *(f"{events:,}" for events in measured),
        "slope",
        "",
        title="growth",
    )
    is_flat = True
    for what in measured[smallest]:
        slope = measured[largest][what] / measured[smallest][what]
        is_flat &= slope <= SLOPE_MAX or what == START
        result.ratios[f"{what}: {largest:,} vs {smallest:,}"] = slope
        costs = (f"{each[what]:.3f}" for each in measured.values())
        table.add_row(what, *costs, f"{slope:.2f}", _verdict(slope))
    for name, cost in beside.items():
        result.ratios[f"commits beside a snapshot, {name}: last vs first"] = cost.slope
        result.figures[f"beside a snapshot, {name}, ms"] = [cost.first_ms, cost.last_ms]
    is_flat &= beside["now"].slope <= SLOPE_MAX
    result.figures["ms"] = {str(events): each for events, each in measured.items()}
    result.show(console, table)
    return is_flat


def _verdict(slope: float) -> str:
    return f"≤ {SLOPE_MAX}: {'reached' if slope <= SLOPE_MAX else 'SHORT'}"


def _made(
    folder: Path, embedded: EmbeddedPostgres, events: int, runner: asyncio.Runner, stack: ExitStack
) -> _Log:
    settings = Settings(data_dir=folder / f"keys-{events}", development=True)
    url = stack.enter_context(fresh_database(embedded, f"growth_{events}"))
    with connect(url) as owner:
        prepare(owner, keys.blind_index(settings), keyring(settings))
        for statement in _FILL:
            owner.execute(statement.format(events=events).encode())
        known = owner.execute(
            "SELECT stream, citizen_index FROM ledger.events"
            " JOIN ledger.holders ON permit_number = stream WHERE position = ANY (%s)",
            [[1 + n * events // REPEATED for n in range(REPEATED)]],
        ).fetchall()
    connection = stack.enter_context(connect(as_service(url)))
    # A flush takes as long in a log of any size, and varies more than what is measured.
    connection.execute("SET synchronous_commit = off")

    async def opened() -> tuple[ReadPool, int]:
        pool = read_pool(as_service(url), connections_max=1)
        await pool.open(wait=True)
        async with pool.connection() as session:
            return pool, session.info.backend_pid

    pool, session = runner.run(opened())
    stack.callback(lambda: runner.run(pool.close()))
    reader = PermitReader(pool, HolderKeys(keyring(settings)))
    return _Log(url, settings, connection, pool, reader, known, session)


def _measured(logs: dict[int, _Log], runner: asyncio.Runner) -> dict[int, dict[str, float]]:
    """The median cost of each operation on each log, in ms; the logs take turns."""
    own: dict[str, Callable[[_Log], object]] = {
        "append beside a snapshot": _append,
        "check: lookup and record": _check,
        "status": lambda log: log.connection.execute(_status.status, prepare=True).fetchall(),
    }
    read: dict[str, Callable[[_Log], Coroutine[Any, Any, object]]] = {
        "a permit": lambda log: log.reader.permit(log.some()[0]),
        "a search": lambda log: log.reader.search(log.some()[1]),
        "/metrics": lambda log: log.reader.vitals(),
        "live summary, first": _summary,
    }
    found: dict[int, dict[str, float]] = {events: {} for events in logs}

    def measure(
        what: str, operation: Callable[[_Log], object], process: Callable[[_Log], int]
    ) -> None:
        took: dict[int, list[float]] = {events: [] for events in logs}
        for n in range(EDGE + REPEATED):
            for events, log in logs.items():
                began = cpu_s(process(log))
                operation(log)
                if n >= EDGE:
                    took[events].append((cpu_s(process(log)) - began) * 1000)
        for events, each in took.items():
            found[events][what] = statistics.median(each)

    def of_connection(log: _Log) -> int:
        return log.connection.info.backend_pid

    measure("append", _append, of_connection)
    with ExitStack() as held:  # from here on, all beside a snapshot
        for log in logs.values():
            backup = held.enter_context(connect(log.url))
            held.enter_context(backup.transaction())
            backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            backup.execute("SELECT FROM ledger.head")
            for _ in range(SNAPSHOT_COMMITS):
                _append(log)
        for what, operation in own.items():
            measure(what, operation, of_connection)
        for what, reading in read.items():
            measure(what, lambda log: runner.run(reading(log)), lambda log: log.session)  # noqa: B023
    _whole(logs, found)
    # The statistics' refresh belongs here, once they are kept up by what has changed. The map of
    # last events has a benchmark of its own, by its size: `./dev bench map`.
    return found


def _whole(logs: dict[int, _Log], found: dict[int, dict[str, float]]) -> None:
    """Starts, simulations, and the projector behind them."""
    took: dict[int, dict[str, list[float]]] = {events: defaultdict(list) for events in logs}
    for seed in range(ROUNDS + 1):
        for events, log in logs.items():
            with connect(
                log.url
            ) as owner:  # who sees all sessions; what was appended is no backlog
                owner.execute("UPDATE views.position SET position = (SELECT ledger.log_end())")
                costs = {START: _start(log), **_simulated(log, owner, seed)}
            if seed:  # the first one draws the portraits, and warms up
                for what, cost in costs.items():
                    took[events][what].append(cost)
    for events, each in took.items():
        found[events] |= {what: statistics.median(costs) for what, costs in each.items()}


def _all_cpu_s(connection: Connection) -> float:
    """That of this process and of all sessions in the database."""
    pids = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    ).fetchall()
    return cpu_s(*(int(str(pid)) for (pid,) in pids))


def _append(log: _Log) -> None:
    log.connection.execute(_APPEND, [f"growth {next(_numbers)}"], prepare=True)


def _check(log: _Log) -> None:
    record = {
        "check_id": str(uuid4()),
        "checked_at": datetime.now(UTC).isoformat(),
        "permit_number": log.some()[0],
        "track": "physical",
        "scenario": "s",
        "outcome": "effective",
        "as_of_position": 1,
    }
    query = CheckQuery(datetime.now(UTC), str(record["permit_number"]))
    CheckWriter().write(log.connection, [query, CheckRecord(uuid4(), orjson.dumps(record))])


async def _summary(log: _Log) -> None:
    """Of a process that has just started; nothing of today is in the log."""
    await LiveSummaryReader(log.pool, log.reader).read(datetime.now(UTC) - timedelta(minutes=1))


def _start(log: _Log) -> float:
    """Of the API, until it is ready."""
    port = free_port()
    environment = environment_of(log.settings.data_dir, as_service(log.url), port)
    began = time.perf_counter()
    with role("api", environment, f"http://127.0.0.1:{port}/readyz"):
        return (time.perf_counter() - began) * 1000


def _simulated(log: _Log, owner: Connection, seed: int) -> dict[str, float]:
    """A simulation into the log, and the projector behind it, for each event."""
    index = keys.blind_index(log.settings)
    with closing(
        BlockingLedger(as_service(log.url), blind_index=index, keyring=keyring(log.settings))
    ) as ledger:
        before, began = ledger.head(), _all_cpu_s(owner)
        report = simulate(
            ledger,
            permits=SIMULATED_PERMITS,
            days=SIMULATED_DAYS,
            seed=seed,
            until=write_paths.UNTIL,
            policy=write_paths.POLICY,
        )
        simulated_ms = (_all_cpu_s(owner) - began) * 1000 / report.events_total
        head = ledger.head()
        with projecting(as_service(log.url), keys.blind_index(log.settings), keyring(log.settings)):
            began = _all_cpu_s(owner)
            while owner.execute("SELECT views.reached()").fetchone() != (head,):
                time.sleep(POLL_S)  # the processor time of asking is counted
            projected_ms = (_all_cpu_s(owner) - began) * 1000 / (head - before)
    return {"simulate, an event": simulated_ms, "projector, an event": projected_ms}
