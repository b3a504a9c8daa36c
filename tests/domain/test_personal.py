"""Which fields of events are personal: a table of all of them, so that a change is noticed."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, StrEnum
from typing import Any

import pytest

from domain.events import PermitEvent
from domain.personal import ERASED, Erased, Personal, Plain, UnknownKind, parts
from domain.stream_types import EVENTS

PERSONAL = {
    "permit.issued.v1": {"identity", "guardian", "taken_over_from", "residence.address"},
    "permit.electronic-claimed.v2": {"device", "face_match"},
    "permit.device-bound.v2": {"device", "face_match"},
    "permit.device-revoked.v1": {"thumbprint"},
    "permit.endorsed.v1": set(),
    "permit.card-reported-lost.v2": set(),
    "permit.loss-lifted.v1": set(),
    "permit.card-reissued.v1": set(),
    "permit.card-replaced.v1": set(),
    "permit.card-delivered.v1": set(),
    "permit.address-changed.v1": {"residence.address"},
    "permit.identity-corrected.v3": {
        "name",
        "citizen_id_number",
        "sex",
        "birth_date",
        "hukou_address",
    },
    "permit.cancelled.v1": set(),
    "permit.voided.v1": {"finding"},
    "permit.holder-restricted.v1": set(),
    "permit.holder-restriction-lifted.v1": set(),
    "permit.erasure-requested.v1": set(),
    "permit.erasure-withdrawn.v1": set(),
    "permit.holder-erased.v1": set(),
    "id-card.accepted.v1": {"identity", "guardian"},
    "id-card.sent-to-hukou-police.v1": set(),
    "id-card.approved.v1": set(),
    "id-card.returned.v1": {"reason"},
    "id-card.produced.v1": set(),
    "id-card.arrived.v1": set(),
    "id-card.collected.v1": {"agent"},
    "id-card.withdrawn.v1": set(),
    "id-card.due-date-set.v1": set(),
    "id-card.holder-restricted.v1": set(),
    "id-card.holder-restriction-lifted.v1": set(),
    "id-card.erasure-requested.v1": set(),
    "id-card.erasure-withdrawn.v1": set(),
    "id-card.holder-erased.v1": set(),
}
"""Each topic's personal fields. Sealed or not, that is what lies in the log: a change here is a new
version of the event."""


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Home:
    """Says nothing of its door."""

    door: str


@dataclass(frozen=True)
class Place:
    """Says of each field what it is, with a value of its own in it."""

    code: Plain[str]
    street: Personal[str]
    floor: int


@dataclass(frozen=True)
class Estate:
    place: Place
    owner: Personal[str | None]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.TOPIC)
def test_every_event_declares_its_personal_fields(event):
    """Just these fields are sealed, and erased with the holder."""
    assert PERSONAL[event.TOPIC] == set(parts(event).paths)


def test_every_topic_is_told_of():
    """One that is gone, too."""
    assert set(PERSONAL) == {event.TOPIC for event in EVENTS}


@pytest.mark.parametrize(
    "hint",
    [
        str,
        str | None,
        int | str,
        bytes,
        float,
        Any,
        object,
        list[str],
        list[int],
        tuple[date, ...],
        dict[str, str],
        Home,
        Home | None,
        Place | None,
    ],
    ids=str,
)
def test_an_undeclared_field_is_refused(hint):
    """A text, a value that holds one, a union with one, a list, whatever it is of."""
    event = type(
        "EventRow", (PermitEvent,), {"__annotations__": {"field": hint}, "TOPIC": "test.field"}
    )

    with pytest.raises(UnknownKind, match="is neither plain nor personal: declare Plain"):
        parts(event)


def test_the_refusal_names_the_field():
    """Where it is declared: the value's own, where it lies in one."""

    class EventRow(PermitEvent):
        TOPIC = "test.field.v1"

        home: Home

    with pytest.raises(UnknownKind, match=r"^Home\.door is neither plain nor personal"):
        parts(EventRow)


@pytest.mark.parametrize(
    "hint",
    [int, bool, date, datetime, Colour, date | None, Colour | None, int | date, Plain[list[str]]],
    ids=str,
)
def test_numbers_dates_codes_and_what_says_so_are_plain(hint):
    """They need not say it."""
    event = type(
        "EventRow", (PermitEvent,), {"__annotations__": {"field": hint}, "TOPIC": "test.field"}
    )

    assert () == parts(event).paths


def test_a_value_may_hold_both():
    """Down to values in values; a personal field is personal as a whole, whatever it holds."""

    class EventRow(PermitEvent):
        TOPIC = "test.field.v1"

        estate: Estate
        home: Personal[Home]
        seen_on: date

    assert ("home", "estate.owner", "estate.place.street") == parts(EventRow).paths


def test_a_plain_value_has_no_parts():
    """One that holds numbers and codes alone is nowhere among what is sealed."""

    @dataclass(frozen=True)
    class Count:
        number: int
        colour: Colour

    class EventRow(PermitEvent):
        TOPIC = "test.field.v1"

        count: Count

    globals()["Count"] = Count
    assert ((), {}) == (parts(EventRow).paths, parts(EventRow).mixed)


def test_what_was_erased_says_so_and_nothing_else():
    """One value for all, which is no text."""
    assert "erased" == str(ERASED)
    assert [ERASED] == list(Erased)
    assert not isinstance(ERASED, str)
    assert isinstance(ERASED, Enum)
