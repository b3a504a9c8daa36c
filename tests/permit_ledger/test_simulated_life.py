"""A simulated district: plausible, and within the rules."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta

import psycopg
from joserfc.jwk import ECKey

from domain import citizen_id
from domain.calendar import age_on, shanghai_date
from domain.endorsement import EndorsementKind
from domain.events import (
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
from ledger.crypto.portraits import SealedPortrait
from permit_ledger.sample.command import Rates
from tests.permit_ledger.districts import LAST_DAY, of

# -- believable --------------------------------------------------------------------------------


def test_shares_are_plausible(simulated, events, policy):
    """Broad bounds around what the rates say, for a district of 1,200 permits and two years."""
    report = simulated(permits=1200, days=730)
    found = events()
    issued = of(PermitIssued, found)
    years = Counter(event.kind for event in of(PermitEndorsed, found))
    moves = of(AddressChanged, found)

    assert len([event for event in issued if event.taken_over_from]) == 480
    assert 0.75 < years[EndorsementKind.ON_TIME] / years.total() < 0.97
    assert 0.03 < years[EndorsementKind.IN_GRACE] / years.total() < 0.20
    assert 0.005 < years[EndorsementKind.RE_ANCHORED] / years.total() < 0.08
    assert 0.45 < report.events[ElectronicPermitClaimed.TOPIC] / 1200 < 0.75
    assert 0.005 < report.events["permit.card-reported-lost.v2"] / 1200 < 0.10
    assert 0.02 < len(of(PermitCancelled, found)) / 1200 < 0.25
    assert 0.10 < sum(move.reported_late for move in moves) / len(moves) < 0.40
    assert 2 < report.events_total / 1200 < 6
    assert {"01"} < {event.identity.ethnicity for event in issued}
    assert set(policy.divisions) == {event.residence.division for event in issued}
    assert all(event.identity.citizen_id_number.startswith("99") for event in issued)
    assert 1200 >= len({event.identity.citizen_id_number for event in issued}) > 1170


def test_names_come_in_all_shapes(simulated, events):
    """Some in two parts around a middle dot, some with a character beyond the BMP."""
    simulated(permits=1200, days=1)
    names = [event.identity.name for event in of(PermitIssued, events())]

    assert 2 <= sum("·" in name for name in names) <= 30
    assert 1 <= sum(max(name) > "\uffff" for name in names) <= 20


def test_children_have_a_guardian_and_no_phone(simulated, events):
    """Below sixteen there is a guardian, of age and with another number."""
    simulated(permits=400)
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


def test_officers_act_at_a_station_and_holders_by_themselves(simulated, events):
    """The holder claims and binds phones; everything else happens at a counter."""
    simulated()
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


def test_phones_have_real_keys_known_by_their_thumbprints(simulated, events):
    """P-256, RFC 7638, and no phone belongs to two holders."""
    simulated()
    phones = [e.device for e in of((ElectronicPermitClaimed, DeviceBound), events())]

    assert 20 < len(phones) == len({phone.thumbprint for phone in phones})
    for phone in phones:
        key = ECKey.import_key(phone.public_key)
        assert phone.thumbprint == key.thumbprint()
        assert key.curve_name == "P-256"


def test_office_days_are_busy_and_sundays_are_not(simulated, events):
    """And the weeks after Spring Festival (17 February 2026) are the busiest."""
    simulated(permits=1500, days=365)
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


def test_people_on_record_hold_what_their_permits_say(simulated, events, ledger, database_url):
    """After many corrections, ends and returns, every holder's row follows from the log."""
    simulated(permits=150, days=900, rates=replace(EVENTFUL, applications_share=0))
    found = events()
    issued = of(PermitIssued, found)
    assert len({event.holder_id for event in issued}) < 150, "a holder came back"
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


def test_one_visit_can_reissue_and_endorse(simulated, events):
    """[P9] A lost card is reissued and the receipt endorsed, in the same minute."""
    simulated(rates=Rates(losses_per_year=3, found_share=0, reissued_after_days_mean=90))
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


def test_portraits_lie_beside_the_log(simulated, events, ledger, database_url):
    """Every event that names a digest has its picture, sealed with its holder's key."""
    simulated()
    issued = {event.originator_id: event for event in of(PermitIssued, events())}
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT stream, version, image FROM ledger.portraits").fetchall()

    assert {(number, 1) for number in issued} == {(stream, version) for stream, version, _ in rows}
    for portrait in map(SealedPortrait._make, rows):
        event = issued[portrait.stream]
        key = ledger.log.holder_keys([event.holder_id])[event.holder_id]
        assert portrait.open(key, event.identity.portrait)
