"""Old versions of events, turned into the newest one step by step when they are read.

What is stored never changes. The version stands in the topic and not, as the library would have
it, in the state under ``class_version``: it is one name in the log, in its index, in a filter and
on the wire (Kafka's ``ce_type``); who doesn't know a version sees so without opening the state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from domain.personal import ERASED
from ledger.errors import UnreadableEvent

_TOPIC = re.compile(r"(?P<name>.+)\.v(?P<version>[1-9]\d*)")

State = dict[str, Any]


class Step(NamedTuple):
    """From an old version to the next.

    ``upcast`` is a pure function; it gets a state of its own, of plain JSON values, which it may
    change and give back. It adds and takes away by name and keeps the rest: what it does not know
    is then found by whoever reads the newest version, not dropped in silence.

    ``personal`` are the old version's personal fields, dotted where they lie in a value
    (:attr:`domain.personal.Parts.paths`). They hold ``ERASED`` for somebody who was erased.
    """

    topic: str
    upcast: Callable[[State], State]
    personal: tuple[str, ...] = ()


def _reported_lost_v2(state: State) -> State:
    state["lost_on"] = None
    return state


def _identity_corrected_v2(state: State) -> State:
    """Neither could be corrected; of somebody erased that is no longer told."""
    state["sex"] = state["birth_date"] = ERASED if state["name"] is ERASED else None
    return state


STEPS: Mapping[str, Step] = MappingProxyType(
    {
        "permit.card-reported-lost.v1": Step("permit.card-reported-lost.v2", _reported_lost_v2),
        "permit.identity-corrected.v1": Step(
            "permit.identity-corrected.v2",
            _identity_corrected_v2,
            personal=("name", "citizen_id_number", "hukou_address"),
        ),
    }
)
"""Old topic → the step to the next version."""


class Upcasting:
    """Ways from old topics to those that event classes have."""

    def __init__(self, steps: Mapping[str, Step], newest: Collection[str]) -> None:
        """
        Raises:
            ValueError: a step from a topic that is still written, to anything but the same event's
                next version, or to one that nobody reads.
        """
        for topic, step in steps.items():
            if topic in newest:
                raise ValueError(f"{topic} is still written: it can't be an old version")
            if step.topic != _next_version(topic):
                raise ValueError(f"{topic} is followed by {_next_version(topic)}, not {step.topic}")
            if step.topic not in newest and step.topic not in steps:
                raise ValueError(f"{topic} leads to {step.topic}, which nobody reads")
        # Each step goes up by one and none leads nowhere: there is no circle, and every way ends.
        self._steps = dict(steps)

    def personal(self, topic: str) -> tuple[str, ...]:
        """The personal fields of an old version."""
        return self._steps[topic].personal

    def upcast(self, topic: str, state: State, where: str) -> tuple[str, State]:
        """The newest version's topic and state; ``where`` is said of an event that has none.

        Raises:
            UnreadableEvent: a step fails. It is named, with the error's type and nothing that the
                event holds.
        """
        while step := self._steps.get(topic):
            try:
                state = {**step.upcast(state)}
            except Exception as error:  # noqa: BLE001  whatever it does not expect of a state
                raise UnreadableEvent(
                    f"{where} can't be read: {type(error).__name__} in the step from {topic}"
                    f" to {step.topic}"
                ) from None
            topic = step.topic
        return topic, state


def _next_version(topic: str) -> str:
    if (found := _TOPIC.fullmatch(topic)) is None:
        raise ValueError(f"{topic} does not end with a version, as in permit.issued.v1")
    return f"{found['name']}.v{int(found['version']) + 1}"
