"""Pages of the log as records; no broker is needed for that."""

from threading import Event

import pytest
from kafka.partitioner.default import murmur2

from consumers.contract.kinds import PARTITIONS, kinds_under
from consumers.relay.records import RecordMaker, partition_of
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.database.connections import as_service, connect
from ledger.eventlog.follow import follow
from tests.kafka.growing import grow


@pytest.fixture
def last_states(ledger, policy, database_url):
    """``last_states(page_events_max, …)``: each permit's last state, the log read in such pages."""
    head = grow(ledger, policy, 30)

    def last_states(page_events_max, **how):
        url, states = as_service(database_url), {}
        with connect(url) as log:
            mapper = EventMapper(OrjsonTranscoder())
            maker = RecordMaker(lambda: log, mapper, kinds_under(""), "https://x/y", **how)
            pages = follow(url, after=0, stop=Event(), page_events_max=page_events_max)
            for page in pages:
                batch = maker.batch(page)
                assert len(page) == batch.last + 1
                states |= {each.key: each.value for each in batch.records[batch.last + 1 :]}
                if batch.position == head:
                    return states
        raise AssertionError("the log has ended before its head")

    return last_states


@pytest.mark.parametrize("page_events_max", [1, 7])
def test_states_do_not_depend_on_pages_or_on_how_many_permits_are_kept(
    last_states, page_events_max
):
    """A permit that was let go is folded from the log again, to the same state."""
    at_once = last_states(2_000)
    assert len(at_once) > 20
    assert at_once == last_states(page_events_max, permits_kept=1)


def test_a_permit_s_partition_is_the_one_that_other_clients_choose():
    for key in ("7Q2M9K4T8XW5", "A", "53CPNXWEXX9F"):
        assert partition_of(key) == (murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS
    assert {partition_of(str(number)) for number in range(500)} == set(range(PARTITIONS))
