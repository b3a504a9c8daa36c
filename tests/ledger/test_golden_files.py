"""The golden files detect that stored events would be read differently, or not at all."""

import orjson
import pytest

from domain.events import PermitEvent
from domain.personal import Plain
from ledger.codec.upcasting import Step
from tests.ledger.golden_files import golden_problems
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


class OfAnother(PermitEvent):
    """Like the newest version, but a field is new and may be missing."""

    TOPIC = THIRD

    family: Plain[str]
    given: Plain[str | None]
    title: Plain[str | None] = None


class Narrower(PermitEvent):
    """Like the newest version, but a field may no longer be missing."""

    TOPIC = THIRD

    family: Plain[str]
    given: Plain[str]


class Turned(PermitEvent):
    """Like the newest version, but in another order."""

    TOPIC = THIRD

    given: Plain[str | None]
    family: Plain[str]


@pytest.fixture
def folder(tmp_path):
    """``folder("upcast/…")``: a file in a folder where nothing is missing."""
    (tmp_path / "upcast").mkdir()
    newest = {**STATES[THIRD]}
    for topic, state in STATES.items():
        (tmp_path / f"{topic}.json").write_bytes(orjson.dumps(state) + b"\n")
    for topic in (FIRST, SECOND):
        (tmp_path / "upcast" / f"{topic}.json").write_bytes(orjson.dumps(newest) + b"\n")
    nameless = orjson.dumps({**newest, "given": None})
    (tmp_path / f"{THIRD}.one-name.json").write_bytes(nameless + b"\n")
    return tmp_path


@pytest.fixture
def problems(folder):
    """``problems(event)``: of the folder, for this class of the newest version."""

    def problems(event=NameGiven, steps=STEPS):
        return golden_problems(folder, events=[event], steps=steps)

    return problems


def test_a_complete_folder_has_no_problems(problems):
    """The other tests introduce one fault each."""
    assert [] == problems()


@pytest.mark.parametrize("topic", [FIRST, SECOND])
def test_an_old_version_needs_a_golden_file(problems, folder, topic):
    """It was stored, and may still exist."""
    (folder / f"{topic}.json").unlink()
    (folder / "upcast" / f"{topic}.json").unlink()

    assert [f"{topic} has no golden file"] == problems()


def test_the_newest_version_needs_a_golden_file(problems, folder):
    """Each class has a topic, each topic a file."""
    for file in folder.glob(f"{THIRD}*.json"):
        file.unlink()

    assert [f"{THIRD} has no golden file"] == problems()


@pytest.mark.parametrize("name", ["test.name-taken.v1.json", "README", "test.name-given.json"])
def test_a_file_without_a_reader_is_found(problems, folder, name):
    """Its event class was deleted, or never existed."""
    (folder / name).write_bytes(b"{}\n")

    assert [f"{name} is of a topic that nobody reads"] == problems()


def test_a_removed_upcast_is_found(problems):
    """Stored events of that version could no longer be read."""
    assert [
        f"{FIRST}.json is of a topic that nobody reads",
        f"{FIRST}.json in upcast/ is of no old version",
    ] == problems(steps={SECOND: STEPS[SECOND]})


def test_an_added_field_is_found(problems):
    """Even an optional one: it would be written under the same topic."""
    files = [f"{THIRD}.json", f"{THIRD}.one-name.json"]
    found = problems(OfAnother)
    assert {f"{file} is written differently now" for file in files} < set(found)
    assert {f"{old}.json is not read as upcast/ expects" for old in (FIRST, SECOND)} < set(found)


def test_a_narrowed_field_is_found(problems):
    """By the variant that holds the forbidden value."""
    file = f"{THIRD}.one-name.json"
    message = f"{file} can't be read any more: version 2 of 7Q2M9K4T8XW5 can't be read: given"
    assert [message] == problems(Narrower)


def test_another_order_of_fields_is_found(problems):
    """The bytes must be equal."""
    assert f"{THIRD}.json is written differently now" in problems(Turned)


def test_an_upcast_with_another_result_is_found(problems):
    """For every version that uses it."""
    shouting = Step(THIRD, lambda state: {**STATES[THIRD], "family": state["full_name"].upper()})
    assert [
        f"{FIRST}.json is not read as upcast/ expects",
        f"{SECOND}.json is not read as upcast/ expects",
    ] == problems(steps={**STEPS, SECOND: shouting})


def test_an_old_version_needs_an_expectation(problems, folder):
    """The message contains the current result."""
    (folder / "upcast" / f"{FIRST}.json").unlink()

    today = (folder / f"{THIRD}.json").read_text().strip()
    expected = f"{FIRST}.json has no expectation in upcast/; today it is {today}"
    assert [expected] == problems()


# -- what is sealed ----------------------------------------------------------------------------


@pytest.fixture
def wishes(tmp_path):
    """A folder of a personal event's two versions."""
    (tmp_path / "upcast").mkdir()
    newest = sealed(NEW_WISH, {"wish": "a garden"}).state + b"\n"
    (tmp_path / f"{WISH}.json").write_bytes(sealed(WISH, {"text": "a garden"}).state + b"\n")
    (tmp_path / f"{NEW_WISH}.json").write_bytes(newest)
    (tmp_path / "upcast" / f"{WISH}.json").write_bytes(newest)
    return tmp_path


def wish_problems(folder, steps=WISH_STEPS):
    return golden_problems(folder, events=[WishTold], steps=steps)


def test_an_encrypted_event_is_read_with_and_without_the_key(wishes):
    """In both versions."""
    assert [] == wish_problems(wishes)


def test_an_upcast_that_fails_for_an_erased_holder_is_found(wishes):
    """The field no longer holds a text."""
    shouting = Step(NEW_WISH, lambda state: {"wish": state.pop("text").upper(), **state}, ("text",))

    message = (
        f"{WISH}.json can't be read any more: version 2 of 7Q2M9K4T8XW5 can't be read:"
        f" AttributeError in the step from {WISH} to {NEW_WISH}"
    )
    assert [message] == wish_problems(wishes, {WISH: shouting})


def test_an_upcast_that_does_not_declare_personal_fields_is_found(wishes):
    """The version would be read as if it were not encrypted."""
    silent = Step(NEW_WISH, WISH_STEPS[WISH].upcast)

    [message] = wish_problems(wishes, {WISH: silent})
    assert f"{WISH}.json can't be read any more: " in message


def test_personal_data_in_the_clear_is_found(wishes):
    """Under another name, in a field that is declared plain."""
    exposed = sealed(NEW_WISH, {"wish": "a garden"}, station="beside a garden")
    (wishes / f"{NEW_WISH}.json").write_bytes(exposed.state)

    assert [f"{NEW_WISH}.json tells wish without the key"] == wish_problems(wishes)


def test_another_key_or_nonce_is_found(wishes):
    """All golden files use the same ones."""
    file = wishes / f"{NEW_WISH}.json"
    box = orjson.loads(file.read_bytes())
    box["sealed"]["key"] = "another"
    file.write_bytes(orjson.dumps(box))

    message = "version 2 of 7Q2M9K4T8XW5 can't be opened: it was sealed with another key"
    [found] = wish_problems(wishes)
    assert f"{NEW_WISH}.json can't be read any more: {message} than this holder's" == found
