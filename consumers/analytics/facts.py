"""What the statistics keep of an event: a row of named facts, without personal data.

Facts are selected by name, so that any other field of an event, or of another producer's record,
is left out. Some plain fields are left out too: the holder's id, which would link a person's
permits; the actor of an event that was not recorded at a station, since that is the holder;
approvals, cases and keys. Restrictions, their liftings and erasures have no station: their actor is
an officer all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from consumers.contract.cloudevents import EventRecord

TEXT_LENGTH_MAX = 64
NUMBER_MAX = 10_000
YEARS = range(1900, 2300)
"""Calendar years; keeps date arithmetic within Python's range."""

_TYPE = re.compile(r"(?P<kind>[a-z-]+)\.(?P<name>[a-z-]+)\.v[1-9][0-9]*")
_TEXT = re.compile(r"[\w@.:+|/-]+", re.ASCII)

Row = dict[str, Any]

COLUMNS = (
    "position",
    "kind",
    "name",
    "type",
    "subject",
    "version",
    "recorded_at",
    "station",
    "actor",
    "anchor",
    "years",
    "day",
    "due_on",
    "card_serial",
    "division",
    "reason",
    "fee_yuan",
)
"""Columns of the table ``events``; ``sql/tables.sql`` describes each."""


class Unfit(Exception):
    """A fact is missing or of the wrong type; the message does not quote it."""


@dataclass(frozen=True, slots=True)
class KindFacts:
    """Where to read the facts of one kind of stream.

    ``dates``, ``numbers`` and ``texts`` map a column to a field. ``days`` and ``reasons``, whose
    field differs by event, map an event's name to a field. A dot separates a nested field.
    """

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
ID_CARD = KindFacts(
    dates={"due_on": "due_date"},
    numbers={"fee_yuan": "fee_yuan"},
    texts={},
    days={"accepted": "accepted_on"},
    reasons={"accepted": "collection"},
)
KINDS: Mapping[str, KindFacts] = MappingProxyType({"permit": PERMIT, "id-card": ID_CARD})
"""One entry per kind of stream; of other kinds only the facts common to all events are kept."""

NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "permit.issued": ("anchor", "years", "division", "card_serial"),
        "permit.endorsed": ("anchor", "years", "day", "reason"),
        "permit.address-changed": ("day", "division"),
        "permit.card-delivered": ("day", "card_serial"),
        "id-card.accepted": ("day", "due_on"),
    }
)
"""An event that lacks one of these is set aside, since the views would count it wrong."""

ORDERS = frozenset({"holder-restricted", "holder-restriction-lifted", "holder-erased"})
"""Events of data protection, which an officer decides who is at no station."""

_NO_FACTS = KindFacts({}, {}, {}, {}, {})


Reader = Callable[[Any, str], Any]
"""Reads a value that is present; the path is for the error message."""


class Fact(NamedTuple):
    """How to read one column from one type of event."""

    column: str
    path: str
    name: str
    within: str | None
    read: Reader


class Plan(NamedTuple):
    """How to read events of one type."""

    kind: str
    name: str
    facts: tuple[Fact, ...]
    needed: tuple[str, ...]


def row_of(event: EventRecord) -> Row:
    """Return a row for the table ``events``, without empty columns; dates are texts.

    Raises:
        Unfit: a required fact is missing, or a fact is of the wrong type.
    """
    plan, fields = _plan(event.type), event.fields
    row: Row = {
        "position": event.position,
        "kind": plan.kind,
        "name": plan.name,
        "type": event.type,
        "subject": event.subject,
        "version": event.version,
        "recorded_at": event.time.astimezone(UTC).replace(tzinfo=None),
    }
    if (station := fields.get("station")) is not None:
        row["station"] = _text(station, "station")
    by_officer = station is not None or plan.name in ORDERS
    if by_officer and (actor := fields.get("actor")) is not None:
        row["actor"] = _text(actor, "actor")
    for column, path, name, within, read in plan.facts:
        value = fields.get(name)
        if within is not None:
            value = value.get(within) if isinstance(value, dict) else None
        if value is not None:
            row[column] = read(value, path)
    for column in plan.needed:
        if column not in row:
            raise Unfit(f"it lacks its {column}")
    return row


@lru_cache(maxsize=256)
def _plan(event_type: str) -> Plan:
    if (found := _TYPE.fullmatch(event_type)) is None:
        raise Unfit("its type has no kind, name and version")
    kind, name = found["kind"], found["name"]
    of = KINDS.get(kind, _NO_FACTS)
    facts = [_fact(column, path, _date) for column, path in of.dates.items()]
    facts += [_fact(column, path, _number) for column, path in of.numbers.items()]
    facts += [_fact(column, path, _text) for column, path in of.texts.items()]
    if name in of.days:
        facts.append(_fact("day", of.days[name], _date))
    if name in of.reasons:
        facts.append(_fact("reason", of.reasons[name], _text))
    return Plan(kind, name, tuple(facts), NEEDED.get(f"{kind}.{name}", ()))


def _fact(column: str, path: str, read: Reader) -> Fact:
    name, _, within = path.partition(".")
    return Fact(column, path, name, within or None, read)


def _date(value: Any, path: str) -> str:
    try:
        if (day := date.fromisoformat(value)).year in YEARS:
            return day.isoformat()
    except (TypeError, ValueError):
        pass
    raise Unfit(f"{path} is no date")


def _number(value: Any, path: str) -> int:
    if type(value) is int and 0 <= value <= NUMBER_MAX:
        return value
    raise Unfit(f"{path} is no number that it could be")


def _text(value: Any, path: str) -> str:
    if type(value) is str and len(value) <= TEXT_LENGTH_MAX and _TEXT.fullmatch(value):
        return value
    raise Unfit(f"{path} is no name that it could be")
