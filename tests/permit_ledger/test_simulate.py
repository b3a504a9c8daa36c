"""A simulated district: the same for a seed, in order, refused where it can't be."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from domain.calendar import shanghai_date
from domain.errors import InvalidDetails
from domain.events import PermitIssued
from domain.id_cards.events import ApplicationAccepted
from domain.stream_types import EVENTS
from permit_ledger.bootstrap.policy import load_policy
from permit_ledger.sample.command import Rates, SimulationConflict
from tests.permit_ledger.districts import DAYS, LAST_DAY, UNTIL, of, people

# -- the same for a seed -----------------------------------------------------------------------


def test_the_same_arguments_give_the_same_events(simulated, events, forget):
    """Kinds, numbers, instants, people, phones: all of it, in the same order."""
    simulated()
    first = events()
    forget()
    simulated()

    assert len(first) > 60
    assert first == events()


def test_no_two_runs_seal_alike(simulated, log, forget):
    """The seed does not determine keys: each holder's is random."""
    simulated()
    first = {notification.state for notification in log()}
    forget()
    simulated()

    issued = [event.state for event in log() if event.topic == PermitIssued.TOPIC]
    assert set() == first & set(issued)


def test_another_seed_gives_another_district(simulated, log, forget):
    """Not one permit number in common."""
    simulated()
    first = {notification.originator_id for notification in log()}
    forget()
    simulated(seed=2)

    assert set() == first & {notification.originator_id for notification in log()}


# -- in order ----------------------------------------------------------------------------------


def test_events_stand_in_the_order_of_their_instants(simulated, events):
    """From the first day's night to the end of the period, never back in time."""
    simulated()
    instants = [event.timestamp for event in events()]

    assert sorted(instants) == instants
    assert LAST_DAY - timedelta(days=DAYS - 1) == shanghai_date(instants[0])
    assert UNTIL >= instants[-1] > UNTIL - timedelta(days=7)


def test_positions_are_contiguous_and_versions_count_up(simulated, log):
    """1, 2, 3 … in the log, and within each permit."""
    simulated()
    versions = defaultdict(list)
    for position, notification in enumerate(log(), start=1):
        assert position == notification.id
        versions[notification.originator_id].append(notification.originator_version)

    assert len(versions) == 60 + 6
    assert all(list(range(1, len(found) + 1)) == found for found in versions.values())


def test_the_report_counts_what_is_in_the_log(simulated, log):
    """By topic, with 0 for those that never occurred."""
    report = simulated()
    counted = Counter(notification.topic for notification in log())

    assert {event.TOPIC: counted[event.TOPIC] for event in EVENTS} == report.events
    assert counted.total() == report.events_total
    assert 60 == report.permits == counted[PermitIssued.TOPIC]
    assert 6 == report.applications == counted[ApplicationAccepted.TOPIC]
    assert "60 permits, 6 applications" in report.summary()


def test_progress_hears_of_every_day(simulated):
    """Days done, and days in all."""
    heard = []
    simulated(permits=5, days=30, progress=lambda done, total: heard.append((done, total)))

    assert [(day, 30) for day in range(1, 31)] == heard


def test_nothing_happens_after_the_end(simulated, events):
    """In the middle of a day its counters have not served any visitor."""
    noon = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
    simulated(until=noon)
    found = events()

    assert noon >= found[-1].timestamp
    assert LAST_DAY not in {shanghai_date(event.timestamp) for event in of(PermitIssued, found)}


# -- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({}, id="the-same-simulated"),
        pytest.param({"permits": 5, "days": 3}, id="a-smaller-one"),
        pytest.param({"permits": 1}, id="one-without-stock"),
        pytest.param({"permits": 900}, id="a-larger-one"),
    ],
)
def test_a_seed_that_is_in_the_log_is_refused_and_nothing_written(simulated, log, again):
    """The message says what to do."""
    simulated()
    before = log()

    with pytest.raises(SimulationConflict, match=r"seed 1\b.*choose another seed"):
        simulated(**again)
    assert before == log()


def test_an_unfinished_run_is_in_the_log_too(simulated, ledger):
    """Its seed is refused; another one adds to it."""

    class Stopped(Exception):
        pass

    def stop(done, total):
        if done == total // 2:
            raise Stopped

    with pytest.raises(Stopped):
        simulated(permits=1600, progress=stop)
    before = ledger.head()
    assert before > 0

    with pytest.raises(SimulationConflict):
        simulated(permits=1600)
    assert before == ledger.head()
    assert before + simulated(seed=2).events_total == ledger.head()


@pytest.mark.parametrize(
    "impossible",
    [
        pytest.param({"permits": 0}, id="no-permit"),
        pytest.param({"days": 0}, id="no-day"),
        pytest.param({"until": datetime(2026, 11, 20)}, id="naive"),  # noqa: DTZ001
    ],
)
def test_an_impossible_plan_is_refused(simulated, ledger, impossible):
    """Before anything is written."""
    with pytest.raises(ValueError, match=r"a simulation has|until is an instant"):
        simulated(**impossible)
    assert ledger.head() == 0


def test_a_real_register_takes_no_made_up_people(simulated, ledger):
    """Outside development the policy refuses area 99, and the simulated with it."""
    with pytest.raises(InvalidDetails, match="made up for tests"):
        simulated(policy=load_policy())
    assert ledger.head() == 0


def test_two_runs_into_one_log_share_no_person(simulated, events):
    """Different seeds begin counting their people far from one another."""
    simulated()
    first = people(events())
    simulated(seed=2)
    second = people(events()) - first

    assert (len(first), len(second)) == (60, 60)


def test_permits_live_the_same_lives_with_applications_and_without(simulated, log, forget):
    """The two counters share only the city, not the random source."""

    def permits():
        return [
            (event.originator_id, event.originator_version, event.topic)
            for event in log()
            if event.topic.startswith("permit.")
        ]

    simulated()
    both = permits()
    forget()
    assert 0 == simulated(rates=Rates(applications_share=0)).applications
    assert both == permits()
