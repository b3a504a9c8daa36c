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
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any, LiteralString
from uuid import uuid4

import orjson
import typer
from rich.console import Console
from rich.table import Table

from bench import write_paths
from bench.harness import Result, cpu_s, flush_dirty_pages, fresh_database, server
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
from projections.projector.pages import EventOpener
from projections.projector.runner import Projector
from projections.queries.check_batcher import CheckQuery, CheckWriter
from projections.queries.live_summary import LiveSummaryReader
from projections.queries.permits import PermitReader, read_pool
from projections.views.registry import all_views

SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000, 10_000_000), (10_000, 100_000)
BYTES_AN_EVENT = 3_000
"""Of an event with its permit, its check and all indexes, and as much again for WAL."""
SPARE_BYTES = 8 << 30
REPEATED = 300
EDGE = 100
SLOPE_MAX = 1.2
STARTS = 3
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


def bench_growth(console: Console, *, quick: bool) -> None:
    """Cost by size, and beside a snapshot; exits with 1 if a cost has a slope.

    ``PERMIT_LEDGER_BENCH_EVENTS`` is the size of the largest log.
    """
    result = Result("growth")
    with server() as (folder, embedded):
        beside = beside_a_snapshot(embedded, quick=quick)
        measured: dict[int, dict[str, float]] = {}
        for events in _sizes(folder, console, quick=quick):
            with console.status(f"a log of {events:,} events"):
                measured[events] = _of_size(folder, embedded, events)
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


def _of_size(folder: Path, embedded: EmbeddedPostgres, events: int) -> dict[str, float]:
    """The median cost of each operation on a log of this size, in ms of the processor's time."""
    settings = Settings(data_dir=folder / f"keys-{events}", development=True)
    with fresh_database(embedded, f"growth_{events}") as url:
        with connect(url) as connection:
            prepare(connection, keys.blind_index(settings), keyring(settings))
            for statement in _FILL:
                connection.execute(statement.format(events=events).encode())
        flush_dirty_pages(embedded)
        with connect(as_service(url)) as connection:
            found = {
                "append": _append(connection),
                "append beside a snapshot": _beside(url, connection),
                "check: lookup and record": _check(connection, events),
                "status": _median(
                    connection, lambda: connection.execute(_status.status).fetchall()
                ),
            }
        found |= asyncio.run(_reads(url, events))
        found[START] = _start(settings, url)
        found |= _simulated(settings, url)
        # The statistics' refresh belongs here, once they are kept up by what has changed. The map
        # of last events has a benchmark of its own, by its size: `./dev bench map`.
    return found


def _median(connection: Connection, operation: Callable[[], object]) -> float:
    """In ms of the processor's time, after a few times to warm up."""
    took = []
    for n in range(EDGE + REPEATED):
        began = cpu_s(connection.info.backend_pid)
        operation()
        if n >= EDGE:
            took.append((cpu_s(connection.info.backend_pid) - began) * 1000)
    return statistics.median(took)


def _all_cpu_s(connection: Connection) -> float:
    """That of this process and of all sessions in the database."""
    pids = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    ).fetchall()
    return cpu_s(*(int(str(pid)) for (pid,) in pids))


def _append(connection: Connection) -> float:
    # A flush takes as long in a log of any size, and varies more than what is measured.
    connection.execute("SET synchronous_commit = off")
    return _median(
        connection,
        lambda: connection.execute(_APPEND, [f"growth {next(_numbers)}"], prepare=True),
    )


def _beside(url: str, connection: Connection) -> float:
    with connect(url) as backup, backup.transaction():
        backup.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        backup.execute("SELECT FROM ledger.head")
        for _ in range(5 * REPEATED):
            connection.execute(_APPEND, [f"growth {next(_numbers)}"], prepare=True)
        return _append(connection)


def _check(connection: Connection, events: int) -> float:
    writer, now = CheckWriter(), datetime.now(UTC)
    [(known,)] = connection.execute(
        "SELECT array_agg(stream) FROM ledger.events WHERE position = ANY (%s)",
        [[1 + n * events // REPEATED for n in range(REPEATED)]],
    ).fetchall()
    numbers: list[str] = known  # type: ignore[assignment]

    def check() -> None:
        record = {
            "check_id": str(uuid4()),
            "checked_at": datetime.now(UTC).isoformat(),
            "permit_number": numbers[next(_numbers) % len(numbers)],
            "track": "physical",
            "scenario": "s",
            "outcome": "effective",
            "as_of_position": 1,
        }
        query = CheckQuery(now, str(record["permit_number"]))
        writer.write(connection, [query, CheckRecord(uuid4(), orjson.dumps(record))])

    return _median(connection, check)


async def _reads(url: str, events: int) -> dict[str, float]:
    """What the API reads, by its own readers."""
    async with read_pool(as_service(url), connections_max=1) as pool:
        reader = PermitReader(pool, HolderKeys(keyring(Settings(development=True))))
        async with pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT stream, citizen_index FROM ledger.events JOIN ledger.holders"
                " ON permit_number = stream WHERE position = ANY (%s)",
                [[1 + n * events // REPEATED for n in range(REPEATED)]],
            )
            known = await cursor.fetchall()
            pid = connection.info.backend_pid

        def some() -> Any:
            return known[next(_numbers) % len(known)]

        async def summary() -> None:
            await LiveSummaryReader(pool, reader).read(datetime.now(UTC) - timedelta(minutes=1))

        operations: dict[str, Callable[[], Awaitable[object]]] = {
            "a permit": lambda: reader.permit(some()["stream"]),
            "a search": lambda: reader.search(some()["citizen_index"]),
            "/metrics": reader.vitals,
            "live summary, first": summary,
        }
        found = {}
        for what, operation in operations.items():
            took = []
            for n in range(EDGE + REPEATED):
                began = cpu_s(pid)
                await operation()
                if n >= EDGE:
                    took.append((cpu_s(pid) - began) * 1000)
            found[what] = statistics.median(took)
    return found


def _start(settings: Settings, url: str) -> float:
    """Of the API, until it is ready."""
    took = []
    with connect(url) as connection:  # the appends of before are no backlog here
        connection.execute("UPDATE views.position SET position = (SELECT ledger.log_end())")
    for _ in range(STARTS):
        port = free_port()
        environment = environment_of(settings.data_dir, as_service(url), port)
        began = time.perf_counter()
        with role("api", environment, f"http://127.0.0.1:{port}/readyz"):
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def _simulated(settings: Settings, url: str) -> dict[str, float]:
    """A simulation into the log, and the projector behind it, for each event."""
    with ExitStack() as stack:
        owner = stack.enter_context(connect(url))  # who sees all sessions
        index = keys.blind_index(settings)
        ledger = stack.enter_context(
            closing(BlockingLedger(as_service(url), blind_index=index, keyring=keyring(settings)))
        )
        for seed in (1, 2):  # the first one draws the portraits
            began = _all_cpu_s(owner)
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
        connection = stack.enter_context(connect(as_service(url)))
        [(before,)] = connection.execute("SELECT views.reached()").fetchall()
        with _projecting(settings, url):
            began = _all_cpu_s(owner)
            while connection.execute("SELECT views.reached()").fetchone() != (head,):
                time.sleep(0.005)
            projected_ms = (_all_cpu_s(owner) - began) * 1000 / (head - int(str(before)))
    return {"simulate, an event": simulated_ms, "projector, an event": projected_ms}


@contextmanager
def _projecting(settings: Settings, url: str) -> Iterator[None]:
    stop = Event()
    opener = EventOpener(HolderKeys(keyring(settings)))
    projector = Projector(as_service(url), all_views(keys.blind_index(settings)), opener, stop)
    thread = Thread(target=projector.run, name="projector")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
