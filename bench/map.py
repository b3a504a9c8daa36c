"""The map of last events: what it costs to keep it up and to prove with it, by its size.

A map of synthetic keys is made in PostgreSQL, in bulk. Then events of a thousand of its permits are
recorded and integrated, and the map is brought up to them as in production: events, leaves and
tiles read, hashed, written, and committed with a manifest. A process of its own does that for each
size, so that its memory can be compared.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path as File
from random import Random

import psutil
import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import write_paths
from bench.harness import Rates, Result, Round, flush_dirty_pages, fresh_database, server
from bench.tree import ORIGIN, Signers
from ledger.database.connections import Connection, connect
from projections.queries.permits import read_pool
from transparency import prefix_tree
from transparency.integrator import Integrator
from transparency.last_events import LastEvent, key_of
from transparency.last_signed import LastSignedStore
from transparency.logs import EVENTS
from transparency.manifests import ManifestMaker
from transparency.prefix_tree import EMPTY, SLOTS, Leaf, Path, Slot, Slots, encoded, joined, subtree
from transparency.reading import TreeReader

KEYS, QUICK_KEYS = (1_000_000, 10_000_000), (10_000, 100_000)
ROUNDS, QUICK_ROUNDS = 7, 3
CHANGED = 1_000
PROOFS = 500
"""Of permits in the map, and as many of others."""
UPDATE_S_MAX, PROOF_BYTES_MAX, VERIFIED_MS_MAX = 1.0, 2_048, 1.0
GROWTH_MAX = 1.1
"""Of the memory in the larger map to that in the smaller one."""
MIB = 1 << 20


@dataclass(frozen=True)
class Updates:
    """Seconds of each update, and what its process had: bytes in all, and what one update itself
    allocates at most."""

    seconds: Sequence[float]
    resident_bytes: int
    allocated_bytes: int


@dataclass(frozen=True)
class Proofs:
    """Of each proof, how long it took to make from PostgreSQL and to verify, and its length as it
    is in evidence."""

    made_ms: list[float]
    verified_ms: list[float]
    length: list[int]


def bench_map(console: Console, *, quick: bool) -> None:
    """An update of 1,000 permits and proofs, in a smaller and in a larger map."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    measured = dict[int, tuple[Updates, Proofs]]()
    for keys in QUICK_KEYS if quick else KEYS:
        with server() as (folder, embedded), fresh_database(embedded, "map") as url:
            streams = [f"{number:012d}" for number in range((rounds + 1) * CHANGED)]
            with write_paths.prepared(url):
                _fill(url, keys, streams, console)
            flush_dirty_pages(embedded)
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                updates = process.submit(_updates, url, folder, streams).result()
            measured[keys] = updates, uvloop.run(_proofs(url, streams))
    _report(measured, console)


def _report(measured: Mapping[int, tuple[Updates, Proofs]], console: Console) -> None:
    result = Result("map")
    table = Table("", *(f"{keys:,} keys" for keys in measured), "goal", title="map")

    def row(what: str, values: Sequence[str], goal: str = "", *, reached: bool = True) -> None:
        verdict = f"{goal}: {'reached' if reached else 'SHORT'}" if goal else ""
        table.add_row(what, *values, verdict)

    for keys, (updates, proofs) in measured.items():
        result.figures[str(keys)] = {
            "update_s": statistics.median(updates.seconds),
            "update_s_max": max(updates.seconds),
            "resident_bytes": updates.resident_bytes,
            "allocated_bytes": updates.allocated_bytes,
            "proof_bytes_p50": statistics.median(proofs.length),
            "proof_bytes_max": max(proofs.length),
            "made_ms": asdict(_Times.of(proofs.made_ms)),
            "verified_ms": asdict(_Times.of(proofs.verified_ms)),
        }
    of_size = list(result.figures.values())
    row(
        f"update of {CHANGED:,}, s: median, longest",
        [f"{each['update_s']:.3f}, {each['update_s_max']:.3f}" for each in of_size],
        f"≤ {UPDATE_S_MAX}",
        reached=max(each["update_s_max"] for each in of_size) <= UPDATE_S_MAX,
    )
    smaller, *_, larger = of_size
    growth = {name: larger[name] / smaller[name] for name in ("resident_bytes", "allocated_bytes")}
    row(
        "memory, MiB: process, update",
        [
            f"{each['resident_bytes'] / MIB:.0f}, {each['allocated_bytes'] / MIB:.1f}"
            for each in of_size
        ],
        f"process ≤ {GROWTH_MAX} of the first",
        reached=growth["resident_bytes"] <= GROWTH_MAX,
    )
    row(
        "a proof, bytes: median, longest",
        [f"{each['proof_bytes_p50']:,.0f}, {each['proof_bytes_max']:,}" for each in of_size],
        f"≤ {PROOF_BYTES_MAX:,}",
        reached=max(each["proof_bytes_max"] for each in of_size) <= PROOF_BYTES_MAX,
    )
    row(
        "made from PostgreSQL, ms: p50, p99",
        [f"{each['made_ms']['p50']:.2f}, {each['made_ms']['p99']:.2f}" for each in of_size],
    )
    row(
        "verified, ms: p50, p99",
        [f"{each['verified_ms']['p50']:.3f}, {each['verified_ms']['p99']:.3f}" for each in of_size],
        f"≤ {VERIFIED_MS_MAX}",
        reached=max(each["verified_ms"]["p99"] for each in of_size) <= VERIFIED_MS_MAX,
    )
    result.ratios = {
        "update_time_larger_vs_smaller_map": larger["update_s"] / smaller["update_s"],
        "process_memory_larger_vs_smaller_map": growth["resident_bytes"],
        "allocated_memory_larger_vs_smaller_map": growth["allocated_bytes"],
    }
    result.show(console, table)


@dataclass(frozen=True)
class _Times:
    p50: float
    p99: float

    @classmethod
    def of(cls, latencies_ms: Sequence[float]) -> _Times:
        rates = Rates([Round(0, latencies_ms)])
        return cls(rates.p50_ms, rates.p99_ms)


# -- the map -------------------------------------------------------------------------------------


def _fill(url: str, keys: int, streams: Sequence[str], console: Console) -> None:
    """A map of these streams and of random keys, a 256th of it at a time."""
    known = defaultdict[int, list[bytes]](list)
    for stream in streams:
        key = key_of(stream)
        known[key[0]].append(key)
    above: dict[int, dict[int, Slot | None]] = {slot: {} for slot in range(SLOTS)}
    with connect(url) as connection, connection.transaction():
        connection.execute(
            "ALTER TABLE ledger.last_events_tiles DROP CONSTRAINT last_events_tiles_path"
        )
        tiles = _Tiles(connection)
        for first in track(range(256), f"map of {keys:,} keys", console=console, transient=True):
            own = known[first]
            own += _random_keys(first, keys // 256 - len(own))
            leaves = [Leaf(key, EMPTY) for key in sorted(own)]
            path = bytes([first >> 4, first & 15])
            above[path[0]][path[1]] = subtree(leaves, path, tiles.keep)
            tiles.store()
        top = {slot: joined(slots, bytes([slot]), tiles.keep) for slot, slots in above.items()}
        root = joined(top, b"", tiles.keep)
        tiles.store()
        connection.execute(
            "ALTER TABLE ledger.last_events_tiles"
            " ADD CONSTRAINT last_events_tiles_path PRIMARY KEY (path)"
        )
        connection.execute("UPDATE ledger.last_events SET root = %s", [root])
    with connect(url) as connection:
        connection.execute("VACUUM (ANALYZE)")


def _random_keys(first: int, count: int) -> list[bytes]:
    """Keys with this first byte, the same in every run."""
    rest = Random(first).randbytes(31 * count)
    start = bytes([first])
    return [start + rest[at : at + 31] for at in range(0, len(rest), 31)]


class _Tiles:
    """Stores the tiles of a map that is made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[tuple[Path, bytes]] = []

    def keep(self, path: Path, slots: Slots) -> None:
        self._rows.append((path, encoded(slots)))

    def store(self) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy("COPY ledger.last_events_tiles FROM STDIN (FORMAT BINARY)") as into,
        ):
            into.set_types(("bytea", "bytea"))
            for row in self._rows:
                into.write_row(row)
        self._rows.clear()


# -- updates -------------------------------------------------------------------------------------


def _updates(url: str, folder: File, streams: Sequence[str]) -> Updates:
    """An update for each thousand streams; in the last one memory is traced, and time is not."""
    with connect(url) as connection:
        batches = [streams[at : at + CHANGED] for at in range(0, len(streams), CHANGED)]
        seconds = [_update(connection, folder, batch) for batch in batches[:-1]]
        resident = psutil.Process().memory_info().rss
        tracemalloc.start()
        _update(connection, folder, batches[-1])
        _, allocated = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return Updates(seconds, resident, allocated)


def _update(connection: Connection, folder: File, streams: Sequence[str]) -> float:
    """Record and integrate an event of each stream, and bring the map up to them; returns how many
    seconds that has taken by itself."""
    [event] = write_paths.issued_events(1)
    connection.execute(
        "INSERT INTO ledger.events (position, stream, version, topic, state)"
        " SELECT head.position + number, stream, 2, %(topic)s, %(state)s"
        " FROM ledger.head, unnest(%(streams)s::text[]) WITH ORDINALITY AS own (stream, number)",
        {"topic": event.topic, "state": event.state, "streams": list(streams)},
    )
    connection.execute("UPDATE ledger.head SET position = position + %s", [len(streams)])
    memory = LastSignedStore(folder / "tree", EVENTS.name)
    integrator = Integrator(connection, EVENTS, ORIGIN, Signers().of(EVENTS.name), memory)
    while integrator.step():
        pass
    if tracemalloc.is_tracing():
        tracemalloc.reset_peak()
    started = time.perf_counter()
    if not ManifestMaker(connection, 0).make(asked=True):
        raise AssertionError("the map is not up to the events")
    return time.perf_counter() - started


# -- proofs --------------------------------------------------------------------------------------


async def _proofs(url: str, streams: Sequence[str]) -> Proofs:
    """Of permits that were changed, and of some that do not exist."""
    chance, found = Random(1), Proofs([], [], [])
    positions = chance.sample(range(1, len(streams) + 1), PROOFS)
    async with read_pool(url, connections_max=2) as pool:
        reader = TreeReader(pool, ORIGIN, list)
        await reader.last_event(streams[0])
        wanted: list[tuple[str, LastEvent | None]] = [
            (f"no permit {n}", None) for n in range(PROOFS)
        ]
        for position in positions:
            one = await reader.recorded(position)
            if one is None:
                raise AssertionError(position)
            # Its first version is not in the log of this benchmark, so no leaf is before it.
            wanted.append((one.stream, LastEvent(one.version, one.leaf, one.salt)))
        for stream, last in wanted:
            started = time.perf_counter()
            proved = await reader.last_event(stream)
            found.made_ms.append((time.perf_counter() - started) * 1000)
            if proved is None:
                raise AssertionError("there is no manifest")
            started = time.perf_counter()
            proved.check(stream, last)
            found.verified_ms.append((time.perf_counter() - started) * 1000)
            found.length.append(_length(proved.proof, last))
    return found


def _length(proof: prefix_tree.Proof, last: LastEvent | None) -> int:
    """As in evidence: a line of Base64 for each hash, and the row; of an absence, the leaf that
    stands in the way."""
    line = 45
    end = len(last.row) if last else 2 * line if proof.leaf else 0
    return line * len(proof.siblings) + end
