"""What the statistics keep of an event: a row of named facts, and nothing of a person.

Facts are kept by name, so that whatever else an event holds, or a stranger has put there, stays
outside. Not kept although it is plain: the holder's id, which would link a person's permits; who
acted where it was not at a station, since that is the holder; approvals, cases, and keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date
from types import MappingProxyType
from typing import Any

from consumers.cloudevents import EventRecord

TEXT_LENGTH_MAX = 64
NUMBER_MAX = 10_000
YEARS = range(1900, 2300)
"""Of the calendar, so that date arithmetic stays within what DuckDB can say."""

_TYPE = re.compile(r"(?P<kind>[a-z-]+)\.(?P<name>[a-z-]+)\.v[1-9][0-9]*")
_TEXT = re.compile(r"[\w@.:+|/-]+", re.ASCII)

Row = dict[str, Any]

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "position": "BIGINT",
        "kind": "VARCHAR",
        "name": "VARCHAR",
        "type": "VARCHAR",
        "subject": "VARCHAR",
        "version": "INTEGER",
        "recorded_at": "TIMESTAMP",
        "station": "VARCHAR",
        "actor": "VARCHAR",
        "anchor": "DATE",
        "years": "INTEGER",
        "day": "DATE",
        "due_on": "DATE",
        "card_serial": "INTEGER",
        "division": "VARCHAR",
        "reason": "VARCHAR",
        "fee_yuan": "INTEGER",
    }
)
"""Of the table ``events``; what each means is said in ``sql/tables.sql``."""


class Unfit(Exception):
    """A fact that is not what it has to be; the message holds nothing of it."""


@dataclass(frozen=True, slots=True)
class KindFacts:
    """Where the facts of one kind of stream lie: column → the field it is read from, or for what
    differs by event, the event's name → the field. Dots lead into a value."""

    dates: Mapping[str, str]
    numbers: Mapping[str, str]
    texts: Mapping[str, str]
    days: Mapping[str, str]
    reasons: Mapping[str, str]


PERMIT = KindFacts(
    dates={"anchor": "anchor", "due_on": "card_due_on"},
    numbers={"years": "years", "card_serial": "card_serial", "fee_yuan": "fee_yuan"},
    texts={"division": "residence.division"},
    days={
        "endorsed": "endorsed_on",
        "card-reported-lost": "lost_on",
        "loss-lifted": "lifted_on",
        "card-delivered": "delivered_on",
        "address-changed": "moved_on",
    },
    reasons={
        "issued": "ground",
        "endorsed": "kind",
        "card-replaced": "reason",
        "cancelled": "reason",
    },
)
KINDS: Mapping[str, KindFacts] = MappingProxyType({"permit": PERMIT})
"""Another kind of stream is one more entry; events of a kind that is not here keep what all events
have in common."""

NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "permit.issued": ("anchor", "years", "division", "card_serial"),
        "permit.endorsed": ("anchor", "years", "day", "reason"),
        "permit.address-changed": ("day", "division"),
        "permit.card-delivered": ("day", "card_serial"),
    }
)
"""Without these the views would count wrong, so an event that lacks one is parked."""

_NO_FACTS = KindFacts({}, {}, {}, {}, {})


def row_of(event: EventRecord) -> Row:
    """A row for the table ``events``, its dates and instants as texts.

    Raises:
        Unfit: a fact that is needed is missing, or one is not of its kind.
    """
    if (found := _TYPE.fullmatch(event.type)) is None:
        raise Unfit("its type has no kind, name and version")
    kind, name = found["kind"], found["name"]
    fields, facts = event.fields, KINDS.get(kind, _NO_FACTS)
    station = _text(fields, "station")
    row: Row = {
        "position": event.position,
        "kind": kind,
        "name": name,
        "type": event.type,
        "subject": event.subject,
        "version": event.version,
        "recorded_at": event.time.astimezone(UTC).replace(tzinfo=None),
        "station": station,
        "actor": _text(fields, "actor") if station else None,
    }
    for column, path in facts.dates.items():
        row[column] = _date(fields, path)
    for column, path in facts.numbers.items():
        row[column] = _number(fields, path)
    for column, path in facts.texts.items():
        row[column] = _text(fields, path)
    row["day"] = _date(fields, facts.days[name]) if name in facts.days else None
    row["reason"] = _text(fields, facts.reasons[name]) if name in facts.reasons else None
    for column in NEEDED.get(f"{kind}.{name}", ()):
        if row[column] is None:
            raise Unfit(f"it lacks its {column}")
    return row


def _at(fields: Mapping[str, Any], path: str) -> Any:
    value: Any = fields
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _date(fields: Mapping[str, Any], path: str) -> str | None:
    if (value := _at(fields, path)) is None:
        return None
    try:
        if date.fromisoformat(value).year in YEARS:
            return str(value)
    except (TypeError, ValueError):
        pass
    raise Unfit(f"{path} is no date")


def _number(fields: Mapping[str, Any], path: str) -> int | None:
    value = _at(fields, path)
    if value is None or (type(value) is int and 0 <= value <= NUMBER_MAX):
        return value
    raise Unfit(f"{path} is no number that it could be")


def _text(fields: Mapping[str, Any], path: str) -> str | None:
    value = _at(fields, path)
    if value is None:
        return None
    if type(value) is str and len(value) <= TEXT_LENGTH_MAX and _TEXT.fullmatch(value):
        return value
    raise Unfit(f"{path} is no name that it could be")
