"""Upcasting: events of old versions are read as the current version, step by step.

What is stored never changes. The version is part of the topic and not, as in the library, of the
state under ``class_version``: it is one name in the log, its index, a filter and on the wire
(Kafka's ``ce_type``), and an unknown version is recognised without opening the state.
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
    change and return. It adds and removes fields by name and keeps the others: an unknown field is
    reported when the current version is read, and not dropped silently.

    ``personal`` are the old version's personal fields, dotted if they are part of a value
    (:attr:`domain.personal.Parts.paths`). They are ``ERASED`` for an erased holder.
    """

    topic: str
    upcast: Callable[[State], State]
    personal: tuple[str, ...] = ()


def _reported_lost_v2(state: State) -> State:
    state["lost_on"] = None
    return state


def _identity_corrected_v2(state: State) -> State:
    """Neither could be corrected; for an erased holder, that is erased too."""
    state["sex"] = state["birth_date"] = ERASED if state["name"] is ERASED else None
    return state


def _identity_corrected_v3(state: State) -> State:
    """Whether the card shows what was corrected follows from sealed fields: a step makes none of
    that plain."""
    state["outdates_card"] = None
    return state


def _face_match_v2(state: State) -> State:
    """How a claim was proved was not kept: it was the caller's word."""
    if state["face_match"] is not ERASED:
        state["face_match"] |= {"proof": "unsigned", "reference": None, "compared_at": None}
    return state


STEPS: Mapping[str, Step] = MappingProxyType(
    {
        **{
            f"permit.{name}.v1": Step(
                f"permit.{name}.v2", _face_match_v2, personal=("device", "face_match")
            )
            for name in ("electronic-claimed", "device-bound")
        },
        "permit.card-reported-lost.v1": Step("permit.card-reported-lost.v2", _reported_lost_v2),
        "permit.identity-corrected.v1": Step(
            "permit.identity-corrected.v2",
            _identity_corrected_v2,
            personal=("name", "citizen_id_number", "hukou_address"),
        ),
        "permit.identity-corrected.v2": Step(
            "permit.identity-corrected.v3",
            _identity_corrected_v3,
            personal=("name", "citizen_id_number", "sex", "birth_date", "hukou_address"),
        ),
    }
)
"""Old topic → the step to the next version."""


class Upcasting:
    """The steps from old topics to those of the event classes."""

    def __init__(self, steps: Mapping[str, Step], newest: Collection[str]) -> None:
        """
        Raises:
            ValueError: a step from a topic that is still written, to anything but the same event's
                next version, or to a topic that has no reader.
        """
        for topic, step in steps.items():
            if topic in newest:
                raise ValueError(f"{topic} is still written: it can't be an old version")
            if step.topic != _next_version(topic):
                raise ValueError(f"{topic} is followed by {_next_version(topic)}, not {step.topic}")
            if step.topic not in newest and step.topic not in steps:
                raise ValueError(f"{topic} leads to {step.topic}, which has no reader")
        # Each step goes up by one version and leads to a known one: there is no cycle.
        self._steps = dict(steps)

    def personal(self, topic: str) -> tuple[str, ...]:
        """The personal fields of an old version."""
        return self._steps[topic].personal

    def upcast(self, topic: str, state: State, where: str) -> tuple[str, State]:
        """The current version's topic and state; ``where`` describes the event in errors.

        Raises:
            UnreadableEvent: a step fails. The message has the step and the error's type, and no
                value of the event.
        """
        while step := self._steps.get(topic):
            try:
                state = {**step.upcast(state)}
            except Exception as error:  # noqa: BLE001  any error that an unexpected state causes
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
