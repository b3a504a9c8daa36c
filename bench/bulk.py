"""Many events in few transactions: ours against the stock recorder and against bare PostgreSQL with
the same rows.

Ours starts from permits whose events are still pending: it includes the mapping and the uniqueness
of holders. The others get finished rows. Rounds alternate; a ratio is the median of the rounds'.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from typing import TypeVar

from eventsourcing.persistence import StoredEvent
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import bare_postgres, write_paths
from bench.harness import Rates, Result, Round, fresh_database, server
from domain.permit import Permit
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.blocking import BlockingLedger
from ledger.commands.bulk import BATCH_EVENTS_MAX, BulkAppender
from ledger.crypto.holder_keys import HolderKey
from ledger.database.connections import connect
from ledger.eventlog.registry import ClaimHolder
from tests.keks import keyring

ROUNDS, PERMITS = 7, 5_000
QUICK_ROUNDS, QUICK_PERMITS = 3, 2_000
SINGLE_INSERTS = 1_000
BATCHES = (8, 64, 256, BATCH_EVENTS_MAX)

T = TypeVar("T")
KEY = HolderKey("bench", bytes(32))
_mapper = EventMapper(OrjsonTranscoder())


def bench_bulk(console: Console, *, quick: bool) -> None:
    """Events a second of each side; four events of each permit."""
    rounds, permits = (QUICK_ROUNDS, QUICK_PERMITS) if quick else (ROUNDS, PERMITS)
    result = Result("bulk")
    measured: list[dict[str, Round]] = []
    with ExitStack() as stack:
        _, embedded = stack.enter_context(server())
        urls = {
            name: stack.enter_context(fresh_database(embedded, name))
            for name in ("ours", "stock", "raw")
        }
        url = stack.enter_context(write_paths.prepared(urls["ours"]))
        ledger = stack.enter_context(
            closing(BlockingLedger(url, blind_index=write_paths.BLIND_INDEX, keyring=keyring()))
        )
        stock = stack.enter_context(write_paths.stock_ledger(urls["stock"]))
        bare_postgres.create(urls["raw"])
        for _ in track(range(rounds), "bulk", console=console, transient=True):
            lives = [_life() for _ in range(permits)]
            events = [
                _mapper.to_stored_event(e, KEY) for life in lives for e in life.pending_events
            ]
            done = {"ours": _ours(ledger, lives)}
            done["stock"] = _in_batches(events, BATCH_EVENTS_MAX, stock.recorder.insert_events)
            done |= _raw(urls["raw"], events)
            measured.append(done)
    result.figures["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _report(result, measured, console)


def _report(result: Result, measured: list[dict[str, Round]], console: Console) -> None:
    table = Table("side", "events/s", "p50 ms a batch", "p99 ms a batch", "ours / it", title="bulk")
    for name in measured[0]:
        rates = Rates([each[name] for each in measured])
        ratio = statistics.median(each["ours"].rate / each[name].rate for each in measured)
        percentiles = [f"{ms:.2f}" if ms else "" for ms in (rates.p50_ms, rates.p99_ms)]
        table.add_row(name, f"{rates.median:,.0f}", *percentiles, f"{ratio:.2f}")
        result.figures[name] = {"events_per_s": rates.median, "p50_ms": rates.p50_ms}
        if name != "ours":
            result.ratios[f"bulk_vs_{name}"] = ratio
    result.show(console, table)


def _life() -> Permit:
    """Issued, collected, lost, reissued; all of it pending."""
    permit, by = write_paths.new_permit(), write_paths.context()
    permit.deliver_card(by)
    permit.report_loss(by)
    permit.reissue(by)
    return permit


def _ours(ledger: BlockingLedger, lives: Sequence[Permit]) -> Round:
    events = sum(len(permit.pending_events) for permit in lives)
    takes = [
        ClaimHolder(ledger.blind_index.of(p.person.citizen_id_number), p.holder_id, p.id)
        for p in lives
    ]
    started = time.perf_counter()
    with BulkAppender(ledger) as bulk:
        for permit, take in zip(lives, takes, strict=True):
            bulk.add(permit, [take], new_holder=True)
    return Round(events / (time.perf_counter() - started), [])


def _raw(url: str, events: Sequence[StoredEvent]) -> dict[str, Round]:
    """Each write path with rows of its own: the same states under other permit numbers."""
    done = {}
    with connect(url) as connection:

        def run(size: int, write: Callable[..., None], among: Sequence[StoredEvent]) -> Round:
            return _in_batches(
                bare_postgres.rows(_renamed(among)), size, lambda b: write(connection, b)
            )

        done["raw_insert"] = run(1, bare_postgres.insert, events[:SINGLE_INSERTS])
        for size in BATCHES:
            done[f"raw_unnest_{size}"] = run(size, bare_postgres.unnest, events)
            done[f"raw_copy_{size}"] = run(size, bare_postgres.copy, events)
    done["raw_copy"] = done.pop(f"raw_copy_{BATCH_EVENTS_MAX}")
    return done


_copies = iter(range(10**9))


def _renamed(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    suffix = f"-{next(_copies)}"
    return [
        StoredEvent(f"{e.originator_id}{suffix}", e.originator_version, e.topic, e.state)
        for e in events
    ]


def _in_batches(rows: Sequence[T], size: int, write: Callable[[list[T]], object]) -> Round:
    latencies = []
    for batch in _batches(rows, size):
        started = time.perf_counter()
        write(batch)
        latencies.append((time.perf_counter() - started) * 1000)
    return Round(len(rows) / sum(latencies) * 1000, latencies)


def _batches(rows: Sequence[T], size: int) -> Iterator[list[T]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, size)):
        yield batch
