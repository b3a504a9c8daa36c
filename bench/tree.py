"""The transparency log: the cost of hashing, integrating, proving and verifying, and its effect on
appends.

Hashing and integrating are measured against a plain loop of SHA-256 over the same entries, in
the same run; a ratio is the median of the rounds'. Integrating is all of it: rows read from
PostgreSQL, entries made, tiles and signed checkpoint written and committed. The same is done with
rows that have no salts, whose entries are of format 1, in turns with rows that have them.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from threading import Event

import uvloop
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
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import Connection, connect
from projections.queries.permits import read_pool
from tests.keks import keyring
from transparency.integrator import Integrator
from transparency.last_signed import LastSignedStore
from transparency.logs import EVENTS, LOGS, Log
from transparency.merkle import Edge, Tile, leaf_hash
from transparency.notes import NoteSigner
from transparency.read_ahead import ReadAhead
from transparency.reading import TreeReader
from transparency.runner import IntegratorRunner
from transparency.store import TreeStore
from transparency.verify.verification import Verification

ORIGIN = "bench/permit-ledger"
LEAVES, QUICK_LEAVES = 200_000, 30_000
PROOF_LEAVES, PROOFS = 1_000_000, 1_000
ROUNDS, QUICK_ROUNDS = 5, 3
COMMANDS, ROUND_S, QUICK_ROUND_S = 64, 3.0, 1.0
VERSIONS = 5
TURNS, QUICK_TURNS, TURN_LEAVES = 25, 7, 10_000
"""Short ones and many, since other programs disturb a few of them."""
GOALS = {
    "tree_hashing_vs_sha256": 0.2,
    "integrator_vs_sha256": 0.2,
    "integrator_vs_format_1": 0.9,
}
PROOF_MS_MAX, VERIFIED_PER_S_MIN = 5.0, 50_000
SLOWER_MAX = 1.1
"""An append with the integrator running takes about as long as without it."""
CATCH_UP_S = 60.0


class Signers:
    """A key for each log, made for this run."""

    changed_at = 0

    def __init__(self) -> None:
        self._keys = {
            name: NoteSigner(log.origin(ORIGIN), sha256(name.encode()).digest())
            for name, log in LOGS.items()
        }

    def of(self, tree: str) -> list[NoteSigner]:
        return [self._keys[tree]]


def bench_tree(console: Console, *, quick: bool) -> None:
    """Ratios to plain SHA-256, the time of a proof, appends with and without, verify-log's rate."""
    rounds, leaves = (QUICK_ROUNDS, QUICK_LEAVES) if quick else (ROUNDS, LEAVES)
    result = Result("tree")
    table = Table("what", "events/s", "p50 ms", "p99 ms", title="tree")
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        log, format_2, format_1, proofs, appends = (
            stack.enter_context(fresh_database(embedded, name))
            for name in ("log", "format_2", "format_1", "proofs", "appends")
        )
        for url in (log, format_2, format_1, proofs, appends):
            stack.enter_context(write_paths.prepared(url))
        fill(log, leaves)
        _hashing(result, table, log, folder, rounds)
        write_paths.without_salts(format_1)
        _formats(result, table, format_2, format_1, folder, QUICK_TURNS if quick else TURNS)
        _verifying(result, table, log, leaves)
        flush_dirty_pages(embedded)
        _proving(result, table, proofs)
        seconds = QUICK_ROUND_S if quick else ROUND_S
        plan = track(range(rounds), "tree: appends", console=console, transient=True)
        _appending(result, table, appends, folder / "tree of appends", seconds, plan)
    for name, goal in GOALS.items():
        if result.ratios[name] < goal:
            console.print(f"SHORT: {name} is {result.ratios[name]:.2f}, the goal {goal}")
    if result.figures["inclusion_proof_ms"]["p50"] >= PROOF_MS_MAX:
        console.print(f"SHORT: a proof takes more than {PROOF_MS_MAX} ms")
    if (slower := result.ratios["append_p50_with_vs_without"]) > SLOWER_MAX:
        console.print(f"SHORT: an append takes {slower:.2f} of its time without the integrator")
    if result.figures["verify_log_events_per_s"] < VERIFIED_PER_S_MIN:
        console.print(f"SHORT: verify-log does less than {VERIFIED_PER_S_MIN:,} events/s")
    result.show(console, table)


# -- hashing and integrating -------------------------------------------------------------------


def fill(url: str, events: int) -> None:
    """Stored events of permits with a few versions each."""
    [event] = write_paths.issued_events(1)
    with connect(url) as connection:
        connection.execute(
            "INSERT INTO ledger.events (position, stream, version, topic, state)"
            " SELECT n + 1, substring(md5((n %% %(permits)s)::text) FOR 12), 1 + n / %(permits)s,"
            " %(topic)s, %(state)s FROM generate_series(0, %(events)s - 1) AS n",
            {
                "permits": events // VERSIONS + 1,
                "topic": event.topic,
                "state": event.state,
                "events": events,
            },
        )
        connection.execute("UPDATE ledger.head SET position = %s", [events])
        connection.execute("VACUUM (ANALYZE)")


def _hashing(result: Result, table: Table, url: str, folder: Path, rounds: int) -> None:
    with connect(url) as connection:
        entries = entries_of(connection)
        times: dict[str, list[float]] = {"SHA-256": [], "tree in memory": [], "integrator": []}
        for n in range(rounds):
            memory = LastSignedStore(folder / f"tree {n}", EVENTS.name)
            times["SHA-256"].append(_timed(lambda: [sha256(each).digest() for each in entries]))
            times["tree in memory"].append(_timed(lambda: _grow(entries)))
            times["integrator"].append(
                _timed(lambda memory=memory: integrate(connection, url, memory))  # type: ignore[misc]
            )
            if n < rounds - 1:
                forget_tree(connection)
    for name, taken in times.items():
        rate = len(entries) / statistics.median(taken)
        table.add_row(name, f"{rate:,.0f}", "", "")
        result.figures[f"{name}_events_per_s"] = rate
    result.figures["entry_bytes"] = statistics.mean(map(len, entries))
    for name, side in (("tree_hashing", "tree in memory"), ("integrator", "integrator")):
        ratios = [a / b for a, b in zip(times["SHA-256"], times[side], strict=True)]
        result.ratios[f"{name}_vs_sha256"] = statistics.median(ratios)


def _formats(
    result: Result, table: Table, format_2: str, format_1: str, folder: Path, turns: int
) -> None:
    """The integrator's rate with salts and without, in turns."""
    times: dict[str, list[float]] = {"2": [], "1": []}
    for url in (format_2, format_1):
        fill(url, TURN_LEAVES)
    with connect(format_2) as newer, connect(format_1) as older:
        sides, urls = {"2": newer, "1": older}, {"2": format_2, "1": format_1}
        for n in range(turns):
            for name in sides if n % 2 else reversed(sides):
                forget_tree(sides[name])
                memory = LastSignedStore(folder / f"tree of {name}, {n}", EVENTS.name)
                times[name].append(_timed(partial(integrate, sides[name], urls[name], memory)))
    for name, taken in times.items():
        rate = TURN_LEAVES / statistics.median(taken)
        table.add_row(f"integrator, {TURN_LEAVES:,} of format {name}", f"{rate:,.0f}", "", "")
        result.figures[f"integrator_format_{name}_events_per_s"] = rate
    ratios = [older / newer for newer, older in zip(times["2"], times["1"], strict=True)]
    result.ratios["integrator_vs_format_1"] = statistics.median(ratios)


def entries_of(connection: Connection) -> list[bytes]:
    rows = connection.execute(EVENTS.rows, {"after": 0, "until": 2**40}, binary=True).fetchall()
    return EVENTS.entries(rows)


def _grow(entries: list[bytes]) -> None:
    edge = Edge(0, {})
    edge.grow(leaf_hash(entry) for entry in entries)
    edge.take_tiles()


def integrate(connection: Connection, url: str, memory: LastSignedStore, log: Log = EVENTS) -> None:
    signers = Signers().of(EVENTS.name)
    with ReadAhead(url) as ahead:
        integrator = Integrator(connection, log, ORIGIN, signers, memory, ahead)
        while integrator.step():
            pass


def forget_tree(connection: Connection) -> None:
    for kept in ("checkpoints", "checkpoint_signatures"):
        connection.execute(f"ALTER TABLE ledger.{kept} DISABLE TRIGGER append_only")
    connection.execute("TRUNCATE ledger.tiles, ledger.checkpoints, ledger.checkpoint_signatures")
    connection.execute("UPDATE ledger.trees SET size = 0, root = sha256('')")


def _timed(work: Callable[[], object]) -> float:
    forget_garbage()
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# -- verifying and proving ---------------------------------------------------------------------


def _verifying(result: Result, table: Table, url: str, events: int) -> None:
    signers = Signers()
    keys = [signer.verifier for name in LOGS for signer in signers.of(name)]
    found = []
    taken = _timed(lambda: found.extend(Verification(url, ORIGIN, keys, {}).run()))
    if any(each.findings for each in found):
        raise AssertionError(found)
    result.figures["verify_log_events_per_s"] = events / taken
    table.add_row("verify-log", f"{events / taken:,.0f}", "", "")


def _proving(result: Result, table: Table, url: str) -> None:
    chance, edge = random.Random(1), Edge(0, {})
    with connect(url) as connection:
        store = TreeStore(connection, EVENTS.name)
        tiles: dict[Tile, bytes] = {}
        before = store.head()
        for _ in range(0, PROOF_LEAVES, 50_000):
            edge.grow(chance.randbytes(32) for _ in range(50_000))
            tiles |= edge.take_full()
        connection.execute("UPDATE ledger.head SET position = %s", [edge.size])
        if not store.grow(before, (edge.size, edge.root), tiles | edge.take_tiles()):
            raise AssertionError("another process changed the tree")
        connection.execute("VACUUM (ANALYZE)")

    async def prove() -> list[float]:
        async with read_pool(url, connections_max=2) as pool:
            reader, taken = TreeReader(pool, ORIGIN, list), []
            await reader.inclusion(EVENTS, 0, PROOF_LEAVES)
            for _ in range(PROOFS):
                started = time.perf_counter()
                await reader.inclusion(EVENTS, chance.randrange(PROOF_LEAVES), PROOF_LEAVES)
                taken.append((time.perf_counter() - started) * 1000)
        return taken

    proofs = Rates([Round(0, uvloop.run(prove()))])
    table.add_row(
        f"inclusion in {PROOF_LEAVES:,} leaves", "", f"{proofs.p50_ms:.2f}", f"{proofs.p99_ms:.2f}"
    )
    result.figures["inclusion_proof_ms"] = {"p50": proofs.p50_ms, "p99": proofs.p99_ms}


# -- appends beside it -------------------------------------------------------------------------


def _appending(
    result: Result, table: Table, url: str, folder: Path, seconds: float, rounds: object
) -> None:
    measured: dict[str, list[Round]] = {"without": [], "with": []}
    with ExitStack() as stack:
        ledger = BlockingLedger(url, blind_index=write_paths.BLIND_INDEX, keyring=keyring())
        stack.enter_context(closing(ledger))
        issue = issuing(stack, ledger, url)
        issue(COMMANDS, 0.3)
        for _ in rounds:  # type: ignore[attr-defined]
            measured["without"].append(issue(COMMANDS, seconds))
            with _integrating(url, folder):
                measured["with"].append(issue(COMMANDS, seconds))
    rates = {name: Rates(of_side) for name, of_side in measured.items()}
    for name, each in rates.items():
        table.add_row(
            f"appends {name} integrator, {COMMANDS} at a time",
            f"{each.median:,.0f}",
            f"{each.p50_ms:.2f}",
            f"{each.p99_ms:.2f}",
        )
        result.figures[f"appends_{name}_integrator"] = {
            "events_per_s": each.median,
            "p50_ms": each.p50_ms,
            "p99_ms": each.p99_ms,
        }
    result.ratios["append_p50_with_vs_without"] = rates["with"].p50_ms / rates["without"].p50_ms
    result.ratios["append_p99_with_vs_without"] = rates["with"].p99_ms / rates["without"].p99_ms
    result.ratios["append_rate_with_vs_without"] = rates["with"].median / rates["without"].median


@contextmanager
def _integrating(url: str, folder: Path) -> Iterator[None]:
    """The integrator in a process of its own, as in production, caught up at the start."""
    process = get_context("spawn").Process(target=_run_integrator, args=(url, folder), daemon=True)
    process.start()
    try:
        asyncio.run(_caught_up(url))
        yield
    finally:
        process.terminate()
        process.join()


def _run_integrator(url: str, folder: Path) -> None:
    signers = Signers()
    IntegratorRunner(url, ORIGIN, signers, folder, Event(), manifest_interval_s=600).run()


async def _caught_up(url: str) -> None:
    deadline = time.monotonic() + CATCH_UP_S
    with connect(url) as connection:
        behind = (
            "SELECT head.position - trees.size FROM ledger.head, ledger.trees WHERE tree = 'events'"
        )
        while connection.execute(behind).fetchone() != (0,):
            if time.monotonic() > deadline:
                raise TimeoutError("the integrator does not catch up")
            await asyncio.sleep(0.05)
