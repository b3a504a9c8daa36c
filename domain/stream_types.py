"""Every lifecycle that the log holds. What is not listed here can't be in it."""

from __future__ import annotations

from functools import cache

from . import permit_number
from .aggregate import Aggregate, DomainEvent, StreamType
from .events import EVENTS as PERMIT_EVENTS
from .events import HolderErased, HolderRestricted, HolderRestrictionLifted, PermitEvent
from .id_cards import receipt_number
from .id_cards.application import IdCardApplication
from .id_cards.events import EVENTS as ID_CARD_EVENTS
from .id_cards.events import (
    ApplicantErased,
    ApplicantRestricted,
    ApplicantRestrictionLifted,
    IdCardEvent,
)
from .permit import Permit

PERMITS = StreamType(
    prefix=Permit.TOPIC,
    life=Permit,
    event=PermitEvent,
    events=PERMIT_EVENTS,
    is_number=permit_number.is_valid,
    restricted=HolderRestricted,
    restriction_lifted=HolderRestrictionLifted,
    erased=HolderErased,
)

ID_CARDS = StreamType(
    prefix=IdCardApplication.TOPIC,
    life=IdCardApplication,
    event=IdCardEvent,
    events=ID_CARD_EVENTS,
    is_number=receipt_number.is_valid,
    restricted=ApplicantRestricted,
    restriction_lifted=ApplicantRestrictionLifted,
    erased=ApplicantErased,
)

STREAM_TYPES = (PERMITS, ID_CARDS)
EVENTS: tuple[type[DomainEvent], ...] = tuple(
    event for stream_type in STREAM_TYPES for event in stream_type.events
)
ERASURES: tuple[type[DomainEvent], ...] = tuple(stream_type.erased for stream_type in STREAM_TYPES)


@cache
def of_topic(topic: str) -> StreamType | None:
    """The one whose events have topics like this, known or not; ``None`` for nobody's."""
    prefix = topic.partition(".")[0]
    return next((each for each in STREAM_TYPES if each.prefix == prefix), None)


def stream_type_of(life: Aggregate) -> StreamType:
    return next(each for each in STREAM_TYPES if isinstance(life, each.life))


def is_number(text: str) -> bool:
    """Whether a stream of any lifecycle can have this name."""
    return any(each.is_number(text) for each in STREAM_TYPES)
