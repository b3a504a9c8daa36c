"""The statistics: filling the file from a log, compared with only reading the same log, in one run.

The file is filled as the role does it: events and marks in one transaction of at most 5,000.
Reading is ``follow`` and the mapper's parsing, which both sides do. Memory is the peak of a
separate process that fills a file and answers every question.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import write_paths
from bench.harness import Rates, Result, Round, forget_garbage, fresh_database, server
from consumers.analytics.batch import BATCH_EVENTS_MAX
from consumers.analytics.log_source import LOG, LogSource
from consumers.analytics.sink import Sink
from domain.calendar import shanghai_date
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.blocking import BlockingLedger
from ledger.eventlog.follow import follow
from permit_ledger.sample.command import simulate
from tests.keks import keyring

_STATUS = Path("/proc/self/status")
PERMITS, ROUNDS = 20_000, 5
QUICK_PERMITS, QUICK_ROUNDS = 3_000, 3
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
TODAY = shanghai_date(UNTIL)
GRACE_DAYS = 30
SHARE_MIN, MEMORY_MIB_MAX = 0.3, 300


def bench_analytics(console: Console, *, quick: bool) -> None:
    """Events a second of both sides, seconds for all answers, and the most memory."""
    permits, rounds = (QUICK_PERMITS, QUICK_ROUNDS) if quick else (PERMITS, ROUNDS)
    filling, reading, asking = [], [], []
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
                    filled, asked_s = _fill(url, head)
                    filling.append(filled)
                    asking.append(asked_s)
                else:
                    reading.append(_read(url, head))
        peak_mib = _peak_mib(url, head)
    _report(console, head, Rates(filling), Rates(reading), asking, peak_mib)


def _grow(url: str, permits: int) -> int:
    with closing(
        BlockingLedger(url, blind_index=write_paths.BLIND_INDEX, keyring=keyring())
    ) as ledger:
        simulate(ledger, permits=permits, days=730, seed=1, until=UNTIL, policy=write_paths.POLICY)
        return ledger.head()


def _parser() -> EventMapper:
    return EventMapper(OrjsonTranscoder())


def _fill(url: str, head: int) -> tuple[Round, float]:
    """Fill from nothing to the log's head; then the seconds for all answers."""
    with TemporaryDirectory() as folder, closing(Sink(Path(folder), "log")) as sink:
        started = time.perf_counter()
        with closing(LogSource(url, _parser().parse).batches({}, Event())) as batches:  # type: ignore[type-var]
            for batch in batches:
                sink.write(batch)
                if batch.marks[LOG].position == head:
                    break
        filled = Round(head / (time.perf_counter() - started), [])
        started = time.perf_counter()
        sink.answers(TODAY, GRACE_DAYS)
        return filled, time.perf_counter() - started


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


def _peak_mib(url: str, head: int) -> int:
    filled = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "bench.analytics", str(head)],
        env={**os.environ, "PERMIT_LEDGER_DATABASE_URL": url},  # may hold a password
        check=True,
        capture_output=True,
        text=True,
    )
    return int(filled.stdout)


def _own_peak_mib() -> int:
    """Peak memory of this program: ``ru_maxrss`` includes the process before its exec."""
    [line] = [each for each in _STATUS.read_text().splitlines() if each.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


def _report(
    console: Console,
    head: int,
    filling: Rates,
    reading: Rates,
    asking: list[float],
    peak_mib: int,
) -> None:
    result = Result("analytics")
    share = statistics.median(
        ours.rate / theirs.rate for ours, theirs in zip(filling.rounds, reading.rounds, strict=True)
    )
    asked_s = statistics.median(asking)
    table = Table("what", "figure", "goal", title=f"analytics, {head:,} events")
    table.add_row("filled, events/s", f"{filling.median:,.0f}", "")
    table.add_row("read alone, events/s", f"{reading.median:,.0f}", "")
    goal = "reached" if share >= SHARE_MIN else "SHORT"
    table.add_row("filled / read alone", f"{share:.2f}", f"≥ {SHARE_MIN}: {goal}")
    table.add_row("all answers, s", f"{asked_s:.2f}", "")
    goal = "reached" if peak_mib <= MEMORY_MIB_MAX else "SHORT"
    table.add_row("most memory, MiB", f"{peak_mib:,}", f"≤ {MEMORY_MIB_MAX}: {goal}")
    result.ratios["filled_vs_read_alone"] = share
    result.figures = {
        "events": head,
        "filled_events_per_s": filling.median,
        "read_alone_events_per_s": reading.median,
        "answers_s": asked_s,
        "peak_mib": peak_mib,
    }
    result.show(console, table)


if __name__ == "__main__":
    _fill(os.environ["PERMIT_LEDGER_DATABASE_URL"], int(sys.argv[1]))
    print(_own_peak_mib())
