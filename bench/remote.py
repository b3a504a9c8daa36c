"""Remote views catching up: one worker, two workers, and the log's own projector.

The same events, folded by the same code into databases of one server, in turns. The projector reads
the log and decrypts it; workers read the topic, which has nothing to decrypt. Each worker is a
process; time runs from when partitions are first claimed until the database holds every event.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import psycopg
from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.table import Table

from bench import write_paths
from bench.harness import Result, server
from consumers.contract.kinds import kinds_under
from consumers.kafka.brokers import Brokers
from consumers.relay.relay import Relay
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import as_service, connect
from permit_ledger.bootstrap.setup import bring_up_to_date, prepare
from projections.projector.pages import EventOpener
from projections.projector.runner import Projector
from projections.views.view import ELECTRONIC, PHYSICAL
from tests.chaos.workload import BLIND_INDEX
from tests.kafka.broker import Broker
from tests.kafka.remote import worker_process
from tests.keks import keyring

PERMITS, ROUNDS = 20_000, 3
QUICK_PERMITS, QUICK_ROUNDS = 6_000, 1
SOURCE = "https://localhost/permit-ledger"
POLL_S = 0.02
CATCH_UP_TIMEOUT_S = 600

BEGUN = "SELECT coalesce(sum(epoch) > 0, false) FROM views.feed_partitions"
APPLIED = """
    SELECT (SELECT coalesce(sum(version), 0) FROM views.physical_permits) = %s
       AND (SELECT coalesce(sum(version), 0) FROM views.electronic_permits) = %s
"""


def bench_remote(console: Console, *, quick: bool) -> None:
    """Exit with 1 if a database does not hold every event once."""
    result = Result("remote")
    rates: dict[str, list[float]] = {"log_projector": [], "one_worker": [], "two_workers": []}
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        broker = stack.enter_context(Broker(_made(folder / "kafka")))
        with connect(embedded.url) as owner:
            prepare(owner, BLIND_INDEX, keyring())
        url = as_service(embedded.url)
        ledger = stack.enter_context(
            closing(BlockingLedger(url, blind_index=BLIND_INDEX, keyring=keyring()))
        )
        permits = QUICK_PERMITS if quick else PERMITS
        head = write_paths.grow_permits_alone(ledger, permits)
        _relay_all(url, broker.address, head)
        for _ in range(QUICK_ROUNDS if quick else ROUNDS):
            rates["log_projector"].append(head / _from_log_s(embedded.url, ledger, head))
            for name, workers in (("one_worker", 1), ("two_workers", 2)):
                with _remote_database(embedded.url) as remote:
                    seconds = _from_topic_s(remote, broker.address, folder, workers, head)
                rates[name].append(head / seconds)
    medians = {name: statistics.median(of_side) for name, of_side in rates.items()}
    result.figures = {f"{name}_events_per_s": round(rate) for name, rate in medians.items()}
    result.figures |= {"events": head, "permits": permits}
    result.ratios = {
        "two_workers_vs_one_worker": medians["two_workers"] / medians["one_worker"],
        "one_worker_vs_log_projector": medians["one_worker"] / medians["log_projector"],
    }
    table = Table("what", "figure", title="remote views" + (" (SHORT)" if quick else ""))
    for what, figure in result.figures.items():
        table.add_row(what, f"{figure:,}")
    result.show(console, table)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _relay_all(url: str, address: str, head: int) -> None:
    stop = Event()
    relay = Relay(
        url, Brokers(address), EventMapper(OrjsonTranscoder()), kinds_under(""), SOURCE, stop
    )
    thread = Thread(target=relay.run)
    thread.start()
    try:
        with connect(url) as watching:
            query = "SELECT coalesce(position, 0) FROM ledger.relay"
            while watching.execute(query).fetchone() != (head,):
                time.sleep(POLL_S)
    finally:
        stop.set()
        thread.join()


@contextmanager
def _remote_database(server_url: str) -> Iterator[str]:
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE bench_remote")
        url = make_conninfo(server_url, dbname="bench_remote")
        with connect(url) as owner:
            bring_up_to_date(owner)
        yield url
        admin.execute("DROP DATABASE bench_remote WITH (FORCE)")


def _from_topic_s(url: str, address: str, folder: Path, workers: int, head: int) -> float:
    with ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(worker_process(url, address, "", folder / "far"))
        watching = stack.enter_context(connect(url))
        deadline = time.monotonic() + CATCH_UP_TIMEOUT_S
        while watching.execute(BEGUN).fetchone() != (True,):
            _wait(deadline)
        started = time.perf_counter()
        while watching.execute(APPLIED, [head, head]).fetchone() != (True,):
            _wait(deadline)
        return time.perf_counter() - started


def _wait(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise SystemExit("the remote views do not come to hold every event")
    time.sleep(POLL_S)


def _from_log_s(url: str, ledger: BlockingLedger, head: int) -> float:
    """Both tracks alone, as workers have them, from an empty state."""
    with connect(url) as owner:
        owner.execute("TRUNCATE views.physical_permits, views.electronic_permits")
        owner.execute("UPDATE views.position SET position = 0")
    stop = Event()
    opener = EventOpener(ledger.holder_keys)
    projector = Projector(as_service(url), [PHYSICAL, ELECTRONIC], opener, stop)
    thread = Thread(target=projector.run)
    started = time.perf_counter()
    thread.start()
    try:
        with connect(url) as watching:
            while watching.execute("SELECT position FROM views.position").fetchone() != (head,):
                time.sleep(POLL_S)
            return time.perf_counter() - started
    finally:
        stop.set()
        thread.join()
