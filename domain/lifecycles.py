"""Every lifecycle that the log holds. What is not listed here can't be in it."""

from __future__ import annotations

from functools import cache

from . import permit_number
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
from .lifecycle import Life, Lifecycle, LifeEvent
from .permit import Permit

PERMITS = Lifecycle(
    prefix=Permit.TOPIC,
    life=Permit,
    event=PermitEvent,
    events=PERMIT_EVENTS,
    is_number=permit_number.is_valid,
    restricted=HolderRestricted,
    restriction_lifted=HolderRestrictionLifted,
    erased=HolderErased,
)

ID_CARDS = Lifecycle(
    prefix=IdCardApplication.TOPIC,
    life=IdCardApplication,
    event=IdCardEvent,
    events=ID_CARD_EVENTS,
    is_number=receipt_number.is_valid,
    restricted=ApplicantRestricted,
    restriction_lifted=ApplicantRestrictionLifted,
    erased=ApplicantErased,
)

LIFECYCLES = (PERMITS, ID_CARDS)
EVENTS: tuple[type[LifeEvent], ...] = tuple(
    event for lifecycle in LIFECYCLES for event in lifecycle.events
)
ERASURES: tuple[type[LifeEvent], ...] = tuple(lifecycle.erased for lifecycle in LIFECYCLES)


@cache
def of_topic(topic: str) -> Lifecycle | None:
    """The one whose events have topics like this, known or not; ``None`` for nobody's."""
    prefix = topic.partition(".")[0]
    return next((each for each in LIFECYCLES if each.prefix == prefix), None)


def of_life(life: Life) -> Lifecycle:
    return next(each for each in LIFECYCLES if isinstance(life, each.life))


def is_number(text: str) -> bool:
    """Whether a stream of any lifecycle can have this name."""
    return any(each.is_number(text) for each in LIFECYCLES)
