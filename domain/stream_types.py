"""All stream types of the log; it can hold no others."""

from __future__ import annotations

from functools import cache

from . import permit_number
from .aggregate import Aggregate, DomainEvent, StreamType
from .events import EVENTS as PERMIT_EVENTS
from .events import (
    ErasureRequested,
    ErasureWithdrawn,
    HolderErased,
    HolderRestricted,
    HolderRestrictionLifted,
    PermitEvent,
)
from .id_cards import receipt_number
from .id_cards.application import IdCardApplication
from .id_cards.events import EVENTS as ID_CARD_EVENTS
from .id_cards.events import (
    ApplicantErased,
    ApplicantErasureRequested,
    ApplicantErasureWithdrawn,
    ApplicantRestricted,
    ApplicantRestrictionLifted,
    IdCardEvent,
)
from .permit import Permit

PERMITS = StreamType(
    prefix=Permit.TOPIC,
    aggregate=Permit,
    event=PermitEvent,
    events=PERMIT_EVENTS,
    is_number=permit_number.is_valid,
    restricted=HolderRestricted,
    restriction_lifted=HolderRestrictionLifted,
    erasure_requested=ErasureRequested,
    erasure_withdrawn=ErasureWithdrawn,
    erased=HolderErased,
)

ID_CARDS = StreamType(
    prefix=IdCardApplication.TOPIC,
    aggregate=IdCardApplication,
    event=IdCardEvent,
    events=ID_CARD_EVENTS,
    is_number=receipt_number.is_valid,
    restricted=ApplicantRestricted,
    restriction_lifted=ApplicantRestrictionLifted,
    erasure_requested=ApplicantErasureRequested,
    erasure_withdrawn=ApplicantErasureWithdrawn,
    erased=ApplicantErased,
)

STREAM_TYPES = (PERMITS, ID_CARDS)
EVENTS: tuple[type[DomainEvent], ...] = tuple(
    event for stream_type in STREAM_TYPES for event in stream_type.events
)
ERASURES: tuple[type[DomainEvent], ...] = tuple(stream_type.erased for stream_type in STREAM_TYPES)


@cache
def of_topic(topic: str) -> StreamType | None:
    """The stream type whose prefix the topic has, whether or not the topic is known."""
    prefix = topic.partition(".")[0]
    return next((each for each in STREAM_TYPES if each.prefix == prefix), None)


def stream_type_of(aggregate: Aggregate) -> StreamType:
    return next(each for each in STREAM_TYPES if isinstance(aggregate, each.aggregate))


def is_number(text: str) -> bool:
    """Whether a stream of any type can have this name."""
    return any(each.is_number(text) for each in STREAM_TYPES)
