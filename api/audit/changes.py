"""The changes of each event in a history, field by field, on both tracks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
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
from domain.validity import EffectsInTurn
from ledger.codec.mapper import is_personal
from ledger.crypto.disclosures import Disclosure
from ledger.errors import UnknownPermit
from ledger.eventlog.history import Protection, RecordedEvent, StreamHistories, StreamHistory
from transparency.reading import TreeReader

from .answers import ChangeAnswer, EventAnswer
from .disclosing import Chosen

Hidden = Protection | Literal["not_disclosed"]

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
    return why_hidden_of(permit)


def why_hidden_of(permit: Permit | None) -> Hidden:
    """Return why the holder of a folded permit is not shown, if so."""
    if permit is None:
        return None
    if permit.erased or permit.identity is ERASED:
        return "erased"
    return "restricted" if permit.restricted else None


def event_answers(history: StreamHistory) -> list[EventAnswer]:
    """Render all events for evidence, without what is personal.

    The permit is folded as far as its events can be read; the changes after that are unknown.
    """
    why_hidden, fold = hidden(history) or "not_disclosed", _Fold()
    return [fold.next(recorded, is_wanted=True).answer(why_hidden) for recorded in history.events]


async def event_page(
    histories: StreamHistories, number: str, after: int, limit: int, chosen: Chosen
) -> tuple[int, list[EventAnswer], bool]:
    """Render a page of a history of any length, the events after a version, with what proves their
    chosen fields.

    Only the permit and this page are held, not the events before it, which are folded.

    Returns:
        The log's head, the events, and whether there are further ones.

    Raises:
        UnknownPermit
        Unavailable
    """
    fold, found, head = _Fold(), list[_Folded](), 0
    is_known = is_over = False
    async for page in histories.pages(number):
        head = page.head
        for recorded in page.events:
            is_known = True
            if is_over := len(found) == limit:
                break
            folded = fold.next(recorded, is_wanted=recorded.version > after)
            if recorded.version > after:
                found.append(folded)
        if is_over:
            break
    if not is_known:
        raise UnknownPermit
    proofs = await histories.disclosures([each.recorded for each in found]) if chosen.names else []
    # Read after the events: what was hidden when they were read is hidden here too.
    why_hidden = await histories.protection(number) or fold.why_hidden
    answers = [folded.answer(why_hidden) for folded in found]
    if why_hidden is None and proofs:
        both = zip(found, answers, proofs, strict=True)
        answers = [_with_proofs(one.recorded, answer, own, chosen) for one, answer, own in both]
    return head, answers, is_over


def _with_proofs(
    recorded: RecordedEvent, answer: EventAnswer, own: list[Disclosure] | None, chosen: Chosen
) -> EventAnswer:
    opened = None
    if own is not None:
        opened = [each.text.decode() for each in own if chosen.covers(each.name)]
    return answer.model_copy(
        update={
            "stored": recorded.stored.state.decode(errors="replace"),
            "disclosures": opened,
        }
    )


@dataclass(frozen=True, slots=True)
class _Folded:
    """An event with the facts before and after it; ``None`` where they are unknown."""

    recorded: RecordedEvent
    true_from: datetime | None
    facts: tuple[Json, Json] | None

    def answer(self, why_hidden: Hidden) -> EventAnswer:
        changes, event = None, self.recorded.event
        if self.facts is not None and event is not None:
            before, after = self.facts
            changes = list(_changes(before, after, cast("PermitEvent", event), why_hidden))
        return answer_of(self.recorded, self.true_from, changes, why_hidden)


class _Fold:
    """Folds a permit's events in turn, up to the first that can't be read or is missing."""

    def __init__(self) -> None:
        self._permit: Permit | None = None
        self._effects = EffectsInTurn()
        self._known = 0
        self._is_sound = True

    @property
    def why_hidden(self) -> Hidden:
        return why_hidden_of(self._permit)

    def next(self, recorded: RecordedEvent, *, is_wanted: bool) -> _Folded:
        """Fold the next event; its facts are rendered only where they are wanted."""
        event = recorded.event
        begins = isinstance(event, PermitIssued)
        self._is_sound &= (
            isinstance(event, PermitEvent)
            and recorded.version == self._known + 1
            and begins == (self._known == 0)
        )
        if not self._is_sound or not isinstance(event, PermitEvent):
            return _Folded(recorded, None, None)
        self._known += 1
        true_from = self._effects.of(event)[0].true_from
        before = _facts(self._permit, event) if self._permit and is_wanted else {}
        self._permit = _after(self._permit, event)
        facts = (before, _facts(self._permit, event)) if is_wanted else None
        return _Folded(recorded, true_from, facts)


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


async def with_details(
    answers: Sequence[EventAnswer], stream: str, trees: TreeReader
) -> list[EventAnswer]:
    """Add to a page of a stream's events what their entries in the tree commit to.

    Raises:
        Unavailable
    """
    if not answers:
        return []
    found = await trees.recorded_page(stream, answers[0].version - 1, answers[-1].version)
    return [
        answer.model_copy(update={"details": event.details.decode()})
        if (event := found.get(answer.version))
        else answer
        for answer in answers
    ]


def with_stated(answer: EventAnswer, event: DomainEvent, chosen: Chosen) -> EventAnswer:
    """Add to an event without proofs of its personal fields those that are chosen, as the service
    states them."""
    own = _own_facts(event, None)
    facts = _own_facts(event, "not_disclosed")
    for path, value in flat(own, every=True):
        if chosen.covers(path):
            _put(facts, path, value)
    return answer.model_copy(update={"facts": facts})


def _put(facts: Json, path: str, value: Any) -> None:
    *outer, name = path.split(".")
    inner = facts
    for step in outer:
        if inner.get(step) is None:
            inner[step] = {}
        inner = inner[step]
    inner[name] = value


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


def flat(
    value: Mapping[str, Any], prefix: str = "", *, every: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values; without those that each document has, unless ``every``."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from flat(inner, f"{prefix}{name}.")
        elif every or prefix or name not in _SAME_FOR_ALL:
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
