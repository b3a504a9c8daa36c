"""An event that is at its third version, and the way there; the project's own have not come so far.

``test.name-given.v1`` held one name under ``name``, v2 called it ``full_name``, and v3 splits it in
two, the given name ``None`` where there is none.
"""

from domain.events import PermitEvent
from ledger.upcasting import Step


class NameGiven(PermitEvent):
    """The newest version."""

    TOPIC = "test.name-given.v3"

    family: str
    given: str | None


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
