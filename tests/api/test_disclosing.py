"""Which fields can be named to be opened: each that events have, and nothing else."""

import orjson
import pytest
from fastapi.exceptions import RequestValidationError

from api.audit.disclosing import Chosen
from domain.policy import DISCLOSABLE
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.crypto.envelope import FIELD, Envelope, place_of
from tests.ledger.examples import GOLDEN_EXAMPLES
from tests.ledger.sealing import KEY


@pytest.fixture(scope="module")
def names():
    """Of all disclosures of all kinds of events."""
    mapper, found = EventMapper(OrjsonTranscoder()), set()
    for example in GOLDEN_EXAMPLES.values():
        stored = mapper.to_stored_event(example, KEY)
        if sealed := orjson.loads(stored.state).get(FIELD):
            found |= {one.name for one in Envelope.of(sealed).disclosures(KEY, place_of(stored))}
    return found


def test_every_field_can_be_opened_by_its_name(names):
    """With the holder's own of that short name; a phone's key as a whole, since its members are no
    fields of events."""
    keys = {name for name in names if name.startswith("device.public_key.")}

    assert {"identity.name", "residence.address", "guardian.citizen_id_number", "finding"} < names
    for name in names - keys:
        chosen = Chosen.of(name)
        opened = {other for other in names if chosen.covers(other)}
        inner = {other for other in names if other.startswith(f"{name}.")}
        assert opened == {name, *inner, f"identity.{name}", f"residence.{name}"} & names
    assert keys
    assert keys == {name for name in names if Chosen.of("device.public_key").covers(name)}


def test_short_names_are_those_of_the_holder(names):
    """``name`` is not the guardian's, nor an agent's."""
    opened = {name for name in names if Chosen.of("name,address,guardian").covers(name)}

    assert opened == {
        *("identity.name", "name", "residence.address"),
        *("guardian", "guardian.name", "guardian.citizen_id_number"),
    }


def test_what_a_check_may_show_can_be_named():
    """Some of it is in the clear, and needs no proof of its own."""
    assert set(Chosen.of(",".join(DISCLOSABLE)).names) == DISCLOSABLE


@pytest.mark.parametrize("other", ["", "sealed", "identity.", ".name", "holder_id", "name.x"])
def test_nothing_else_can_be_named(other):
    with pytest.raises(RequestValidationError):
        Chosen.of(f"name,{other}")
