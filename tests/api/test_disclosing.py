"""Which fields can be named to be opened: each that events have, and nothing else."""

import orjson
import pytest
from fastapi.exceptions import RequestValidationError

from api.audit.changes import event_answers, with_stated
from api.audit.disclosing import Chosen
from domain.events import PermitIssued
from domain.policy import DISCLOSABLE
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.crypto.envelope import FIELD, Envelope, place_of
from ledger.eventlog.history import RecordedEvent, StreamHistory
from tests.ledger.examples import EXAMPLES, GOLDEN_EXAMPLES
from tests.ledger.sealing import KEY
from web import languages

MAPPER = EventMapper(OrjsonTranscoder())


def names_in(example):
    """Of the disclosures of an event."""
    stored = MAPPER.to_stored_event(example, KEY)
    if sealed := orjson.loads(stored.state).get(FIELD):
        return {one.name for one in Envelope.of(sealed).disclosures(KEY, place_of(stored))}
    return set()


@pytest.fixture(scope="module")
def names():
    """Of all disclosures of all kinds of events."""
    return set().union(*map(names_in, GOLDEN_EXAMPLES.values()))


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


def test_the_page_offers_every_field_of_a_permit():
    """Each has a label in the texts, and no label is of anything else."""
    offered = languages.load()["en"].texts["disclosures"]
    of_permits = [one for one in GOLDEN_EXAMPLES.values() if one.TOPIC.startswith("permit.")]
    names = set().union(*map(names_in, of_permits))

    chosen = Chosen.of(",".join(offered))
    assert [name for name in names if not chosen.covers(name)] == []
    assert [one for one in offered if not any(map(Chosen((one,)).covers, names))] == []


def test_of_events_without_proofs_the_chosen_fields_are_stated():
    """These alone, as the service's own word; the rest is withheld."""
    issued = next(one for one in EXAMPLES if isinstance(one, PermitIssued))
    recorded = RecordedEvent(1, MAPPER.to_stored_event(issued, KEY), {}, issued, None)
    [answer] = event_answers(StreamHistory(1, (recorded,)))
    stated = with_stated(answer, issued, Chosen.of("name,address"))

    assert (answer.withheld, answer.facts["identity"]) == ("not_disclosed", None)
    assert stated.facts["identity"] == {"name": issued.identity.name}
    assert stated.facts["residence"] == {
        "division": issued.residence.division,
        "address": issued.residence.address,
    }
    assert stated.facts["guardian"] is None


@pytest.mark.parametrize("other", ["", "sealed", "identity.", ".name", "holder_id", "name.x"])
def test_nothing_else_can_be_named(other):
    with pytest.raises(RequestValidationError):
        Chosen.of(f"name,{other}")
