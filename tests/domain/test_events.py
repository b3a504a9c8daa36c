"""What every event of the log carries, and what it cost."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from eventsourcing.utils import resolve_topic

from domain.data_protection import Order, erase, lift_restriction, restrict, withdraw_erasure
from domain.events import EVENTS, CancellationReason, CardPresented, ReplacementReason
from domain.person import Residence
from tests.domain.scenario import FACE_MATCH, claimed, given, issued, on, phone

ISSUED, TODAY = date(2025, 3, 31), date(2026, 3, 1)
ORDER = Order("PIPL 47", "case 2026-7")


@pytest.fixture(scope="module")
def lifecycle(issue, face_match):
    """One permit through everything that can happen to it, and another one voided."""
    permit, now = issue(ISSUED), on(TODAY)
    permit.deliver_card(now)
    permit.claim(phone(1), face_match, confirmed=True, context=now)
    permit.claim(phone(2), face_match, confirmed=True, context=now)
    permit.revoke_device(phone(1).thumbprint, now)
    permit.report_loss(now)
    permit.lift_loss(now)
    permit.report_loss(now)
    permit.reissue(now)
    permit.endorse(CardPresented.REISSUE_RECEIPT, now)
    for reason in ReplacementReason:
        permit.replace(reason, old_card_returned=True, context=now)
    permit.change_address(Residence("320281", "澄江中路2号"), TODAY, now)
    permit.correct_identity(name="欧阳改名", context=now)
    restrict([permit], ORDER, now)
    lift_restriction([permit], ORDER, now)
    permit.cancel(CancellationReason.MOVED_AWAY, now)
    destroyed = {"key": "commitment", "backups_hold_key_until": TODAY}
    second = replace(now, actor="officer-2")
    erase([permit], ORDER, **destroyed, context=now)
    withdraw_erasure([permit], now)
    erase([permit], ORDER, **destroyed, context=now)
    erase([permit], ORDER, **destroyed, context=second)
    voided = issue(ISSUED)
    voided.void("forged proof of employment", now)
    return [*permit.collect_events(), *voided.collect_events()]


def test_everything_that_can_happen_happens_here(lifecycle):
    """A new event has to come to this lifecycle too."""
    assert set(EVENTS) == {type(event) for event in lifecycle}


def test_every_event_has_actor_station_instant_request_and_policy(lifecycle):
    """The stamp of its command, and the permit it belongs to."""
    for event in lifecycle:
        day = ISSUED if event.originator_version == 1 else TODAY
        assert event.originator_id == "7Q2M9K4T8XW5"
        assert event.actor in {"officer-1", "officer-2"}
        assert event.station == "320211-01"
        assert event.policy_version == "wuxi-2026.1"
        assert f"request-of-{day}" == event.correlation_id
        assert datetime(day.year, day.month, day.day, 4, tzinfo=UTC) == event.timestamp


def test_the_versions_of_a_permit_have_no_gap(lifecycle):
    """Counted from one, for both permits."""
    versions = [event.originator_version for event in lifecycle]

    assert [*range(1, len(versions) - 1), 1, 2] == versions


def test_a_topic_names_an_event_and_its_version(lifecycle):
    """A promise to readers in twenty years: unique, registered, no Python path."""
    topics = [event.TOPIC for event in EVENTS]

    assert len(set(topics)) == len(topics)
    assert all(re.fullmatch(r"permit\.[a-z]+(-[a-z]+)*\.v[1-9][0-9]*", topic) for topic in topics)
    assert list(EVENTS) == [resolve_topic(topic) for topic in topics]


def test_each_fee_is_on_its_event(lifecycle):
    """[N19, N21, J] In yuan: nothing but a new card costs, and not if the office erred."""
    fees = [
        (event.TOPIC, getattr(event, "reason", None), event.fee_yuan)
        for event in lifecycle
        if hasattr(event, "fee_yuan")
    ]

    assert fees == [
        ("permit.issued.v1", None, 0),
        ("permit.card-reissued.v1", None, 20),
        ("permit.endorsed.v1", None, 0),
        ("permit.card-replaced.v1", "damaged", 20),
        ("permit.card-replaced.v1", "details_changed", 20),
        ("permit.card-replaced.v1", "office_error", 0),
        ("permit.issued.v1", None, 0),
    ]


def test_each_new_card_is_due_in_fifteen_days(lifecycle):
    """[N9] From the day of the command."""
    due = {(event.TOPIC, event.card_due_on) for event in lifecycle if hasattr(event, "card_due_on")}

    assert {
        ("permit.issued.v1", date(2025, 4, 15)),
        ("permit.card-reissued.v1", date(2026, 3, 16)),
        ("permit.card-replaced.v1", date(2026, 3, 16)),
    } == due


def test_a_holder_acts_without_a_station():
    """A claim on the holder's own phone happens at no counter."""
    by_holder = {"actor": "holder-1", "station": None}
    expected = claimed(ISSUED)
    (
        given(issued(ISSUED))
        .when(
            lambda permit: permit.claim(
                phone(1), FACE_MATCH, confirmed=True, context=on(ISSUED, **by_holder)
            )
        )
        .then(replace(expected, fields={**expected.fields, **by_holder}))
    )
