"""The cost of encryption: the same work with personal data encrypted and in the clear, in one run.

Issuing (64 and 256 at a time, through the application as the service does it), appending in bulk,
and one projector catching up on a plausible district, all three views. A cost is the clear side's
rate over the sealed side's, the median of the rounds'; rounds alternate between the write_paths.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from threading import Event

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import write_paths
from bench.append import issuing
from bench.harness import (
    Rates,
    Result,
    Round,
    flush_dirty_pages,
    forget_garbage,
    fresh_database,
    server,
)
from bench.unencrypted import ClearLedger, ClearOpener
from ledger.commands.blocking import BlockingLedger
from ledger.commands.bulk import BulkAppender
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import connect
from ledger.eventlog.follow import follow
from ledger.eventlog.registry import ClaimHolder
from projections.projector.pages import EventOpener
from projections.projector.runner import Projector, position
from projections.views.registry import all_views
from tests.keks import keyring

ROUNDS, ROUND_S, PERMITS, DISTRICT = 7, 0.6, 4_000, 4_000
QUICK_ROUNDS, QUICK_ROUND_S, QUICK_PERMITS, QUICK_DISTRICT = 3, 0.3, 1_000, 1_000
CLIENTS = (1, 64, 256)
SHORT_ROUNDS = 3
"""More rounds of short measurements, since other programs disturb a few of them."""
COST_MAX = 1.35

Work = Callable[[], Round]


def bench_sealing(console: Console, *, quick: bool) -> None:
    """Events a second of both sides, and the cost of one over the other."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    seconds = QUICK_ROUND_S if quick else ROUND_S
    permits, district = (QUICK_PERMITS, QUICK_DISTRICT) if quick else (PERMITS, DISTRICT)
    result = Result("sealing")
    measured: dict[str, list[tuple[Round, Round]]] = {}
    with ExitStack() as stack:
        _, embedded = stack.enter_context(server())
        urls = {
            name: stack.enter_context(
                write_paths.prepared(stack.enter_context(fresh_database(embedded, name)))
            )
            for name in ("sealed", "clear", "sealed_district", "clear_district")
        }
        sealed = _ledger(stack, BlockingLedger, urls["sealed"])
        clear = _ledger(stack, ClearLedger, urls["clear"])
        issue_sealed = issuing(stack, sealed, urls["sealed"])
        issue_clear = issuing(stack, clear, urls["clear"])
        contests: dict[str, tuple[Work, Work]] = {
            f"append_{clients}": (
                lambda c=clients: issue_sealed(c, seconds),  # type: ignore[misc]
                lambda c=clients: issue_clear(c, seconds),  # type: ignore[misc]
            )
            for clients in CLIENTS
        }
        contests["bulk"] = (lambda: _bulk(sealed, permits), lambda: _bulk(clear, permits))
        contests["catch_up"] = (
            _catching_up(stack, BlockingLedger, urls["sealed_district"], district),
            _catching_up(stack, ClearLedger, urls["clear_district"], district),
        )
        plan = [(name, n) for name in contests for n in range(_rounds(name, rounds))]
        for name, n in track(plan, "sealing", console=console, transient=True):
            done = []
            for work in contests[name] if n % 2 else reversed(contests[name]):
                flush_dirty_pages(embedded)
                forget_garbage()
                done.append(work())
            ours, theirs = done if n % 2 else reversed(done)
            measured.setdefault(name, []).append((ours, theirs))
    _report(result, measured, console)


def _rounds(name: str, rounds: int) -> int:
    return rounds * SHORT_ROUNDS if name.startswith("append") else rounds


def _report(result: Result, measured: dict[str, list[tuple[Round, Round]]], to: Console) -> None:
    table = Table("work", "sealed events/s", "clear events/s", "cost", "goal", title="sealing")
    for name, rounds in measured.items():
        sealed, clear = (Rates([each[side] for each in rounds]).median for side in (0, 1))
        cost = statistics.median(theirs.rate / ours.rate for ours, theirs in rounds)
        goal = f"≤ {COST_MAX}: {'reached' if cost <= COST_MAX else 'SHORT'}"
        table.add_row(name, f"{sealed:,.0f}", f"{clear:,.0f}", f"{cost:.2f}", goal)
        result.ratios[f"{name}_cost_vs_clear"] = cost
        result.figures[name] = {"sealed_events_per_s": sealed, "clear_events_per_s": clear}
    result.show(to, table)


def _ledger(stack: ExitStack, kind: type[BlockingLedger], url: str) -> BlockingLedger:
    ledger = kind(url, blind_index=write_paths.BLIND_INDEX, keyring=keyring())
    return stack.enter_context(closing(ledger))


def _bulk(ledger: BlockingLedger, permits: int) -> Round:
    """New holders, three events each."""
    lives = [write_paths.new_permit() for _ in range(permits)]
    for permit in lives:
        permit.report_loss(write_paths.context())
        permit.reissue(write_paths.context())
    events = sum(len(permit.pending_events) for permit in lives)
    started = time.perf_counter()
    with BulkAppender(ledger) as bulk:
        for permit in lives:
            index = ledger.blind_index.of(permit.person.citizen_id_number)
            bulk.add(permit, [ClaimHolder(index, permit.holder_id, permit.id)], new_holder=True)
    return Round(events / (time.perf_counter() - started), [])


def _catching_up(
    stack: ExitStack,
    kind: type[BlockingLedger],
    url: str,
    permits: int,
) -> Work:
    """From an empty view to the head of a district's log, which is filled here."""
    ledger = _ledger(stack, kind, url)
    opener = ClearOpener() if kind is ClearLedger else EventOpener(HolderKeys(keyring()))
    head = write_paths.grow_permits_alone(ledger, permits)

    def run() -> Round:
        stop = Event()
        projector = Projector(url, all_views(ledger.blind_index), opener, stop)
        with connect(url) as connection:
            connection.execute("TRUNCATE views.physical_permits, views.electronic_permits")
            connection.execute("TRUNCATE views.permit_search")
            connection.execute("UPDATE views.position SET position = 0")
            started = time.perf_counter()
            for page in follow(url, after=0, stop=stop):
                projector.apply(connection, page)
                if position(connection) == head:
                    break
            return Round(head / (time.perf_counter() - started), [])

    return run
