"""A personal part opens only where it was encrypted, with its holder's key; a refusal never reveals
the content."""

import traceback
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.events import DeviceBound, ElectronicPermitClaimed, IdentityCorrected, PermitVoided
from domain.personal import ERASED, Personal, Plain, parts
from ledger.codec.mapper import EventMapper, OrjsonTranscoder, holders_of
from ledger.crypto import envelope
from ledger.crypto.envelope import FIELD
from ledger.crypto.holder_keys import NONCE_BYTES, TAG_BYTES, HolderKey
from ledger.errors import Corrupt, KeyUnusable, UnreadableEvent
from tests.ledger.examples import EXAMPLES
from tests.ledger.sealing import HOLDER_ID, KEY, KEYS, NO_KEYS, read

EXAMPLE_OF = {type(example): example for example in EXAMPLES}
OTHER_ID = "holder-2"
OTHER_KEY = HolderKey(OTHER_ID, bytes(range(96, 128)))
BOTH_KEYS = {**KEYS, OTHER_ID: OTHER_KEY}
WHERE = "version 2 of 7Q2M9K4T8XW5"
BROKEN = f"{WHERE} can't be opened: What was sealed has been changed or moved, or was sealed with"
BROKEN = f"{BROKEN} another key."
MAPPER = EventMapper(OrjsonTranscoder())
MOVE = next(example for example in EXAMPLES if example.TOPIC == "permit.address-changed.v1")
SECRETS = [
    "澄江中路2号",
    "欧阳改名",
    "990000199001010033",
    "就业证明系伪造",
    "NzbLsXh8uDCc",
    "MKBC",
]


def sealed(event, key=KEY):
    return MAPPER.to_stored_event(event, key)


def with_state(stored, **changes):
    """The same with other contents; ``...`` leaves a field out."""
    state = {**orjson.loads(stored.state), **changes}
    kept = {name: value for name, value in state.items() if value is not ...}
    return replace(stored, state=orjson.dumps(kept))


def with_envelope(stored, **changes):
    """The same with another envelope; ``None`` leaves a part out."""
    found = {**envelope_of(stored), **changes}
    return with_state(
        stored, **{FIELD: {n: value for n, value in found.items() if value is not None}}
    )


def envelope_of(stored):
    return orjson.loads(stored.state)[FIELD]


def encoded(box):
    return b64encode(box).decode()


def resealed(fields, stored):
    """With this text in place of its fields, encrypted for its place by a forger who has the
    key."""
    return reboxed(b'{"fields":%b,"salts":""}' % fields, stored)


def reboxed(text, stored):
    """With another text encrypted for its place."""
    place = (stored.originator_id, str(stored.originator_version), stored.topic)
    return with_envelope(stored, box=encoded(KEY.seal(text, *place)))


def refused(stored, keys=BOTH_KEYS):
    """The reason of the refusal; no line of the traceback contains a secret."""
    with pytest.raises(UnreadableEvent) as error:
        read(MAPPER, stored, keys=keys)
    assert isinstance(error.value, Corrupt)
    chained = [error.value, error.value.__cause__]
    for each in filter(None, chained):
        trace = "".join(traceback.format_exception(each))
        assert not [secret for secret in SECRETS if secret in f"{trace} {vars(each)}"]
    return str(error.value)


# -- sealed ------------------------------------------------------------------------------------


def test_ciphertexts_reveal_nothing_without_their_key():
    """Nothing personal stands in the state; the rest does, and whose key it takes."""
    stored = sealed(MOVE)

    state = orjson.loads(stored.state)
    assert "澄江" not in stored.state.decode()
    assert ({"division": "320281"}, "2026-11-01") == (state["residence"], state["moved_on"])
    assert [HOLDER_ID] == holders_of([MAPPER.parse(stored)] * 2)
    assert [MOVE] == read(MAPPER, stored)


def test_a_destroyed_key_leaves_the_plain_part():
    """Division and day, but no address."""
    [event] = read(MAPPER, sealed(MOVE), keys=NO_KEYS)

    assert (ERASED, "320281") == (event.residence.address, event.residence.division)
    assert replace(MOVE, residence=event.residence) == event


def test_encrypting_the_same_text_twice_gives_two_ciphertexts():
    """The stored bytes do not reveal that two people live at one address."""
    first, second = (envelope_of(sealed(MOVE)) for _ in range(2))

    assert first["box"][:16] != second["box"][:16]
    assert first["box"][16:] != second["box"][16:]


def test_personal_data_is_not_stored_without_a_key():
    """An event without personal fields needs none."""
    with pytest.raises(KeyUnusable, match=r"permit\.address-changed\.v1 is sealed with its"):
        MAPPER.to_stored_event(MOVE)

    cancelled = next(each for each in EXAMPLES if each.TOPIC == "permit.cancelled.v1")
    assert MAPPER.to_stored_event(cancelled) == MAPPER.to_stored_event(cancelled, KEY)
    assert cancelled == MAPPER.to_domain_event(MAPPER.to_stored_event(cancelled))


def test_the_holder_of_a_permit_cannot_be_changed_in_the_clear():
    """In the plain part, in the envelope, or one for the other: each is refused, so that no holder
    is shown another's permit as their own. Also if the other one is erased."""
    stored = sealed(next(each for each in EXAMPLES if each.TOPIC == "permit.issued.v1"))
    erased = {**KEYS, OTHER_ID: ERASED}
    said = "is one holder's and sealed for another"

    for keys in (BOTH_KEYS, erased):
        assert said in refused(with_state(stored, holder_id=OTHER_ID), keys)
        assert said in refused(with_envelope(stored, holder=OTHER_ID), keys)


@dataclass(frozen=True)
class Street:
    town: Plain[str]
    house: Personal[str]


@dataclass(frozen=True)
class Estate:
    owner: Personal[str]
    street: Street
    rooms: int


@dataclass(frozen=True)
class Sold:
    estate: Estate
    price: int


def test_a_nested_value_is_divided_too():
    """Each part once: no personal field stays in the clear, and none is lost."""
    sold = Sold(Estate("欧阳", Street("Wuxi", "7"), 3), 5)

    state, personal = envelope.divide(vars(sold), parts(Sold))

    assert {"estate": {"owner": "欧阳", "street": {"house": "7"}}} == personal
    assert {"estate": {"rooms": 3, "street": {"town": "Wuxi"}}, "price": 5} == state
    envelope.join(state, personal)
    assert asdict(sold) == state


# -- moved -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moved", "where"),
    [
        ({"originator_version": 3}, "version 3 of 7Q2M9K4T8XW5"),
        ({"originator_id": "AAAAAAAAAAAA"}, "version 2 of AAAAAAAAAAAA"),
        ({"topic": DeviceBound.TOPIC}, WHERE),
    ],
    ids=["version", "stream", "topic"],
)
def test_an_event_does_not_open_at_another_place(moved, where):
    """Although the bytes are intact, and the same fields would fit there."""
    claim = sealed(EXAMPLE_OF[ElectronicPermitClaimed])
    assert [EXAMPLE_OF[ElectronicPermitClaimed]] == read(MAPPER, claim)

    assert BROKEN.replace(WHERE, where) == refused(replace(claim, **moved))


def test_the_parts_of_a_place_are_unambiguous():
    """Version 12 of a permit is not version 2 of one whose number ends with a 1."""
    stored = sealed(replace(MOVE, originator_id="A", originator_version=12))

    moved = replace(stored, originator_id="A1", originator_version=2)
    assert "version 2 of A1 can't be opened: What was sealed" in refused(moved)


def test_an_envelope_does_not_open_on_another_event_of_its_holder():
    """Two addresses of one person are not exchanged."""
    first, second = sealed(MOVE), sealed(replace(MOVE, originator_version=3))

    assert BROKEN == refused(with_state(first, **{FIELD: envelope_of(second)}))


@pytest.mark.parametrize("changes", [{}, {"originator_version": 3}], ids=["same place", "another"])
def test_an_envelope_does_not_open_as_another_persons(changes):
    """Neither unchanged nor under the first one's name."""
    first, second = sealed(MOVE), sealed(replace(MOVE, **changes), OTHER_KEY)
    another = "can't be opened: it was sealed with another key than this holder's"

    renamed = {**envelope_of(second), "holder": HOLDER_ID}
    assert f"{WHERE} {another}" == refused(with_state(first, **{FIELD: renamed}))
    posing = {**renamed, "key": KEY.commitment}
    assert BROKEN == refused(with_state(first, **{FIELD: posing}))


# -- changed -----------------------------------------------------------------------------------


@settings(database=None, deadline=None, max_examples=200)
@given(st.data())
def test_a_changed_bit_is_refused(data):
    """Of the nonce, the text and the tag."""
    stored = sealed(MOVE)
    box = bytearray(b64decode(envelope_of(stored)["box"]))
    bit = data.draw(st.integers(0, 8 * len(box) - 1))
    box[bit // 8] ^= 1 << bit % 8

    assert BROKEN == refused(with_envelope(stored, box=encoded(box)))


@settings(database=None, deadline=None, max_examples=100)
@given(st.data())
def test_a_truncated_or_extended_ciphertext_is_refused(data):
    """At its end or its beginning."""
    stored = sealed(MOVE)
    box = b64decode(envelope_of(stored)["box"])
    cut = data.draw(st.integers(1, len(box)))

    for changed in (box[:-cut], box[cut:], box + bytes(cut), bytes(cut) + box):
        assert BROKEN == refused(with_envelope(stored, box=encoded(changed)))


@pytest.mark.parametrize("size", [0, 1, NONCE_BYTES, NONCE_BYTES + 1, NONCE_BYTES + TAG_BYTES])
def test_a_ciphertext_that_is_too_short_is_refused(size):
    assert BROKEN == refused(with_envelope(sealed(MOVE), box=encoded(bytes(size))))


@pytest.mark.parametrize("box", ["*", "AAA", "澄江", "AA==AA", " ", "QUFB\n", "－", "\0"])
def test_a_ciphertext_that_is_not_base64_is_refused(box):
    """Or has further characters."""
    assert BROKEN == refused(with_envelope(sealed(MOVE), box=box))


def test_another_key_of_the_same_name_does_not_open_it():
    """The envelope names the key's commitment."""
    wrong = HolderKey(HOLDER_ID, bytes(32))

    said = refused(sealed(MOVE), {HOLDER_ID: wrong})
    assert f"{WHERE} can't be opened: it was sealed with another key than this holder's" == said


def test_a_key_that_opens_it_is_refused_if_the_envelope_names_another():
    """With GCM, a text can be made that opens under two keys: the named one counts."""
    said = refused(with_envelope(sealed(MOVE), key=OTHER_KEY.commitment))
    assert f"{WHERE} can't be opened: it was sealed with another key than this holder's" == said


@pytest.mark.parametrize(
    "keys", [{}, {OTHER_ID: OTHER_KEY}, {OTHER_ID: ERASED}], ids=["none", "another's", "erased"]
)
def test_a_missing_key_row_is_no_erasure(keys):
    said = refused(sealed(MOVE), keys)
    assert f"{WHERE} can't be opened: There is no key of holder {HOLDER_ID}." == said


def test_the_envelope_of_an_unknown_holder_is_refused():
    """Whatever key it names."""
    said = refused(with_envelope(sealed(MOVE), holder="holder-3"))
    assert f"{WHERE} can't be opened: There is no key of holder holder-3." == said


# -- of another shape --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "field", "clear"),
    [
        (PermitVoided, "finding", "就业证明系伪造"),
        (IdentityCorrected, "name", None),
        (IdentityCorrected, "hukou_address", "欧阳改名"),
        (type(MOVE), "residence.address", {"division": "320281", "address": "澄江中路2号"}),
    ],
    ids=["a text", "nothing", "another text", "in a value"],
)
@pytest.mark.parametrize("keys", [BOTH_KEYS, NO_KEYS], ids=["with the key", "erased"])
def test_a_personal_field_in_the_clear_is_refused(event, field, clear, keys):
    """With or without the ciphertext: no name can be shown that was not encrypted."""
    stored = sealed(EXAMPLE_OF[event])
    beside = with_state(stored, **{field.partition(".")[0]: clear})

    for each in (beside, with_state(beside, **{FIELD: ...})):
        assert f"{WHERE} holds {field} in the clear" == refused(each, keys)


def test_a_plain_field_that_contradicts_the_encrypted_ones_is_refused():
    """Where the key is there; without it the plain field is all that is known."""
    lying = with_state(sealed(EXAMPLE_OF[IdentityCorrected]), outdates_card=False)

    assert f"{WHERE} can't be read: its fields contradict each other" == refused(lying)
    [event] = read(MAPPER, lying, keys=NO_KEYS)
    assert event.outdates_card is False


def test_a_personal_event_without_an_envelope_is_refused():
    """It is never read as a plain one."""
    assert f"{WHERE} has no sealed part" == refused(with_state(sealed(MOVE), **{FIELD: ...}))


def test_an_envelope_on_a_plain_event_is_refused():
    """It has no personal fields."""
    plain = sealed(next(each for each in EXAMPLES if each.TOPIC == "permit.cancelled.v1"))

    said = refused(with_state(plain, **{FIELD: envelope_of(sealed(MOVE))}))
    assert f"{WHERE} has unknown fields: sealed" == said


@pytest.mark.parametrize(
    "envelope",
    [
        None,
        [],
        "澄江中路2号",
        {},
        {"holder": HOLDER_ID, "key": KEY.commitment},
        {"holder": HOLDER_ID, "key": KEY.commitment, "box": None},
        {"holder": ["澄江中路2号"], "key": KEY.commitment, "box": ""},
        {"holder": HOLDER_ID, "key": KEY.commitment, "box": "", "name": "欧阳改名"},
    ],
    ids=str,
)
def test_a_malformed_envelope_is_refused(envelope):
    """It has exactly three texts."""
    said = refused(with_state(sealed(MOVE), **{FIELD: envelope}))
    assert f"{WHERE}: what stands for the sealed part is no envelope" == said


@pytest.mark.parametrize(
    "text", [b"[]", b"null", b'"x"', b"1", b"", b"{", "澄江中路2号".encode(), b"\xff"]
)
def test_an_encrypted_part_without_fields_is_refused(text):
    """Although it was encrypted with the key, for this place."""
    before_digests = with_envelope(sealed(MOVE), digests=None)
    for stored in (resealed(text, sealed(MOVE)), reboxed(text, before_digests)):
        said = refused(stored)
        assert f"{WHERE} can't be opened: the sealed part holds no fields" == said


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b'{"fields":{}}',
        b'{"fields":{},"salts":1}',
        b'{"fields":{},"salts":"x"}',
        b'{"fields":{},"salts":"","more":1}',
        b'{"residence":{"address":"x"}}',
    ],
)
def test_encrypted_fields_stand_beside_their_salts(text):
    """In every event that has digests."""
    said = refused(reboxed(text, sealed(MOVE)))
    assert f"{WHERE} can't be opened: the sealed part holds no fields" == said


@pytest.mark.parametrize(
    ("personal", "message"),
    [
        ({}, "can't be read: residence.address"),
        ({"residence": {}}, "can't be read: residence.address"),
        ({"residence": {"address": 1}}, "can't be read: residence.address"),
        ({"residence": "澄江中路2号"}, "can't be opened: a sealed field stands beside its seal"),
        (
            {"residence": {"address": "澄江中路2号", "division": "320211"}},
            "can't be opened: a sealed field stands beside its seal",
        ),
        (
            {"residence": {"address": "澄江中路2号", "floor": "欧阳改名"}},
            "can't be read: residence.floor",
        ),
        ({"residence": {"address": "x"}, "name": "欧阳改名"}, "has unknown fields: name"),
        (
            {"residence": {"address": "x"}, "actor": "欧阳改名"},
            "can't be opened: a sealed field stands beside its seal",
        ),
    ],
    ids=["none", "empty", "type", "flat", "plain too", "unknown inside", "unknown", "stamp"],
)
def test_the_encrypted_fields_are_exactly_the_personal_ones(personal, message):
    """A plain field among them does not hide the one in the clear."""
    assert f"{WHERE} {message}" == refused(resealed(orjson.dumps(personal), sealed(MOVE)))


@pytest.mark.parametrize("residence", [None, "320281", [], 1], ids=repr)
@pytest.mark.parametrize("keys", [KEYS, NO_KEYS], ids=["with the key", "erased"])
def test_a_value_with_an_encrypted_field_stays_one_value(residence, keys):
    """Decrypted or not."""
    said = refused(with_state(sealed(MOVE), residence=residence), keys)
    assert f"{WHERE} can't be opened: a sealed field stands beside its seal" == said


@pytest.mark.parametrize("keys", [KEYS, NO_KEYS], ids=["with the key", "erased"])
def test_the_plain_part_is_checked_too(keys):
    """Of an erased holder as well."""
    assert f"{WHERE} can't be read: moved_on" == refused(with_state(sealed(MOVE), moved_on=1), keys)
    missing = with_state(sealed(MOVE), residence=...)
    assert f"{WHERE} can't be read: residence.division" == refused(missing, keys)


def test_erased_is_never_read_from_encrypted_content():
    """It follows from the destroyed key, never from stored data."""
    claim = sealed(EXAMPLE_OF[DeviceBound])
    forged = orjson.dumps({"device": "erased", "face_match": "erased"})

    assert f"{WHERE} can't be read: device, face_match" == refused(resealed(forged, claim))
