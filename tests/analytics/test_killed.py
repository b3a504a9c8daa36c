"""After a ``kill -9`` at any moment, every event and every check is stored once."""

import os
import random
from contextlib import closing
from datetime import UTC, datetime
from threading import Thread

import orjson
import pytest

from consumers.analytics.batch import Mark
from consumers.analytics.log_source import LOG
from consumers.analytics.sink import CHECKS, EVENTS, FILE, Sink
from ledger.database.connections import connect
from permit_ledger.sample.command import simulate
from tests.analytics.consumer import Consumer
from tests.waiting import until

KILLS, BATCHES_MAX, WAIT_S = 3, 10, 60
PERMITS, CHECKS_EACH = 500, 300
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
PUT_CHECKS = """
INSERT INTO ledger.checks (position, check_id, checked_at, permit_number, track, scenario, outcome,
                           as_of_position, state)
SELECT n, gen_random_uuid(), now(), NULL, 'physical', 'patrol_inspection', 'not_effective', 0, '{}'
FROM generate_series(%s::bigint, %s::bigint) AS n
"""


@pytest.fixture
def consumer(database_url, folder):
    consumer = Consumer(database_url, folder)
    yield consumer
    consumer.kill()


@pytest.fixture
def chance():
    seed = int(os.environ.get("PERMIT_LEDGER_TEST_SEED", "11"))
    return random.Random(seed)  # noqa: S311  chance, not secrecy


@pytest.fixture
def content(folder):
    """``content()``: what the file holds, and how far it says that it has come."""

    def content():
        with closing(Sink(folder, "log")) as sink:
            rows = sink.rows(
                "SELECT position, subject, version, type FROM events ORDER BY position"
            )
            checks = sink.rows("SELECT position FROM checks ORDER BY position")
            marks = sink.marks(EVENTS)[LOG].position, sink.marks(CHECKS)[0].position
        return [tuple(row.values()) for row in rows], [row["position"] for row in checks], marks

    return content


def caught_up(folder, head, checks):
    """By what is published, since the file is another process's."""
    try:
        stats = orjson.loads((folder / "published" / "stats.json").read_bytes())
    except FileNotFoundError:
        return False
    return (stats["as_of_position"], stats["as_of_checks"]) == (head, checks)


def position(folder):
    """How far the file has come, by what it holds and by its mark, which have to be the same."""
    with closing(Sink(folder, "log")) as sink:
        mark = sink.marks(EVENTS).get(LOG, Mark(0))
        [held] = sink.rows("SELECT count(*) AS events, max(position) AS newest FROM events")
    assert (mark.position, mark.position) == (held["events"], held["newest"] or 0)
    return mark.position


def test_killed_at_random_under_load_it_stores_each_position_once(
    database_url, ledger, policy, folder, consumer, chance, content
):
    """And again after its file was deleted."""
    life = {"permits": PERMITS, "days": 500, "seed": 1, "until": UNTIL, "policy": policy}
    load = Thread(target=simulate, args=[ledger], kwargs=life)
    file, reached, checks = folder / FILE, [], 0
    load.start()
    with connect(database_url) as admin:
        for _ in range(KILLS):
            admin.execute(PUT_CHECKS, [checks + 1, checks + CHECKS_EACH])
            checks += CHECKS_EACH
            consumer.start()
            consumer.has_written(chance.randrange(1, BATCHES_MAX))
            load.join(chance.random() * 0.02)
            consumer.kill()
            reached.append(position(folder))
    load.join()
    head = ledger.head()
    consumer.start()
    until(lambda: caught_up(folder, head, checks), wait_s=WAIT_S)
    consumer.kill()

    log = [
        (event.id, event.originator_id, event.originator_version, event.topic)
        for event in ledger.events(1, 100_000)
    ]
    everything = (log, list(range(1, checks + 1)), (head, checks))
    assert everything == content()
    assert reached == sorted(reached)
    assert len({*reached}) == KILLS, "it was not always killed on its way"

    file.unlink()
    (folder / "published" / "stats.json").unlink()
    consumer.start()
    until(lambda: caught_up(folder, head, checks), wait_s=WAIT_S)
    consumer.kill()
    assert everything == content()
