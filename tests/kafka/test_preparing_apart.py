"""A relay with a large backlog: another process makes the batches, and ends with the relay."""

from contextlib import suppress

import psutil
import pytest

from consumers.contract.kinds import kinds_under
from consumers.relay import relay
from consumers.relay.records import BatchSource
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.database.connections import as_service
from tests.kafka.conftest import SOURCE
from tests.kafka.growing import grow
from tests.kafka.kills import relay_process
from tests.kafka.reading import read_events, what_is_wrong
from tests.waiting import until

WAIT_S = 60
PERMITS_FOR_APART = 2_200


@pytest.fixture
def always_apart(monkeypatch):
    monkeypatch.setattr(relay, "RECORD_PROCESS_EVENTS_MIN", 0)


def processs(pid=None):
    """Processes that make batches, of this process or of another."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children():
            with suppress(psutil.NoSuchProcess):  # this one has ended; the others may not have
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
    return found


def test_both_processes_make_the_same_batches(ledger, policy, database_url):
    head = grow(ledger, policy, 40)
    source = BatchSource(
        as_service(database_url),
        EventMapper(OrjsonTranscoder()),
        kinds_under(""),
        SOURCE,
        "permit-ledger relay",
        30,
    )

    def taken(make):
        ended = relay.Event()
        found = []
        for batch in make(7, ended):
            found.append(batch)
            if batch.position == head:
                ended.set()
        return found

    here = taken(source.batches)
    assert len(here) > 1
    assert here == taken(source.batches_from_process)
    assert [] == processs()


def test_every_event_is_published_once_although_the_other_process_dies(
    ledger, policy, relaying, until_relayed, relay_row, kafka, prefix, always_apart
):
    first = grow(ledger, policy, 20)
    with relaying():
        until_relayed(first)
        [process] = processs()
        process.kill()
        until(lambda: relay_row().starts > 1, wait_s=WAIT_S)
        head = grow(ledger, policy, 20)
        until_relayed(head)

    assert [] == what_is_wrong(read_events(kafka, prefix), head)
    assert [] == processs()


def test_a_killed_relay_leaves_no_process_behind(
    ledger, policy, database_url, kafka, prefix, until_relayed, tmp_path
):
    head = grow(ledger, policy, PERMITS_FOR_APART)
    assert head >= relay.RECORD_PROCESS_EVENTS_MIN

    with relay_process(database_url, kafka, tmp_path / "data", prefix) as process:
        until(lambda: processs(process.pid), wait_s=WAIT_S)
        left = processs(process.pid)
        until_relayed(1)
        process.kill()
        process.wait()
        assert ([], left) == psutil.wait_procs(left, WAIT_S)[::-1]
