"""A remote database: its workers, and whether its views are those that the log makes."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager

from psycopg.rows import dict_row

from consumers.contract.kinds import PARTITIONS, PERMITS
from consumers.kafka.brokers import Brokers
from consumers.relay.records import partition_of
from consumers.remote_views.decoder import RecordDecoder
from consumers.remote_views.worker import RemoteViewsWorker
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.database.connections import as_service, connect
from projections.projector.pages import EventOpener
from projections.projector.runner import Projector
from projections.remote.source import RemoteSource
from projections.remote.views import RemoteEvent, RemoteRecord, RemoteViewWriter
from projections.views.view import ELECTRONIC, PHYSICAL
from tests.waiting import until

SOURCE = "https://localhost/permit-ledger"
FEED = RemoteSource(SOURCE, PERMITS.events_topic, "a-topic")
FED = RemoteViewWriter([PHYSICAL, ELECTRONIC], lambda error: type(error).__name__)
WAIT_S = 180
PERSONAL = {"face", "portrait_version", "devices"}
"""What a topic does not tell."""


@contextmanager
def worker_process(database_url, address, prefix, data_dir, **settings):
    """``permit-ledger project --source kafka``, as operators run it."""
    environment = {
        **os.environ,
        "PERMIT_LEDGER_DATABASE_URL": database_url,
        "PERMIT_LEDGER_DATA_DIR": str(data_dir),
        "PERMIT_LEDGER_KAFKA": address,
        **({"PERMIT_LEDGER_KAFKA_TOPIC_PREFIX": prefix} if prefix else {}),
        "PERMIT_LEDGER_LOG_LEVEL": "error",
        **settings,
    }
    command = [sys.executable, "-m", "permit_ledger", "project", "--source", "kafka"]
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def worker(database_url, address, prefix, stop):
    kind = PERMITS.under(prefix)
    mapper = EventMapper(OrjsonTranscoder())
    taker = RecordDecoder(mapper, kind, SOURCE, lambda error: type(error).__name__)
    return RemoteViewsWorker(
        *(as_service(database_url), Brokers(address), kind, SOURCE, taker, FED, stop),
        topic_prefix=prefix,
    )


def taken_of(stored, offset):
    """An event of the log, as if it came from the topic."""
    mapper = EventMapper(OrjsonTranscoder())
    event = mapper.plain(mapper.parse(stored))
    number = str(stored.originator_id)
    return RemoteRecord(partition_of(number), offset, RemoteEvent(stored, event, event.timestamp))


@contextmanager
def working(database_url, address, prefix):
    """A worker in a thread."""
    stop = threading.Event()
    thread = threading.Thread(
        target=worker(database_url, address, prefix, stop).run, name="remote-views"
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def rows(database_url, table):
    """By permit number, without what is personal."""
    with connect(database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(f"SELECT * FROM views.{table}").fetchall()
    return {
        row["permit_number"]: {name: row[name] for name in row.keys() - PERSONAL} for row in found
    }


def partitions(database_url):
    with connect(database_url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM views.feed_partitions ORDER BY partition").fetchall()


def until_in_step(database_url):
    """Wait until the rows hold what the topic holds at this moment, by the workers' own word."""
    with connect(database_url) as connection:
        [now] = connection.execute("SELECT clock_timestamp()").fetchone()

    def is_in_step():
        instants = [row["in_step_at"] for row in partitions(database_url)]
        return len(instants) == PARTITIONS and all(instants) and min(instants) > now

    until(is_in_step, wait_s=WAIT_S)


def newest(database_url):
    return max((row["position"] for row in partitions(database_url)), default=0)


def fold(ledger, database_url, all_views):
    """The views of the log itself, from where they are."""
    projector = Projector(
        as_service(database_url), all_views, EventOpener(ledger.holder_keys), threading.Event()
    )
    with connect(as_service(database_url)) as connection:
        after = connection.execute("SELECT position FROM views.position").fetchone()[0]
        projector.apply(connection, ledger.events(after + 1, 1_000_000))


def differences(ledger, database_url, remote_url, all_views):
    """Sentences; none where the remote views hold what the log's own do."""
    fold(ledger, database_url, all_views)
    wrong = []
    for table in ("physical_permits", "electronic_permits"):
        here, there = rows(database_url, table), rows(remote_url, table)
        if here.keys() != there.keys():
            wrong.append(f"{table}: {len(here)} permits here, {len(there)} there")
        different = [number for number in here if here[number] != there.get(number)]
        if different:
            number = different[0]
            here_is, there_is = here[number], there.get(number, {})
            columns = [name for name in here_is if here_is[name] != there_is.get(name)]
            values = [(name, here_is[name], there_is.get(name)) for name in columns]
            wrong.append(f"{table}: {len(different)} differ, {number}: {values}")
    return wrong
