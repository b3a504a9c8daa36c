"""What lives in the log have in common, whatever they are of: a permit's, an application's.

A life is a stream of the log. Its events' topics begin with the prefix of its lifecycle, and what
is personal in them is sealed with the key of one person, who can be restricted and erased.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from eventsourcing.domain import CanMutateAggregate, MetaDomainEvent

from .personal import Plain

if TYPE_CHECKING:
    from .person import Erasure


class DomainEvent(CanMutateAggregate[str], metaclass=MetaDomainEvent):
    """What every event carries: whose life, who, where, under which policy, why."""

    TOPIC: ClassVar[str]

    originator_id: Plain[str]
    originator_version: int
    timestamp: datetime
    actor: Plain[str]
    station: Plain[str | None]
    policy_version: Plain[str]
    correlation_id: Plain[str]


class Aggregate(Protocol):
    """An aggregate of any lifecycle, as far as they are alike."""

    @property
    def id(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def holder_id(self) -> str:
        """Whose key seals what is personal."""
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
    def pending_events(self) -> list[Any]: ...

    def trigger_event(self, event_class: type[Any], **kwargs: Any) -> None: ...

    def collect_events(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class StreamType:
    """One kind of streams.

    ``events`` are all that can be in such a stream, ``event`` is what they have in common, and
    ``is_number`` tells whether a text can be the name of one. The last three are what every life
    is told of its person; the topic of ``erased`` is ``<prefix>.holder-erased.v<n>``, without
    which the database destroys no key.
    """

    prefix: str
    life: type[Any]
    event: type[DomainEvent]
    events: tuple[type[DomainEvent], ...]
    is_number: Callable[[str], bool]
    restricted: type[DomainEvent]
    restriction_lifted: type[DomainEvent]
    erased: type[DomainEvent]
