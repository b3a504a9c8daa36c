"""An event of an old version is read as the newest one, or not at all."""

import traceback
from dataclasses import replace
from types import MappingProxyType

import orjson
import pytest
from eventsourcing.persistence import StoredEvent

from domain.events import EVENTS
from domain.personal import ERASED
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.codec.upcasting import Step, Upcasting
from ledger.errors import UnreadableEvent
from tests.ledger.made_up import (
    FIRST,
    NEW_WISH,
    SECOND,
    STATES,
    STEPS,
    THIRD,
    WISH,
    WISH_STEPS,
    NameGiven,
    WishTold,
    sealed,
)
from tests.ledger.sealing import KEY, NO_KEYS, read, same_nonce

SECRET = "蠡湖大道1号"
WHERE = "version 7 of 7Q2M9K4T8XW5"


def same(state):
    return state


@pytest.fixture
def mapper():
    """``mapper(steps)``: one that has the made-up event beside the project's own."""

    def mapper(steps=STEPS):
        return EventMapper(OrjsonTranscoder(), events=[*EVENTS, NameGiven], steps=steps)

    return mapper


def stored(topic, **changes):
    """As this version stored it; ``...`` leaves a field out."""
    state = {name: v for name, v in {**STATES[topic], **changes}.items() if v is not ...}
    return StoredEvent("7Q2M9K4T8XW5", 7, topic, orjson.dumps(state))


@pytest.fixture
def reason(mapper):
    """``reason(event, steps)``: the reason of the refusal; no line of the traceback contains the
    secret."""

    def reason(event, steps=STEPS):
        with pytest.raises(UnreadableEvent) as refused:
            mapper(steps).to_domain_event(event)
        assert SECRET not in "".join(traceback.format_exception(refused.value))
        return str(refused.value)

    return reason


@pytest.mark.parametrize("topic", [FIRST, SECOND])
def test_an_old_version_is_read_as_the_newest(mapper, topic):
    """One step after the other; stamp and place in the log are unchanged."""
    event = stored(topic)

    read = mapper().to_domain_event(event)

    assert mapper().to_domain_event(stored(THIRD)) == read
    assert (NameGiven, "OUYANG", "Ceshi") == (type(read), read.family, read.given)
    assert stored(topic) == event


def test_the_newest_version_takes_no_step(mapper):
    """Even where one would fail."""
    steps = {topic: Step(step.topic, None) for topic, step in STEPS.items()}

    assert "OUYANG" == mapper(steps).to_domain_event(stored(THIRD)).family


def test_an_upcast_event_is_written_as_the_newest(mapper):
    """An old version is never written again."""
    written = mapper().to_stored_event(mapper().to_domain_event(stored(FIRST)))

    assert stored(THIRD) == written


def test_a_step_may_change_its_state_in_place(mapper):
    """It gets a copy each time, and its result is copied too."""
    seen = []

    def emptying(state):
        seen.append(dict(state))
        state.clear()
        return MappingProxyType(STATES[THIRD])

    reading = mapper({SECOND: Step(THIRD, emptying)})
    events = [reading.to_domain_event(stored(SECOND)) for _ in range(2)]

    assert [STATES[SECOND]] * 2 == seen
    assert events[0] == events[1]


def test_the_readable_topics_are_the_old_and_the_new(mapper):
    """A start compares the log with them."""
    assert {FIRST, SECOND, THIRD, *(event.TOPIC for event in EVENTS)} == mapper().topics


def test_a_step_that_fails_is_named(reason):
    """With the error's type; a KeyError's text may contain the event's data."""
    lookup = {FIRST: Step(SECOND, lambda state: {}[state["name"]]), SECOND: STEPS[SECOND]}

    expected = f"{WHERE} can't be read: KeyError in the step from {FIRST} to {SECOND}"
    assert expected == reason(stored(FIRST, name=SECRET), lookup)
    assert expected == reason(stored(FIRST, name=...))


def test_a_later_step_that_fails_is_named(reason):
    """The first one's result is not what the second expects."""
    expected = f"{WHERE} can't be read: AttributeError in the step from {SECOND} to {THIRD}"
    assert expected == reason(stored(FIRST, name=[SECRET]))


@pytest.mark.parametrize("given", [None, [], "text", 1])
def test_a_step_has_to_return_a_state(reason, given):
    expected = f"{WHERE} can't be read: TypeError in the step from {SECOND} to {THIRD}"
    assert expected == reason(stored(SECOND), {SECOND: Step(THIRD, lambda _: given)})


def test_unknown_fields_are_named(reason):
    """Those of an old state are not dropped on the way."""
    expected = f"{WHERE} (as {THIRD}, from {FIRST}) has unknown fields: hint"
    assert expected == reason(stored(FIRST, hint=SECRET))


def test_the_result_of_the_steps_is_checked(reason):
    """Like any state; the message names the steps."""
    wrong = {SECOND: Step(THIRD, lambda state: {**STATES[THIRD], "family": [state["full_name"]]})}

    expected = f"{WHERE} (as {THIRD}, from {SECOND}) can't be read: family"
    assert expected == reason(stored(SECOND, full_name=SECRET), wrong)


@pytest.mark.parametrize("state", [b"", b"[]", b"null", SECRET.encode()])
def test_an_old_state_is_a_json_object(reason, state):
    """No step gets anything else."""
    expected = f"{WHERE} does not hold a JSON object"
    assert expected == reason(replace(stored(FIRST), state=state))


def test_a_version_that_is_not_registered_is_unknown(reason):
    """Older or newer than all that are."""
    assert f"{WHERE} has the unknown topic {FIRST}" == reason(
        stored(FIRST), {SECOND: STEPS[SECOND]}
    )


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ({THIRD: Step("test.name-given.v4", same)}, f"{THIRD} is still written"),
        ({FIRST: STEPS[FIRST]}, f"{FIRST} leads to {SECOND}, which has no reader"),
        ({FIRST: Step(THIRD, same)}, f"{FIRST} is followed by {SECOND}, not {THIRD}"),
        ({FIRST: Step(FIRST, same)}, f"{FIRST} is followed by {SECOND}, not {FIRST}"),
        ({SECOND: Step(FIRST, same), FIRST: STEPS[FIRST]}, f"{SECOND} is followed by {THIRD}, not"),
        ({SECOND: Step("test.name-taken.v3", same)}, f"{SECOND} is followed by {THIRD}, not"),
        ({"test.name-given": Step(THIRD, same)}, "test.name-given does not end with a version"),
        ({"test.name-given.v0": Step(FIRST, same)}, "test.name-given.v0 does not end"),
        ({"test.name-given.v02": Step(THIRD, same)}, "test.name-given.v02 does not end"),
    ],
    ids=["written", "dead end", "leap", "itself", "circle", "other name", "none", "v0", "v02"],
)
def test_steps_without_a_readable_target_are_refused(steps, message):
    """When they are composed, not when the first old event is read."""
    with pytest.raises(ValueError, match=message):
        Upcasting(steps, {THIRD})


# -- old versions with a personal part ---------------------------------------------------------


@pytest.fixture
def wishes():
    return EventMapper(OrjsonTranscoder(), events=[*EVENTS, WishTold], steps=WISH_STEPS)


def test_a_sealed_old_version_is_opened_and_read_as_the_newest(wishes):
    """It opens where it was sealed, under its old topic; written, it is sealed for the new one."""
    [event] = read(wishes, sealed(WISH, {"text": SECRET}))

    assert (WishTold, SECRET) == (type(event), event.wish)
    with same_nonce():
        assert sealed(NEW_WISH, {"wish": SECRET}) == wishes.to_stored_event(event, KEY)


def test_an_old_version_of_an_erased_holder_is_read_as_the_newest(wishes):
    """The step receives the erased value, and passes it on."""
    [event] = read(wishes, sealed(WISH, {"text": SECRET}), keys=NO_KEYS)

    assert (WishTold, ERASED) == (type(event), event.wish)


def test_an_old_version_keeps_its_personal_fields_encrypted(wishes):
    """In the clear they are refused, as those of the newest are."""
    stored_so = sealed(WISH, {"text": SECRET}, text=SECRET)

    with pytest.raises(UnreadableEvent) as refused:
        read(wishes, stored_so)
    assert "version 2 of 7Q2M9K4T8XW5 holds text in the clear" == str(refused.value)


def test_an_old_version_does_not_open_as_the_newest(wishes):
    """Its ciphertext is bound to its own topic."""
    moved = replace(sealed(WISH, {"wish": SECRET}), topic=NEW_WISH)

    with pytest.raises(UnreadableEvent, match="can't be opened"):
        read(wishes, moved)
