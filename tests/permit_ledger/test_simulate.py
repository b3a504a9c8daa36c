"""A simulated district: the same for a seed, in order, and believable."""

import itertools
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from joserfc.jwk import ECKey

from domain import citizen_id
from domain.calendar import age_on, shanghai_date
from domain.endorsement import EndorsementKind
from domain.errors import InvalidDetails
from domain.events import (
    EVENTS,
    AddressChanged,
    CardPresented,
    CardReissued,
    DeviceBound,
    ElectronicPermitClaimed,
    IdentityCorrected,
    PermitCancelled,
    PermitEndorsed,
    PermitIssued,
    PermitVoided,
)
from permit_ledger.policy import load_policy
from permit_ledger.simulate import Rates, SimulationConflict, simulate

UNTIL = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LAST_DAY = date(2026, 11, 20)
DAYS = 400


@pytest.fixture
def run(ledger, policy):
    """Simulate a small district, unless told otherwise."""

    def run(**changed):
        plan = {"permits": 60, "days": DAYS, "seed": 1, "until": UNTIL, "policy": policy}
        return simulate(ledger, **{**plan, **changed})

    return run


@pytest.fixture
def log(ledger):
    """Everything in the log, from its first position."""

    def log():
        found = []
        while page := ledger.log.select_notifications(len(found) + 1, 1000):
            found += page
        return found

    return log


@pytest.fixture
def events(ledger, log):
    """The same as events of the domain."""
    return lambda: [ledger.mapper.to_domain_event(notification) for notification in log()]


@pytest.fixture
def forget(database_url):
    """Empty the database."""

    def forget():
        with psycopg.connect(database_url) as connection:
            connection.execute(
                "TRUNCATE ledger.events, ledger.holders, ledger.answers, ledger.portraits"
            )
            connection.execute("UPDATE ledger.head SET position = 0")

    return forget


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


# -- the same for a seed -----------------------------------------------------------------------


def test_the_same_arguments_give_the_same_log_byte_for_byte(run, log, forget):
    """Topics, numbers, instants, people, keys: all of it."""
    run()
    first = log()
    forget()
    run()

    assert len(first) > 60
    assert first == log()


def test_another_seed_gives_another_district(run, log, forget):
    """Not one permit number in common."""
    run()
    first = {notification.originator_id for notification in log()}
    forget()
    run(seed=2)

    assert set() == first & {notification.originator_id for notification in log()}


# -- in order ----------------------------------------------------------------------------------


def test_events_stand_in_the_order_of_their_instants(run, events):
    """From the first day's night to the end of the period, never back in time."""
    run()
    instants = [event.timestamp for event in events()]

    assert sorted(instants) == instants
    assert LAST_DAY - timedelta(days=DAYS - 1) == shanghai_date(instants[0])
    assert UNTIL >= instants[-1] > UNTIL - timedelta(days=7)


def test_positions_are_contiguous_and_versions_count_up(run, log):
    """1, 2, 3 … in the log, and within each permit."""
    run()
    versions = defaultdict(list)
    for position, notification in enumerate(log(), start=1):
        assert position == notification.id
        versions[notification.originator_id].append(notification.originator_version)

    assert len(versions) == 60
    assert all(list(range(1, len(found) + 1)) == found for found in versions.values())


def test_the_report_counts_what_is_in_the_log(run, log):
    """By topic, with a nought for what never happened."""
    report = run()
    counted = Counter(notification.topic for notification in log())

    assert {event.TOPIC: counted[event.TOPIC] for event in EVENTS} == report.events
    assert counted.total() == report.events_total
    assert 60 == report.permits == counted[PermitIssued.TOPIC]
    assert "60 permits" in report.summary()


def test_progress_hears_of_every_day(run):
    """Days done, and days in all."""
    heard = []
    run(permits=5, days=30, progress=lambda done, total: heard.append((done, total)))

    assert [(day, 30) for day in range(1, 31)] == heard


def test_nothing_happens_after_the_end(run, events):
    """In the middle of a day the counters of that day have not served anybody."""
    noon = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
    run(until=noon)
    found = events()

    assert noon >= found[-1].timestamp
    assert LAST_DAY not in {shanghai_date(event.timestamp) for event in of(PermitIssued, found)}


# -- believable --------------------------------------------------------------------------------


def test_shares_are_plausible(run, events, policy):
    """Broad bounds around what the rates say, for a district of 1,200 permits and two years."""
    report = run(permits=1200, days=730)
    found = events()
    issued = of(PermitIssued, found)
    years = Counter(event.kind for event in of(PermitEndorsed, found))
    moves = of(AddressChanged, found)

    assert len([event for event in issued if event.taken_over_from]) == 480
    assert 0.75 < years[EndorsementKind.ON_TIME] / years.total() < 0.97
    assert 0.03 < years[EndorsementKind.IN_GRACE] / years.total() < 0.20
    assert 0.005 < years[EndorsementKind.RE_ANCHORED] / years.total() < 0.08
    assert 0.45 < report.events[ElectronicPermitClaimed.TOPIC] / 1200 < 0.75
    assert 0.005 < report.events["permit.card-reported-lost.v1"] / 1200 < 0.10
    assert 0.02 < len(of(PermitCancelled, found)) / 1200 < 0.25
    assert 0.10 < sum(move.reported_late for move in moves) / len(moves) < 0.40
    assert 2 < report.events_total / 1200 < 6
    assert {"01"} < {event.identity.ethnicity for event in issued}
    assert set(policy.divisions) == {event.residence.division for event in issued}
    assert all(event.identity.citizen_id_number.startswith("99") for event in issued)
    assert 1200 >= len({event.identity.citizen_id_number for event in issued}) > 1170


def test_names_come_in_all_shapes(run, events):
    """Some in two parts around a middle dot, some with a character beyond the BMP."""
    run(permits=1200, days=1)
    names = [event.identity.name for event in of(PermitIssued, events())]

    assert 2 <= sum("·" in name for name in names) <= 30
    assert 1 <= sum(max(name) > "\uffff" for name in names) <= 20


def test_children_have_a_guardian_and_no_phone(run, events):
    """Below sixteen someone else comes along, of age and with another number."""
    run(permits=400)
    found = events()
    claimed = {event.originator_id for event in of(ElectronicPermitClaimed, found)}
    young = [
        event
        for event in of(PermitIssued, found)
        if age_on(event.identity.birth_date, event.anchor) < 16
    ]

    assert 5 < len(young) < 60
    for event in young:
        guardian = citizen_id.parse(event.guardian.citizen_id_number)
        assert age_on(guardian.birth_date, event.identity.birth_date) >= 18
        age_at_end = age_on(event.identity.birth_date, LAST_DAY)
        assert event.originator_id not in claimed or age_at_end >= 16


def test_officers_act_at_a_station_and_holders_by_themselves(run, events):
    """Claims and phones are the holder's own doing; everything else happens at a counter."""
    run()
    found = events()
    holders = {event.originator_id: event.holder_id for event in of(PermitIssued, found)}
    for event in found:
        local = (event.timestamp + timedelta(hours=8)).time()
        if event.TOPIC.startswith(("permit.electronic", "permit.device")):
            assert (holders[event.originator_id], None) == (event.actor, event.station)
            assert 7 <= local.hour < 23
        elif event.actor != "takeover":
            assert event.actor.startswith(f"officer-{event.station}-")
            assert 9 <= local.hour < 18
            assert local.hour != 12


def test_phones_have_real_keys_known_by_their_thumbprints(run, events):
    """P-256, RFC 7638, and no phone is anybody else's too."""
    run()
    phones = [e.device for e in of((ElectronicPermitClaimed, DeviceBound), events())]

    assert 20 < len(phones) == len({phone.thumbprint for phone in phones})
    for phone in phones:
        key = ECKey.import_key(phone.public_key)
        assert phone.thumbprint == key.thumbprint()
        assert key.curve_name == "P-256"


def test_office_days_are_busy_and_sundays_are_not(run, events):
    """And the weeks after Spring Festival (17 February 2026) are the busiest."""
    run(permits=1500, days=365)
    days = Counter(
        shanghai_date(event.timestamp)
        for event in of(PermitIssued, events())
        if not event.taken_over_from
    )
    sundays = sum(count for day, count in days.items() if day.isoweekday() == 7)
    after_festival = sum(days[date(2026, 2, 25) + timedelta(days=n)] for n in range(28))
    usual = sum(days[date(2026, 6, 1) + timedelta(days=n)] for n in range(28))

    assert 0 < sundays < days.total() * 0.06
    assert after_festival > 1.5 * usual


# -- true to the rules -------------------------------------------------------------------------

EVENTFUL = Rates(
    losses_per_year=4,
    damages_per_year=3,
    new_phones_per_year=6,
    moves_per_year=5,
    corrections_per_year=4,
    corrected_number_share=0.4,
    cancellations_per_year=1,
    voidings_per_year=0.2,
    returning_share=0.5,
)


def test_people_on_record_hold_what_their_permits_say(run, events, ledger, database_url):
    """After many corrections, ends and returns, every holder's row is as the log tells."""
    run(permits=150, days=900, rates=EVENTFUL)
    found = events()
    issued = of(PermitIssued, found)
    assert len({event.holder_id for event in issued}) < 150, "somebody came back"
    assert of(PermitVoided, found)
    assert any(event.citizen_id_number for event in of(IdentityCorrected, found))

    expected = {}
    for event in issued:  # of the permits of one person the last one counts
        permit = ledger.permit(event.originator_id)
        index = ledger.blind_index.of(permit.identity.citizen_id_number)
        expected[permit.holder_id] = (index, None if permit.end else permit.id)
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT holder_id, citizen_index, permit_number FROM ledger.holders"
        ).fetchall()
    assert expected == {holder_id: (index, number) for holder_id, index, number in rows}


def test_one_visit_can_reissue_and_endorse(run, events):
    """[P9] A lost card is reissued and the receipt endorsed, in the same minute."""
    run(rates=Rates(losses_per_year=3, found_share=0, reissued_after_days_mean=90))
    found = events()
    both = [
        (event, following)
        for event, following in itertools.pairwise(found)
        if isinstance(event, CardReissued) and isinstance(following, PermitEndorsed)
        if event.correlation_id == following.correlation_id
    ]

    assert both
    for reissued, endorsed in both:
        assert reissued.originator_id == endorsed.originator_id
        assert reissued.timestamp == endorsed.timestamp
        assert CardPresented.REISSUE_RECEIPT is endorsed.card_presented


def test_portraits_lie_beside_the_log(run, events, database_url):
    """Every digest in an event has its picture."""
    run()
    digests = {event.identity.portrait for event in of(PermitIssued, events())}
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT digest FROM ledger.portraits").fetchall()

    assert digests == {digest.hex() for (digest,) in rows}


# -- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({}, id="the-same-run"),
        pytest.param({"permits": 5, "days": 3}, id="a-smaller-one"),
        pytest.param({"permits": 1}, id="one-without-stock"),
        pytest.param({"permits": 900}, id="a-larger-one"),
    ],
)
def test_a_seed_that_is_in_the_log_is_refused_and_nothing_written(run, log, again):
    """The message says what to do."""
    run()
    before = log()

    with pytest.raises(SimulationConflict, match=r"seed 1\b.*choose another seed"):
        run(**again)
    assert before == log()


def test_an_unfinished_run_is_in_the_log_too(run, ledger):
    """Its seed is refused; another one adds to it."""

    class Stopped(Exception):
        pass

    def stop(done, total):
        if done == total // 2:
            raise Stopped

    with pytest.raises(Stopped):
        run(permits=1600, progress=stop)
    before = ledger.log.head()
    assert before > 0

    with pytest.raises(SimulationConflict):
        run(permits=1600)
    assert before == ledger.log.head()
    assert before + run(seed=2).events_total == ledger.log.head()


@pytest.mark.parametrize(
    "impossible",
    [
        pytest.param({"permits": 0}, id="no-permit"),
        pytest.param({"days": 0}, id="no-day"),
        pytest.param({"until": datetime(2026, 11, 20)}, id="naive"),  # noqa: DTZ001
    ],
)
def test_an_impossible_plan_is_refused(run, ledger, impossible):
    """Before anything is written."""
    with pytest.raises(ValueError, match=r"a simulation has|until is an instant"):
        run(**impossible)
    assert ledger.log.head() == 0


def test_a_real_register_takes_no_made_up_people(run, ledger):
    """Outside development the policy refuses area 99, and the run with it."""
    with pytest.raises(InvalidDetails, match="made up for tests"):
        run(policy=load_policy())
    assert ledger.log.head() == 0


def test_two_runs_into_one_log_share_nobody(run, events):
    """Different seeds begin counting their people far from one another."""
    run()
    first = people(events())
    run(seed=2)
    second = people(events()) - first

    assert (len(first), len(second)) == (60, 60)


def people(events):
    """What tells citizen numbers apart whatever the birth date: area and sequence."""
    numbers = [event.identity.citizen_id_number for event in of(PermitIssued, events)]
    return {number[:6] + number[14:17] for number in numbers}
