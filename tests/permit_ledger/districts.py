"""A simulated district, as its tests look at it."""

from datetime import UTC, date, datetime

from domain.events import PermitIssued

UNTIL = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LAST_DAY = date(2026, 11, 20)
DAYS = 400


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def people(events):
    """The part of a citizen number that differs between people: area and sequence."""
    numbers = [event.identity.citizen_id_number for event in of(PermitIssued, events)]
    return {number[:6] + number[14:17] for number in numbers}
