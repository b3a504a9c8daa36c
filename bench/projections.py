"""Keeping the views: ours and the library's projection runner, the same handlers, in one run.

Catching up with a plausible district's log, and the time from an event's commit until it is visible
in both views. Rounds alternate between the sides; a ratio is the median of the rounds'. Also
rebuilding a view beside the live one, with the proof that both are equal: its rate over our own
catching up, and the memory of the building processes.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from eventsourcing.persistence import Notification
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import library_projection, write_paths
from bench.harness import (
    Rates,
    Result,
    Round,
    flush_dirty_pages,
    forget_garbage,
    fresh_database,
    server,
)
from ledger.commands.blocking import BlockingLedger
from ledger.commands.runner import Command
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.holder_keys import HolderKeys, Keys
from ledger.crypto.key_encryption import Keyring
from ledger.database.connections import connect
from ledger.eventlog.follow import follow
from projections.projector.pages import EventOpener
from projections.projector.runner import Projector, position
from projections.queries.waiting import ViewPosition
from projections.rebuild.loading import Parts
from projections.rebuild.rebuild import Rebuild
from projections.views.registry import all_views
from tests.keks import keyring

ROUNDS, PERMITS, STOCK_EVENTS, COMMITS = 5, 20_000, 3_000, 100
QUICK_ROUNDS, QUICK_PERMITS, QUICK_STOCK_EVENTS, QUICK_COMMITS = 3, 5_000, 800, 30
CATCH_UP_MIN, SOONER_MIN, P99_MS_MAX, PEAK_MIB_MAX = 30, 10, 50, 300
VIEWS, REBUILDS = ("physical", "electronic", "search"), 1
WAIT_S = 120
PAUSE_S = 0.02
"""Between two commits, so that the machine is idle at each."""


@dataclass(frozen=True)
class Sides:
    """One log, in the format of each side."""

    ledger: BlockingLedger
    url: str
    stock_url: str
    log: list[Notification]
    keys: Keys
    stock_events: int


def bench_projections(console: Console, *, quick: bool) -> None:
    """Events a second catching up, and milliseconds from a commit until it is seen."""
    rounds, permits, stock_events, commits = (
        (QUICK_ROUNDS, QUICK_PERMITS, QUICK_STOCK_EVENTS, QUICK_COMMITS)
        if quick
        else (ROUNDS, PERMITS, STOCK_EVENTS, COMMITS)
    )
    result = Result("projections")
    measured: dict[str, list[tuple[Round, Round]]] = {"catch_up": [], "visible": []}
    with ExitStack() as stack:
        _, embedded = stack.enter_context(server())
        urls = [
            stack.enter_context(
                write_paths.prepared(stack.enter_context(fresh_database(embedded, name)))
            )
            for name in ("ours", "stock")
        ]
        both = _fill(stack, urls[0], urls[1], permits, stock_events)
        contests: dict[str, tuple[Callable[[], Round], Callable[[], Round]]] = {
            "catch_up": (lambda: _our_catch_up(both), lambda: _stock_catch_up(both)),
            "visible": (lambda: _our_visible(both, commits), lambda: _stock_visible(both, commits)),
        }
        plan = [(name, n) for name in contests for n in range(rounds)]
        for name, n in track(plan, "projections", console=console, transient=True):
            done = []
            for work in contests[name] if n % 2 else reversed(contests[name]):
                flush_dirty_pages(embedded)
                forget_garbage()
                done.append(work())
            ours, theirs = done if n % 2 else reversed(done)
            measured[name].append((ours, theirs))
        rebuilds = [_rebuild(both, view) for view in VIEWS for _ in range(REBUILDS)]
    _report(result, measured, rebuilds, console)


def _report(
    result: Result,
    measured: dict[str, list[tuple[Round, Round]]],
    rebuilds: list[Round],
    to: Console,
) -> None:
    table = Table("work", "ours", "stock runner", "ratio", "goal", title="projections")
    rates = [Rates([each[side] for each in measured["catch_up"]]).median for side in (0, 1)]
    ratio = statistics.median(ours.rate / theirs.rate for ours, theirs in measured["catch_up"])
    goal = f"≥ {CATCH_UP_MIN}: {'reached' if ratio >= CATCH_UP_MIN else 'SHORT'}"
    table.add_row("catching up, events/s", *(f"{r:,.0f}" for r in rates), f"{ratio:.1f}", goal)
    result.ratios["catch_up_vs_stock"] = ratio
    result.figures["catch_up"] = {"ours_events_per_s": rates[0], "stock_events_per_s": rates[1]}

    rebuilt = Rates(rebuilds).median
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    table.add_row("rebuild, events/s", f"{rebuilt:,.0f}", "-", f"{rebuilt / rates[0]:.1f}", "")
    table.add_row("… peak MiB of a process", f"{peak_mib:,.0f}", "-", "", f"< {PEAK_MIB_MAX}")
    result.ratios["rebuild_vs_catch_up"] = rebuilt / rates[0]
    result.figures["rebuild"] = {"events_per_s": rebuilt, "peak_mib": peak_mib}

    ours, theirs = (Rates([each[side] for each in measured["visible"]]) for side in (0, 1))
    sooner = theirs.p50_ms / ours.p50_ms
    goal = f"≥ {SOONER_MIN}: {'reached' if sooner >= SOONER_MIN else 'SHORT'}"
    p50s = (f"{side.p50_ms:.1f}" for side in (ours, theirs))
    table.add_row("commit to visible, p50 ms", *p50s, f"{sooner:.1f}", goal)
    goal = f"< {P99_MS_MAX} ms: {'reached' if ours.p99_ms < P99_MS_MAX else 'SHORT'}"
    table.add_row("… p99 ms", f"{ours.p99_ms:.1f}", f"{theirs.p99_ms:.1f}", "", goal)
    result.ratios["visible_sooner_vs_stock"] = sooner
    result.figures["visible_ms"] = {
        name: {"p50": side.p50_ms, "p99": side.p99_ms}
        for name, side in (("ours", ours), ("stock", theirs))
    }
    result.show(to, table)


def _fill(stack: ExitStack, url: str, stock_url: str, permits: int, stock_events: int) -> Sides:
    ledger = stack.enter_context(
        closing(BlockingLedger(url, blind_index=write_paths.BLIND_INDEX, keyring=keyring()))
    )
    head = write_paths.grow_permits_alone(ledger, permits)
    pages = follow(url, after=0, stop=Event())
    log: list[Notification] = []
    while len(log) < head:
        log += next(pages)
    pages.close()
    first = log[:stock_events]
    library_projection.fill(stock_url, first)
    sealed = [ledger.event_mapper.parse(event) for event in first]
    holders = {event.envelope.holder for event in sealed if event.envelope}
    return Sides(ledger, url, stock_url, log, ledger.log.holder_keys([*holders]), len(first))


# -- catching up -------------------------------------------------------------------------------


def _empty(url: str) -> None:
    with connect(url) as connection:
        connection.execute("TRUNCATE views.physical_permits, views.electronic_permits")
        connection.execute("TRUNCATE views.permit_search")
        connection.execute("UPDATE views.position SET position = 0")
        connection.execute("DROP TABLE IF EXISTS stockviews_tracking")


@contextmanager
def projecting(url: str, blind_index: BlindIndex, keks: Keyring) -> Iterator[None]:
    """The projector as it runs in the service, in a thread."""
    stop = Event()
    projector = Projector(url, all_views(blind_index), EventOpener(HolderKeys(keks)), stop)
    thread = Thread(target=projector.run, name="projector")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _our_catch_up(both: Sides) -> Round:
    """From empty views to the log's head, with the projector as it runs in the service."""
    _empty(both.url)
    head = both.ledger.head()
    with connect(both.url) as connection:
        started = time.perf_counter()
        with projecting(both.url, write_paths.BLIND_INDEX, keyring()):
            while position(connection) < head:
                Event().wait(0.02)
            return Round(head / (time.perf_counter() - started), [])


def _stock_catch_up(both: Sides) -> Round:
    """The same handlers, event by event, as far into the same log as time allows."""
    _empty(both.stock_url)
    started = time.perf_counter()
    with library_projection.running(both.stock_url, both.keys) as runner:
        runner.wait(both.stock_events, timeout=WAIT_S)
        return Round(both.stock_events / (time.perf_counter() - started), [])


# -- rebuilding --------------------------------------------------------------------------------


def parts() -> Parts:
    """Make the views and the decryption, in each process of the rebuild."""
    return all_views(write_paths.BLIND_INDEX), EventOpener(HolderKeys(keyring()))


def _rebuild(both: Sides, view: str) -> Round:
    """From the log to the switch, the comparison in between."""
    with connect(both.url) as connection:
        started = time.perf_counter()
        built = Rebuild(connection, both.url, parts, view).run()
        seconds = time.perf_counter() - started
    if built.differences or not built.switched:
        raise SystemExit(f"{len(built.differences)} permits differ in {view}")
    return Round(built.events / seconds, [])


# -- from a commit until it is seen ------------------------------------------------------------


def _our_visible(both: Sides, commits: int) -> Round:
    """A command of the application, then a wait for its position."""

    async def run() -> list[float]:
        waited = []
        async with ViewPosition(both.url) as views:
            await views.wait_for(both.ledger.head(), WAIT_S)
            for _ in range(commits):
                await asyncio.sleep(PAUSE_S)
                answer = await asyncio.to_thread(
                    both.ledger.permits.issue,
                    write_paths.application(),
                    Command(write_paths.context()),
                )
                committed = time.perf_counter()
                if not await views.wait_for(answer.position or 0, WAIT_S):
                    raise TimeoutError
                waited.append((time.perf_counter() - committed) * 1000)
        return waited

    with projecting(both.url, write_paths.BLIND_INDEX, keyring()):
        return Round(0, asyncio.run(run()))


def _stock_visible(both: Sides, commits: int) -> Round:
    """An event of the library's application, then the library's own wait."""
    waited = []
    with library_projection.running(both.stock_url, both.keys) as runner:
        recorder = runner.app.recorder
        runner.wait(recorder.max_notification_id(), timeout=WAIT_S)
        for permit in [write_paths.new_permit() for _ in range(commits)]:
            Event().wait(PAUSE_S)
            stored, key = write_paths.sealed(permit)
            library_projection.OpeningMapper.KEYS[key.holder_id] = key
            [number] = recorder.insert_events([stored]) or [0]
            committed = time.perf_counter()
            runner.wait(number, timeout=WAIT_S)
            waited.append((time.perf_counter() - committed) * 1000)
    return Round(0, waited)
