"""What the aggregates of all stream types have in common.

The topics of an aggregate's events begin with the prefix of its stream type. Personal fields are
encrypted with the key of one person, the holder, who can be restricted and erased.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar, Protocol

from eventsourcing.domain import CanMutateAggregate, MetaDomainEvent

from .calendar import shanghai_date
from .context import CommandContext
from .errors import TooManyToday
from .person import Erasure, ErasureRequest
from .personal import Internal, Plain


@dataclass(frozen=True, slots=True)
class ActsOfDay:
    """How many events each account has added to a stream on the day of its newest event."""

    day: date | None = None
    by: Mapping[str, int] = field(default_factory=dict)

    def after(self, event: DomainEvent) -> ActsOfDay:
        """Count one more event."""
        day = shanghai_date(event.timestamp)
        before = self.by if day == self.day else {}
        return ActsOfDay(day, {**before, event.actor: before.get(event.actor, 0) + 1})

    def require_another(self, context: CommandContext) -> None:
        """
        Raises:
            TooManyToday: the account has added as many today as the policy allows.
        """
        today = self.by.get(context.actor, 0) if self.day == context.today else 0
        if today >= context.policy.events_per_account_and_day_max:
            raise TooManyToday(context.at)


class DomainEvent(CanMutateAggregate[str], metaclass=MetaDomainEvent):
    """The fields of every event: its stream, who acted where, under which policy, on which
    request."""

    TOPIC: ClassVar[str]

    originator_id: Plain[str]
    originator_version: int
    timestamp: datetime
    actor: Plain[str]
    station: Plain[str | None]
    policy_version: Plain[str]
    correlation_id: Plain[str]

    def mutate(self, aggregate: Any) -> Any:
        """Apply the event, and count it among its account's."""
        changed = super().mutate(aggregate)
        if changed is not None:
            changed.acts = changed.acts.after(self)
        return changed


class OrderEvent(DomainEvent):
    """The fields of a restriction and of its lifting."""

    legal_basis: Plain[str]
    case: Internal[str]


class ErasureRequestEvent(OrderEvent):
    """The fields of a request to erase, which another officer has to approve in time."""

    expires_at: datetime

    @property
    def request(self) -> ErasureRequest:
        return ErasureRequest(self.actor, self.legal_basis, self.case, self.expires_at)


class ErasureEvent(DomainEvent):
    """The fields of an erasure."""

    holder_id: Plain[str]
    legal_basis: Plain[str]
    case: Internal[str]
    approvals: Internal[list[str]]
    key: Plain[str]
    backups_hold_key_until: date

    @property
    def erasure(self) -> Erasure:
        return Erasure(
            erased_at=self.timestamp,
            legal_basis=self.legal_basis,
            case=self.case,
            approvals=tuple(self.approvals),
            key=self.key,
            backups_hold_key_until=self.backups_hold_key_until,
        )


class Aggregate(Protocol):
    """An aggregate of any stream type, as far as they are alike."""

    @property
    def id(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def holder_id(self) -> str:
        """The person with whose key the personal fields are encrypted."""
        ...

    @property
    def identity(self) -> Any:
        """Has a ``name``; :data:`~domain.personal.ERASED` once the key is destroyed."""
        ...

    @property
    def restricted(self) -> bool: ...

    @property
    def erased(self) -> bool: ...

    @property
    def erasure(self) -> Erasure | None: ...

    @property
    def erasure_request(self) -> ErasureRequest | None: ...

    @property
    def acts(self) -> ActsOfDay: ...

    @property
    def pending_events(self) -> list[Any]: ...

    def trigger_event(self, event_class: type[Any], **kwargs: Any) -> None: ...

    def collect_events(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class StreamType:
    """A stream type: which aggregate its streams fold to, and which events they may hold.

    ``event`` is the base class of ``events``; ``is_number`` says whether a text can be the name of
    such a stream. The last five are the events of data protection. The topic of ``erased`` is
    ``<prefix>.holder-erased.v<n>``: without such an event the database destroys no key.
    """

    prefix: str
    aggregate: type[Any]
    event: type[DomainEvent]
    events: tuple[type[DomainEvent], ...]
    is_number: Callable[[str], bool]
    restricted: type[DomainEvent]
    restriction_lifted: type[DomainEvent]
    erasure_requested: type[DomainEvent]
    erasure_withdrawn: type[DomainEvent]
    erased: type[DomainEvent]
