"""The changes of each event in a history, field by field, on both tracks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Literal, cast

from api.http.rendering import Json
from domain.aggregate import DomainEvent
from domain.calendar import shanghai_date
from domain.events import HolderErased, PermitEvent, PermitIssued
from domain.permit import Permit
from domain.permit_document import permit_document
from domain.personal import ERASED, parts
from domain.standing import Facts, Standing
from ledger.codec.mapper import is_personal
from ledger.eventlog.history import EVENTS_MAX, RecordedEvent, StreamHistory

from .answers import ChangeAnswer, EventAnswer

Hidden = Literal["erased", "restricted"] | None

_STAMP = {
    "originator_id",
    "originator_version",
    "originator_topic",
    "timestamp",
    "actor",
    "station",
    "policy_version",
    "correlation_id",
}
_SAME_FOR_ALL = {"permit_number", "receipt_number", "version"}
_PERSONAL = ("identity", "residence.address", "electronic.device_keys")


def hidden(history: StreamHistory) -> Hidden:
    """Return why the holder is not shown today, if so: erased, or restricted."""
    permit: Permit | None = None
    for event in history.sound:
        permit = _after(permit, event)
    if permit is None:
        return None
    if permit.erased or permit.identity is ERASED:
        return "erased"
    return "restricted" if permit.restricted else None


def event_answers(
    history: StreamHistory, after: int = 0, limit: int = EVENTS_MAX
) -> list[EventAnswer]:
    """Render the events after a version, at most ``limit``.

    The permit is folded as far as its events can be read; the changes after that are unknown.
    """
    why_hidden, known = hidden(history), len(history.sound)
    permit: Permit | None = None
    found: list[EventAnswer] = []
    for n, recorded in enumerate(history.events):
        if len(found) == limit:
            break
        event = cast("PermitEvent | None", recorded.event)
        is_wanted = recorded.version > after
        changes: list[ChangeAnswer] | None = None
        if event is not None and n < known:
            before = _facts(permit, event) if permit and is_wanted else {}
            permit = _after(permit, event)
            if is_wanted:
                changes = list(_changes(before, _facts(permit, event), event, why_hidden))
        if is_wanted:
            true_from = history.sound_history.true_from(n + 1) if n < known else None
            found.append(answer_of(recorded, true_from, changes, why_hidden))
    return found


def answer_of(
    recorded: RecordedEvent,
    true_from: datetime | None,
    changes: list[ChangeAnswer] | None,
    why_hidden: Hidden,
) -> EventAnswer:
    """Render a recorded event of any stream type, with its changes."""
    event = recorded.event
    return EventAnswer(
        position=recorded.position,
        version=recorded.version,
        type=recorded.stored.topic,
        readable=event is not None,
        reason=recorded.reason,
        recorded_at=recorded.recorded_at,
        true_from=true_from,
        actor=_text(recorded, "actor"),
        station=_text(recorded, "station"),
        policy_version=_text(recorded, "policy_version"),
        correlation_id=_text(recorded, "correlation_id"),
        facts=event and _own_facts(event, why_hidden),
        changes=changes,
        withheld=why_hidden if event and is_personal(event) else None,
    )


def _after(permit: Permit | None, event: PermitEvent) -> Permit:
    if isinstance(event, PermitIssued):
        return event.mutate(None)
    assert permit is not None  # noqa: S101  a sound history begins with the issue
    event.apply(permit)
    return permit


def _text(recorded: RecordedEvent, name: str) -> str | None:
    value = recorded.plain.get(name)
    return value if isinstance(value, str) else None


def _facts(permit: Permit, event: PermitEvent) -> Json:
    """Return all facts of a permit on the day of an event, under dotted names."""
    standing = Standing(Facts.of(permit), shanghai_date(event.timestamp))
    document = permit_document(standing)
    document["issued_on"] = permit.issued_on
    document["issuing_authority"] = permit.issuing_authority
    document["identity"] = permit.identity
    document["residence"] = permit.residence
    document["physical"] |= {
        "card_due_on": permit.card.due_on,
        "card_delivered_on": permit.card.delivered_on,
        "identity_stale": permit.card.identity_stale,
    }
    document["electronic"]["device_keys"] = sorted(permit.devices)
    return dict(flat(plain(document)))


def flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values, without those that every document has."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from flat(inner, f"{prefix}{name}.")
        elif prefix or name not in _SAME_FOR_ALL:
            yield f"{prefix}{name}", inner


def _changes(
    before: Json, after: Json, event: PermitEvent, why_hidden: Hidden
) -> Iterator[ChangeAnswer]:
    named = set()
    for field in dict.fromkeys([*before, *after]):
        old, new = before.get(field), after.get(field)
        if old == new:
            continue
        is_personal = f"{field}.".startswith(tuple(f"{each}." for each in _PERSONAL))
        is_hidden = is_personal and why_hidden is not None
        named.add(field)
        yield ChangeAnswer(
            field=field,
            before=None if is_hidden else old,
            after=None if is_hidden else new,
            personal=is_personal,
            withheld=why_hidden if is_hidden else None,
        )
    if why_hidden == "erased" and not isinstance(event, HolderErased):
        # The value was erased with the key, and so was whether it had changed.
        for path in parts(type(event)).paths:
            if path not in named:
                yield ChangeAnswer(
                    field=path, before=None, after=None, personal=True, withheld="erased"
                )


def _own_facts(event: DomainEvent, why_hidden: Hidden) -> Json:
    own = {
        field.name: plain(getattr(event, field.name))
        for field in fields(event)  # type: ignore[arg-type]  # a dataclass by its metaclass
        if field.name not in _STAMP
    }
    if why_hidden:
        for path in parts(type(event)).paths:
            *outer, name = path.split(".")
            inner = own
            for step in outer:
                inner = inner[step]
            inner[name] = None
    return own


def plain(value: Any) -> Any:
    """Convert a value of the domain for JSON; erased ones are null."""
    if value is ERASED:
        return None
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value
