"""The engine beside its peers: the same sealed events, the same disk, the same durability.

Appending: each writer begins a new stream with one event, waits until it is durable, and takes the
next. Every side refuses a version that its stream has already. The events were sealed before: what
is measured is the log, not the application. :data:`NOTES` says what each side does besides.

Integrating: Tessera's POSIX driver has the finished entries in memory, and stores them too. Ours
reads the events of the same entries from PostgreSQL, finds their predecessors and makes the
entries; ``finished`` reads the entries, as they are, from a table. Both store tiles and sign
checkpoints.

Rounds alternate between the sides; a ratio is the median of the rounds'. A peer that cannot be had
on this machine is left out, with the reason.
"""

from __future__ import annotations

import importlib
import os
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import orjson
from eventsourcing.persistence import StoredEvent
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import bare_postgres, peer_tools, write_paths
from bench.append import Side, appending, raw_inserts
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
from bench.peer_tools import Missing
from bench.tree import entries_of, fill, forget_tree, integrate
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import Connection, connect
from tests.keks import keyring
from transparency.entries import bundled
from transparency.last_signed import LastSignedStore
from transparency.logs import EVENTS, MANIFESTS

WRITERS = (1, 8, 64, 256)
ROUNDS, ROUND_S = 5, 1.5
QUICK_ROUNDS, QUICK_ROUND_S = 3, 0.4
LEAVES, QUICK_LEAVES = 100_000, 20_000
TESSERA_BATCHES = (256, 4096)
"""Its default, and a larger one for a backlog."""
INTEGRATOR_MIN = 1.5
CONNECTIONS_MAX = bare_postgres.INSERT_CONNECTIONS_MAX
STARTED_S = 30.0
SLOW_A_SECOND_MAX = 40_000
"""Prepared before a round of a peer, for each second of it."""

NOTES = {
    "ours": "positions without gaps in commit order; a salt for each row; one commit for all that"
    " wait",
    "stock": "the library's recorder: positions without gaps, under a lock of the whole table",
    "message-db": "one transaction an event, under a lock of the category; JSONB, a global position"
    " with gaps",
    "Emmett": "one transaction an event, in Node.js; two tables, JSONB, a global position with"
    " gaps",
    "UmaDB": "a server of its own over gRPC, clients in Python; one commit for all that wait",
    "raw INSERT": f"one transaction a row, at most {CONNECTIONS_MAX} connections; positions of the"
    " client's, a salt for each row",
}
FINISHED = replace(
    MANIFESTS,
    name=EVENTS.name,
    suffix=EVENTS.suffix,
    head=EVENTS.head,
    page="SELECT position, entry FROM finished"
    " WHERE position > %(after)s AND position <= %(until)s ORDER BY position",
)
"""The events' entries as a log of its own."""
_MESSAGE_DB = (
    *("roles/message-store", "schema/message-store", "tables/messages", "types/message"),
    *("functions/message-store-version", "functions/hash-64", "functions/acquire-lock"),
    *("functions/category", "functions/is-category", "functions/id", "functions/cardinal-id"),
    *("functions/stream-version", "functions/write-message"),
    *("indexes/messages-id", "indexes/messages-stream", "indexes/messages-category"),
)
"""What its own script installs, in that order, but for views and functions that read."""


def bench_peers(console: Console, *, quick: bool) -> None:
    """Events a second of each side at 1, 8, 64 and 256 writers, and of both integrators."""
    rounds, seconds = (QUICK_ROUNDS, QUICK_ROUND_S) if quick else (ROUNDS, ROUND_S)
    result = Result("peers")
    columns = ("side", "writers", "events/s", "p50 ms", "p99 ms", "ours / it")
    table = Table(*columns, title="peers")
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        urls = {
            name: stack.enter_context(fresh_database(embedded, name))
            for name in ("ours", "stock", "raw", "message_db", "emmett", "tree")
        }
        sides = _sides(stack, urls, folder, console)
        for writers in WRITERS:
            measured: list[dict[str, Round]] = []
            for n in track(range(rounds), f"peers: {writers}", console=console, transient=True):
                done = {}
                for name, side in list(sides.items())[:: 1 if n % 2 else -1]:
                    flush_dirty_pages(embedded)
                    done[name] = side(writers, seconds)
                measured.append(done)
            _report(
                result, table, writers, [{name: each[name] for name in sides} for each in measured]
            )
        _integrating(
            result,
            table,
            urls["tree"],
            folder,
            (rounds, QUICK_LEAVES if quick else LEAVES),
            console,
        )
    for name, ratio in result.ratios.items():
        goal = INTEGRATOR_MIN if name.startswith("integrator") else 1
        if ratio < goal and not name.startswith(("peers_1_", "peers_8_")):
            console.print(f"SHORT: {name} is {ratio:.2f}, the goal {goal}")
    for name, note in NOTES.items():
        console.print(f"{name}: {note}", highlight=False)
    result.show(console, table)


def _report(result: Result, table: Table, writers: int, rounds: list[dict[str, Round]]) -> None:
    for name in rounds[0]:
        rates = Rates([each[name] for each in rounds])
        ratio = statistics.median(each["ours"].rate / each[name].rate for each in rounds)
        table.add_row(
            name,
            str(writers),
            f"{rates.median:,.0f}",
            f"{rates.p50_ms:.2f}",
            f"{rates.p99_ms:.2f}",
            f"{ratio:.2f}",
            end_section=name == list(rounds[0])[-1],
        )
        figures = {"events_per_s": rates.median, "p50_ms": rates.p50_ms, "p99_ms": rates.p99_ms}
        result.figures[f"{name}_{writers}"] = figures
        if name != "ours":
            result.ratios[f"peers_{writers}_vs_{name}"] = ratio


# -- appending ---------------------------------------------------------------------------------


def _sides(
    stack: ExitStack, urls: dict[str, str], folder: Path, console: Console
) -> dict[str, Side]:
    url = stack.enter_context(write_paths.prepared(urls["ours"]))
    ledger = BlockingLedger(url, blind_index=write_paths.BLIND_INDEX, keyring=keyring())
    stack.enter_context(closing(ledger))
    stock = stack.enter_context(write_paths.stock_ledger(urls["stock"]))
    bare_postgres.create(urls["raw"])
    sides = {
        "ours": appending(stack, ledger, url),
        "stock": _threads(lambda event: stock.recorder.insert_events([event])),
        "raw INSERT": raw_inserts(urls["raw"]),
    }
    peers: dict[str, Callable[[], Side]] = {
        "message-db": lambda: _message_db(stack, urls["message_db"]),
        "Emmett": lambda: _emmett(stack, urls["emmett"], folder),
        "UmaDB": lambda: _umadb(stack, folder),
    }
    for name, peer in peers.items():
        try:
            sides[name] = peer()
        except Missing as reason:
            console.print(f"{name} is left out: {reason}", highlight=False)
    return sides


def _threads(append: Callable[[StoredEvent], object]) -> Side:
    """A thread for each writer."""

    def run(writers: int, seconds: float) -> Round:
        events = deque(write_paths.issued_events(int(SLOW_A_SECOND_MAX * seconds)))
        return run_for(seconds, [lambda: append(events.popleft())] * writers)

    return run


def _message_db(stack: ExitStack, url: str) -> Side:
    scripts = peer_tools.npm_packages() / "node_modules/@eventide/message-db/database"
    with connect(url) as connection:
        connection.execute("SET search_path = message_store, public")
        for name in _MESSAGE_DB:
            connection.execute((scripts / f"{name}.sql").read_bytes())
    pool: ConnectionPool[Connection] = ConnectionPool(
        url,
        connection_class=Connection,
        kwargs={"autocommit": True, "options": "-c search_path=message_store,public"},
        min_size=CONNECTIONS_MAX,
        max_size=CONNECTIONS_MAX,
    )
    stack.enter_context(pool)

    def append(event: StoredEvent) -> None:
        stream = f"permit-{event.originator_id}"
        with pool.connection() as connection:
            connection.execute(
                "SELECT write_message(%s, %s, %s, %s::jsonb, NULL, -1)",
                [str(uuid4()), stream, event.topic, event.state.decode()],
            )

    return _threads(append)


def _emmett(stack: ExitStack, url: str, folder: Path) -> Side:
    node, packages = peer_tools.node(), peer_tools.npm_packages()
    [event] = write_paths.issued_events(1)
    state = folder / "state.json"
    state.write_bytes(event.state)
    where = conninfo_to_dict(url)
    host = quote(str(where["host"]), safe="")
    address = f"postgresql://{where['user']}@localhost/{where['dbname']}?host={host}"
    process = stack.enter_context(
        _running(
            [node, peer_tools.PROGRAMS / "emmett.mjs", address, state, event.topic],
            {"PEER_PACKAGES": str(packages)},
        )
    )
    if process.stdout.readline() != b"ready\n":
        raise Missing("it does not start")

    def run(writers: int, seconds: float) -> Round:
        process.stdin.write(orjson.dumps({"writers": writers, "seconds": seconds}) + b"\n")
        process.stdin.flush()
        done = orjson.loads(process.stdout.readline())
        return Round(done["rate"], done["latencies_ms"])

    return run


def _umadb(stack: ExitStack, folder: Path) -> Side:
    packages = peer_tools.python_packages()
    sys.path.insert(0, str(packages))
    umadb = importlib.import_module("umadb")
    start = "from umadb.umadb_server_cli import main; main()"
    port = peer_tools.free_port()
    options = ["--listen", f"127.0.0.1:{port}", "--db-path", folder / "events.uma"]
    stack.enter_context(
        _running([sys.executable, "-c", start, *options], {"PYTHONPATH": str(packages)})
    )
    client = umadb.Client(f"http://127.0.0.1:{port}")
    _wait_for(client.head)

    def append(event: StoredEvent) -> None:
        stream = [event.originator_id]
        none_yet = umadb.AppendCondition(umadb.Query([umadb.QueryItem(tags=stream)]))
        client.append([umadb.Event(event.topic, event.state, stream)], none_yet)

    return _threads(append)


@contextmanager
def _running(command: list[Any], environment: dict[str, str]) -> Iterator[Any]:
    process = subprocess.Popen(  # noqa: S603  own commands
        command,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(works: Callable[[], object]) -> None:
    deadline = time.monotonic() + STARTED_S
    while True:
        try:
            works()
        except Exception as error:
            if time.monotonic() > deadline:
                raise Missing(f"it does not start: {error}") from error
            time.sleep(0.1)  # it is another program, which says nothing when it is ready
        else:
            return


# -- integrating -------------------------------------------------------------------------------


def _integrating(
    result: Result,
    table: Table,
    url: str,
    folder: Path,
    size: tuple[int, int],
    console: Console,
) -> None:
    rounds, leaves = size
    try:
        program = peer_tools.tessera()
    except Missing as reason:
        console.print(f"Tessera is left out: {reason}", highlight=False)
        return
    with write_paths.prepared(url):
        fill(url, leaves)
    file = folder / "entries"
    rates: dict[str, list[float]] = {}
    logs = {"integrator": EVENTS, "integrator, finished": FINISHED}
    with connect(url) as connection:
        entries = entries_of(connection)
        file.write_bytes(bundled(entries))
        _store_finished(connection, entries)
        for n in track(range(rounds), "peers: trees", console=console, transient=True):
            for name, log in logs.items():
                memory = LastSignedStore(folder / f"tree of {name} {n}", EVENTS.name)
                forget_garbage()
                started = time.perf_counter()
                integrate(connection, url, memory, log)
                rates.setdefault(name, []).append(leaves / (time.perf_counter() - started))
                forget_tree(connection)
            for batch in TESSERA_BATCHES:
                at = folder / f"tessera {batch} {n}"
                options = ["-entries", str(file), "-log", str(at), "-batch", str(batch)]
                done = subprocess.run(  # noqa: S603  own command
                    [program, *options], check=True, capture_output=True
                )
                rates.setdefault(f"Tessera, {batch} at a time", []).append(
                    leaves / float(done.stdout)
                )
    for name, of_side in rates.items():
        result.figures[name] = {"entries_per_s": statistics.median(of_side)}
        ratios = {
            side: statistics.median(a / b for a, b in zip(rates[side], of_side, strict=True))
            for side in logs
        }
        shown = " / ".join(f"{ratio:.2f}" for ratio in ratios.values())
        table.add_row(name, "", f"{statistics.median(of_side):,.0f}", "", "", shown)
        if name not in logs:
            for side, ratio in ratios.items():
                result.ratios[f"{side}_vs_{name}"] = ratio


def _store_finished(connection: Connection, entries: list[bytes]) -> None:
    connection.execute("CREATE TABLE finished (position bigint PRIMARY KEY, entry bytea NOT NULL)")
    with connection.cursor() as cursor, cursor.copy("COPY finished FROM STDIN") as into:
        for position, entry in enumerate(entries, 1):
            into.write_row((position, entry))
    connection.execute("VACUUM (ANALYZE) finished")
