"""An event that is at its third version, and the way there; the project's own have not come so far.

``test.name-given.v1`` held one name under ``name``, v2 called it ``full_name``, and v3 splits it in
two, the given name ``None`` where there is none. ``test.wish-told.v1`` held a personal text under
``text``, v2 calls it ``wish``.
"""

import orjson
from eventsourcing.persistence import StoredEvent

from domain.events import PermitEvent
from domain.personal import Personal, Plain
from ledger.codec.upcasting import Step
from ledger.crypto import envelope
from tests.ledger.sealing import KEY, same_nonce


class NameGiven(PermitEvent):
    """The newest version."""

    TOPIC = "test.name-given.v3"

    family: Plain[str]
    given: Plain[str | None]


def first_to_second(state):
    state["full_name"] = state.pop("name")
    return state


def second_to_third(state):
    family, _, given = state["full_name"].partition(" ")
    kept = {name: value for name, value in state.items() if name != "full_name"}
    return {**kept, "family": family, "given": given or None}


FIRST, SECOND, THIRD = (f"test.name-given.v{version}" for version in (1, 2, 3))
STEPS = {FIRST: Step(SECOND, first_to_second), SECOND: Step(THIRD, second_to_third)}
STAMP = {
    "timestamp": "2026-11-23T02:00:00.123456+00:00",
    "actor": "officer-1",
    "station": None,
    "policy_version": "wuxi-2026.1",
    "correlation_id": "request-1",
}
STATES = {
    FIRST: {**STAMP, "name": "OUYANG Ceshi"},
    SECOND: {**STAMP, "full_name": "OUYANG Ceshi"},
    THIRD: {**STAMP, "family": "OUYANG", "given": "Ceshi"},
}
"""The same event, as each version stored it."""


class WishTold(PermitEvent):
    """The newest version."""

    TOPIC = "test.wish-told.v2"

    wish: Personal[str]


def text_to_wish(state):
    state["wish"] = state.pop("text")
    return state


WISH, NEW_WISH = "test.wish-told.v1", WishTold.TOPIC
WISH_STEPS = {WISH: Step(NEW_WISH, text_to_wish, personal=("text",))}


def sealed(topic, personal, *, stream="7Q2M9K4T8XW5", version=2, **plain):
    """An event of any topic, as it would have been stored."""
    with same_nonce():
        box = envelope.seal_disclosable(personal, KEY, (stream, str(version), topic))
    state = {**STAMP, **plain, envelope.FIELD: box}
    return StoredEvent(stream, version, topic, orjson.dumps(state))
