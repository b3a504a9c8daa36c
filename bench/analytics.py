"""The statistics: filling the file from a log, compared with only reading the same log; and all
answers from the roll-ups, compared with the same answers from every event, in one run.

The file is filled as the role does it: events, roll-ups and marks in one transaction of at most
5,000. Reading is ``follow`` and the mapper's parsing, which both sides do. Answers from every event
are those of ``tests/analytics/recount``, in DuckDB, with the events already loaded. Memory is the
peak of a separate process that fills a file and answers every question. Idle is the processor time
of a process that runs the role on a log to which nothing is added. What a refresh costs by size is
measured by ``bench.statistics_growth``.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import NamedTuple

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import write_paths
from bench.harness import Rates, Result, Round, forget_garbage, fresh_database, server
from bench.statistics_growth import Growth, measure_growth, own_peak_mib
from consumers.analytics.batch import BATCH_EVENTS_MAX
from consumers.analytics.check_source import CheckSource
from consumers.analytics.log_source import LOG, LogSource
from consumers.analytics.runner import Analytics
from consumers.analytics.sink import Sink
from domain.calendar import shanghai_date
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.blocking import BlockingLedger
from ledger.eventlog.follow import follow
from permit_ledger.sample.command import simulate
from tests.analytics.recount import Recount
from tests.keks import keyring

PERMITS, ROUNDS = 20_000, 5
QUICK_PERMITS, QUICK_ROUNDS = 3_000, 3
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
TODAY = shanghai_date(UNTIL)
GRACE_DAYS = 30
SIZES, QUICK_SIZES = (100_000, 1_000_000), (30_000,)
SETTLED_S, SETTLED_CPU_S = 5.0, 0.2
IDLE_S, QUICK_IDLE_S, SETTLE_S_MAX = 60.0, 15.0, 120.0
REFRESH_S_MAX, MEMORY_MIB_MAX = 1.0, 300


def bench_analytics(console: Console, *, quick: bool) -> None:
    """Events a second of both sides, seconds for all answers, and the most memory."""
    permits, rounds = (QUICK_PERMITS, QUICK_ROUNDS) if quick else (PERMITS, ROUNDS)
    filling, reading = [], []
    asking: list[Asked] = []
    with (
        server() as (_, embedded),
        fresh_database(embedded, "district") as empty,
        write_paths.prepared(empty) as url,
    ):
        head = _grow(url, permits)
        for n in track(range(rounds), "analytics", console=console, transient=True):
            for is_ours in (True, False) if n % 2 else (False, True):
                forget_garbage()
                if is_ours:
                    filled, asked_s = _fill(url, head, compared=True)
                    filling.append(filled)
                    asking.append(asked_s)
                else:
                    reading.append(_read(url, head))
        peak_mib = _peak_mib(url, head)
        idle_s = _idle_s(url, QUICK_IDLE_S if quick else IDLE_S)
    grown = [_grown(size) for size in (QUICK_SIZES if quick else SIZES)]
    _report(console, head, Rates(filling), Rates(reading), asking, peak_mib, idle_s, grown)


class Asked(NamedTuple):
    """Seconds of processor time for all answers, of both sides."""

    rollups_s: float
    events_s: float


def _grown(size: int) -> Growth:
    with TemporaryDirectory() as folder:
        return measure_growth(size, Path(folder))


def _grow(url: str, permits: int) -> int:
    with closing(
        BlockingLedger(url, blind_index=write_paths.BLIND_INDEX, keyring=keyring())
    ) as ledger:
        simulate(ledger, permits=permits, days=730, seed=1, until=UNTIL, policy=write_paths.POLICY)
        return ledger.head()


def _parser() -> EventMapper:
    return EventMapper(OrjsonTranscoder())


def _fill(url: str, head: int, *, compared: bool) -> tuple[Round, Asked]:
    """Fill from nothing to the log's head, then ask: both sides if ``compared``."""
    with TemporaryDirectory() as folder, closing(Sink(Path(folder), "log")) as sink:
        started = time.perf_counter()
        with closing(LogSource(url, _parser().parse).batches({}, Event())) as batches:  # type: ignore[type-var]
            for batch in batches:
                sink.write(batch)
                if batch.marks[LOG].position == head:
                    break
        filled = Round(head / (time.perf_counter() - started), [])
        started = time.process_time()
        sink.answers(TODAY, GRACE_DAYS)
        rollups_s = time.process_time() - started
        if not compared:
            return filled, Asked(rollups_s, 0.0)
        every_event = Recount().load(sink)
        every_event.set_day(TODAY, GRACE_DAYS)
        started = time.process_time()
        every_event.answers()
        return filled, Asked(rollups_s, time.process_time() - started)


def _read(url: str, head: int) -> Round:
    parser = _parser()
    started = time.perf_counter()
    with closing(follow(url, after=0, stop=Event(), page_events_max=BATCH_EVENTS_MAX)) as pages:
        for page in pages:
            for event in page:
                parser.parse(event)
            if page[-1].id == head:
                break
    return Round(head / (time.perf_counter() - started), [])


def _idle_s(url: str, lasting_s: float) -> float:
    """Seconds of processor time a minute, after all is counted and drawn."""
    with TemporaryDirectory() as folder:
        role = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "bench.analytics", "idle", folder],
            env={**os.environ, "PERMIT_LEDGER_DATABASE_URL": url},
        )
        try:
            process, settled_at = psutil.Process(role.pid), time.monotonic() + SETTLE_S_MAX
            before = -1.0
            while _cpu_s(process) - before > SETTLED_CPU_S and time.monotonic() < settled_at:
                before = _cpu_s(process)
                time.sleep(SETTLED_S)  # what it uses in this time is measured
            started, before = time.monotonic(), _cpu_s(process)
            time.sleep(lasting_s)  # idle, which is what is measured
            return 60 * (_cpu_s(process) - before) / (time.monotonic() - started)
        finally:
            role.kill()
            role.wait()


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _run_role(url: str, folder: Path) -> None:
    Analytics(
        folder,
        LogSource(url, _parser().parse),
        CheckSource(url),
        lambda: UNTIL,
        Event(),
        grace_days=GRACE_DAYS,
    ).run()


def _peak_mib(url: str, head: int) -> int:
    filled = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "bench.analytics", "fill", str(head)],
        env={**os.environ, "PERMIT_LEDGER_DATABASE_URL": url},  # may hold a password
        check=True,
        capture_output=True,
        text=True,
    )
    return int(filled.stdout)


def _report(
    console: Console,
    head: int,
    filling: Rates,
    reading: Rates,
    asking: list[Asked],
    peak_mib: int,
    idle_s: float,
    grown: list[Growth],
) -> None:
    result = Result("analytics")
    share = statistics.median(
        ours.rate / theirs.rate for ours, theirs in zip(filling.rounds, reading.rounds, strict=True)
    )
    ratio = statistics.median(asked.events_s / asked.rollups_s for asked in asking)
    rollups_s, events_s = (statistics.median(each) for each in zip(*asking, strict=True))
    table = Table("what", "figure", "goal", title=f"analytics, {head:,} events")
    table.add_row("filled, events/s", f"{filling.median:,.0f}", "")
    table.add_row("read alone, events/s", f"{reading.median:,.0f}", "")
    table.add_row("filled / read alone", f"{share:.2f}", "")
    table.add_row("all answers from roll-ups, CPU s", f"{rollups_s:.3f}", "")
    table.add_row("all answers from every event, CPU s", f"{events_s:.2f}", "")
    table.add_row("every event / roll-ups", f"{ratio:.1f}", "")
    table.add_row("most memory, MiB", f"{peak_mib:,}", _goal(peak_mib, MEMORY_MIB_MAX))
    table.add_row("idle, CPU s a minute", f"{idle_s:.2f}", "")
    for size in grown:
        refresh_s = size.write_cpu_s + size.answers_cpu_s + size.publish_cpu_s
        title = f"{size.events:,} events"
        goal = _goal(refresh_s, REFRESH_S_MAX)
        table.add_row(f"{title}: refresh after 1,000, CPU s", f"{refresh_s:.2f}", goal)
        table.add_row(
            f"{title}: counted again, events/CPU s", f"{size.recounted_per_cpu_s:,.0f}", ""
        )
        goal = _goal(size.peak_mib, MEMORY_MIB_MAX)
        table.add_row(f"{title}: most memory, MiB", f"{size.peak_mib:,}", goal)
    result.ratios["filled_vs_read_alone"] = share
    result.ratios["every_event_vs_rollups"] = ratio
    result.figures = {
        "events": head,
        "filled_events_per_s": filling.median,
        "read_alone_events_per_s": reading.median,
        "rollups_s": rollups_s,
        "every_event_s": events_s,
        "peak_mib": peak_mib,
        "idle_cpu_s_a_minute": idle_s,
        "growth": [asdict(size) for size in grown],
    }
    result.show(console, table)


def _goal(figure: float, at_most: float) -> str:
    return f"≤ {at_most:g}: {'reached' if figure <= at_most else 'SHORT'}"


if __name__ == "__main__":
    _url, (_what, _given) = os.environ["PERMIT_LEDGER_DATABASE_URL"], sys.argv[1:]
    if _what == "idle":
        _run_role(_url, Path(_given))
    else:
        _fill(_url, int(_given), compared=False)
        print(own_peak_mib())
