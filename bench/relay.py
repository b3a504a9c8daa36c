"""The relay against a bare producer that sends the same bytes; its memory; and random kills.

Both sides run in this process, in turns, to topics of their own. The relay reads the log, makes
records of it, folds every permit's state, commits in transactions and verifies each commit. The
bare producer has all of its records ready and sends them, by key, with idempotence and no
transaction, in the same batches and with the same compression.

Without ``--quick``: the relay's memory on a short and on a long log, each in a process of its own,
and 100 kills with ``kill -9`` under load with a bounced broker in between.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import cast

import psutil
from kafka import KafkaAdminClient, KafkaProducer
from rich.console import Console
from rich.table import Table

from bench.harness import Result, forget_garbage, server
from consumers.contract.cloudevents import Outgoing
from consumers.contract.kinds import kinds_under
from consumers.contract.topics import make, missing, topics_of
from consumers.kafka.brokers import Brokers
from consumers.kafka.client import connection
from consumers.relay.producer import producer_options
from consumers.relay.records import RecordMaker
from consumers.relay.relay import Relay
from consumers.relay.resume import TRANSACTION_EVENTS_MAX
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import Connection, as_service, connect
from ledger.eventlog.follow import follow
from permit_ledger.bootstrap.policy import load_policy
from permit_ledger.bootstrap.setup import prepare
from permit_ledger.sample.command import simulate
from tests.chaos.workload import BLIND_INDEX
from tests.kafka.broker import Broker
from tests.kafka.kills import Kills, relay_process
from tests.keks import keyring

PERMITS, ROUNDS = 20_000, 5
QUICK_PERMITS, QUICK_ROUNDS = 5_000, 3
SHORT_PERMITS = 4_000
KILLS, BOUNCE_EVERY, SEED = 100, 10, 20260105
SOURCE = "https://localhost/bench"
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
POLL_S = 0.005
GOAL = 0.7
MEMORY_MIB_MAX = 300
MIB = 1024 * 1024


def bench_relay(console: Console, *, quick: bool) -> None:
    """Exit with 1 if any event was lost or duplicated."""
    result = Result("relay")
    wrong: list[str] = []
    with ExitStack() as stack:
        folder, embedded = stack.enter_context(server())
        broker = stack.enter_context(_broker())
        with connect(embedded.url) as owner:
            prepare(owner, BLIND_INDEX, keyring())
        url = as_service(embedded.url)
        ledger = stack.enter_context(
            closing(BlockingLedger(url, blind_index=BLIND_INDEX, keyring=keyring()))
        )
        if not quick:
            _grow(ledger, SHORT_PERMITS, seed=1)
            result.figures["mib_short_log"] = _memory_mib(
                embedded.url, ledger, broker, folder, "s."
            )
            result.figures["events_short_log"] = ledger.head()
            _forget(embedded.url)
        head = _grow(ledger, QUICK_PERMITS if quick else PERMITS, seed=2)
        rates = _rates(url, broker.address, head, QUICK_ROUNDS if quick else ROUNDS, embedded.url)
        medians = {name: statistics.median(of_side) for name, of_side in rates.items()}
        result.figures |= {f"{name}_events_per_s": round(rate) for name, rate in medians.items()}
        result.figures["events"] = head
        result.ratios["relay_vs_bare_producer"] = statistics.median(
            ours / theirs for ours, theirs in zip(rates["relay"], rates["bare"], strict=True)
        )
        if not quick:
            _forget(embedded.url)
            result.figures["mib_long_log"] = _memory_mib(embedded.url, ledger, broker, folder, "l.")
            _forget(embedded.url)
            kills = Kills(embedded.url, ledger, load_policy(synthetic_people=True), folder, "k.")
            wrong = kills.run(broker, KILLS, SEED, bounce_every=BOUNCE_EVERY)
            result.figures |= {
                "kills": kills.kills,
                "broker_bounced": kills.restarts_of_broker,
                "events_read": kills.events,
                "seed": SEED,
                "lost_doubled_or_out_of_order": len(wrong),
            }
    table = Table("what", "figure", "goal", title="relay")
    for what, figure in result.figures.items():
        is_memory = what.startswith("mib_")
        goal = _goal(f"< {MEMORY_MIB_MAX}", reached=figure < MEMORY_MIB_MAX) if is_memory else ""
        table.add_row(what, f"{figure:,}", goal)
    ratio = result.ratios["relay_vs_bare_producer"]
    table.add_row(
        "relay vs bare producer", f"{ratio:.2f}", _goal(f"≥ {GOAL}", reached=ratio >= GOAL)
    )
    result.show(console, table)
    if wrong:
        console.print(wrong)
        raise SystemExit(1)


def _goal(goal: str, *, reached: bool) -> str:
    return f"{goal}: {'reached' if reached else 'SHORT'}"


@contextmanager
def _broker() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory(prefix="permit-ledger-kafka-") as folder:
        broker = Broker(folder)
        with broker:
            yield broker


def _grow(ledger: BlockingLedger, permits: int, seed: int) -> int:
    policy = load_policy(synthetic_people=True)
    simulate(ledger, permits=permits, days=400, seed=seed, until=UNTIL, policy=policy)
    return ledger.head()


def _forget(url: str) -> None:
    """The next relay has other topics, and begins with the first event."""
    with connect(url) as owner:
        owner.execute("UPDATE ledger.relay SET position = NULL, ends = '{}', stopped = NULL")


def _rates(
    url: str, address: str, head: int, rounds: int, owner_url: str
) -> dict[str, list[float]]:
    records = _records(url, head)
    rates: dict[str, list[float]] = {"bare": [], "relay": []}
    for number in range(rounds):
        forget_garbage()
        rates["bare"].append(head / _bare_s(address, records, f"b{number}."))
        _forget(owner_url)
        forget_garbage()
        rates["relay"].append(_relay_rate(url, address, head, f"r{number}."))
    return rates


def _records(url: str, head: int) -> Sequence[Outgoing]:
    records: list[Outgoing] = []
    with connect(url) as log:
        maker = RecordMaker(lambda: log, EventMapper(OrjsonTranscoder()), kinds_under(""), SOURCE)
        pages = follow(url, after=0, stop=Event(), page_events_max=TRANSACTION_EVENTS_MAX)
        for page in pages:
            batch = maker.batch(page)
            records += batch.records
            if batch.position == head:
                return records
    return records


def _bare_s(address: str, records: Sequence[Outgoing], prefix: str) -> float:
    _make_topics(address, prefix)
    producer = KafkaProducer(**producer_options(Brokers(address), None))
    for topic in {record.topic for record in records}:
        producer.partitions_for(prefix + topic)
    started = time.perf_counter()
    futures = [
        producer.send(
            prefix + record.topic, value=record.value, key=record.key, headers=record.headers
        )
        for record in records
    ]
    producer.flush()
    for future in futures:
        future.get(0)
    seconds = time.perf_counter() - started
    producer.close()
    return seconds


def _relay_rate(url: str, address: str, head: int, prefix: str) -> float:
    """Events a second, from its first commit until its cursor reaches the head: without the start,
    since the bare producer has connected before."""
    _make_topics(address, prefix)
    stop = Event()
    mapper, kinds = EventMapper(OrjsonTranscoder()), kinds_under(prefix)
    relay = Relay(url, Brokers(address), mapper, kinds, SOURCE, stop, topic_prefix=prefix)
    thread = Thread(target=relay.run)
    thread.start()
    try:
        with connect(url) as connection:
            first = _until_at(connection, 1)
            started = time.perf_counter()
            _until_at(connection, head)
            return (head - first) / (time.perf_counter() - started)
    finally:
        stop.set()
        thread.join()


def _until_at(connection: Connection, position: int) -> int:
    """The cursor's position afterwards."""
    query = "SELECT coalesce(position, 0) FROM ledger.relay"
    while True:
        [reached] = cast("tuple[int]", connection.execute(query).fetchone())
        if reached >= position:
            return reached
        time.sleep(POLL_S)


def _make_topics(address: str, prefix: str) -> None:
    topics = topics_of(kinds_under(prefix))
    with closing(KafkaAdminClient(**connection(Brokers(address)))) as admin:
        make(admin, topics, missing(admin, topics))


def _memory_mib(
    url: str, ledger: BlockingLedger, broker: Broker, folder: Path, prefix: str
) -> float:
    """The most that a relay's process takes while it sends the whole log."""
    _forget(url)
    head, most = ledger.head(), 0
    with (
        relay_process(url, broker.address, folder, prefix) as process,
        connect(url) as watching,
    ):
        query = "SELECT coalesce(position, 0) FROM ledger.relay"
        while watching.execute(query).fetchone() != (head,):
            most = max(most, _rss(psutil.Process(process.pid)))
            time.sleep(0.05)
    return round(most / MIB, 1)


def _rss(process: psutil.Process) -> int:
    """Including the process that makes its batches."""
    rss = int(process.memory_info().rss)
    for child in process.children():
        with suppress(psutil.NoSuchProcess):
            rss += child.memory_info().rss
    return rss
