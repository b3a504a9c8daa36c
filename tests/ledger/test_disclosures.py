"""Single personal fields that can be opened with proof: what digests say, and what they don't."""

from base64 import b64decode, b64encode
from hashlib import sha256

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.crypto import envelope
from ledger.crypto.disclosures import (
    DIGEST_BYTES,
    DIGESTS_MULTIPLE,
    SALT_BYTES,
    digests_in,
    disclosures_of,
    salted,
)
from ledger.crypto.envelope import Envelope
from ledger.errors import SealBroken
from tests.ledger.sealing import KEY

PLACE = ("7Q2M9K4T8XW5", "2", "test.event.v1")
PERSONAL = {
    "name": "欧阳测试",
    "guardian": None,
    "residence": {"address": "滨湖区示例新村8号"},
    "device": {"public_key": {"kty": "EC", "x": "NzbLsXh8uDCc"}, "more": {}},
    "score": 0.97,
    "matched": True,
    "numbers": [1, {"b": 2, "a": [None]}],
}
NAMES = st.text("abcdefghij_0", min_size=1, max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
PARTS = st.dictionaries(NAMES, VALUES, max_size=40)


def split(digests):
    """In their order."""
    joined = b64decode(digests)
    return [joined[at : at + DIGEST_BYTES] for at in range(0, len(joined), DIGEST_BYTES)]


def sealed(personal=PERSONAL):
    return Envelope.of(envelope.seal_disclosable(personal, KEY, PLACE))


def joined(disclosures):
    """The object that has these fields."""
    whole = {}
    for each in disclosures:
        *outer, name = each.name.split(".")
        inner = whole
        for step in outer:
            inner = inner.setdefault(step, {})
        assert name not in inner
        inner[name] = each.value
    return whole


@settings(max_examples=60, deadline=None)
@given(PARTS)
def test_every_field_can_be_opened_and_together_they_are_the_whole(personal):
    """Each by its own digest; the values are what JSON makes of them."""
    salts, digests = salted(personal)
    found = disclosures_of(personal, salts)
    known = split(digests)

    assert personal == joined(found)
    assert len(known) == len({*known})
    for each in found:
        assert len(each.salt) == SALT_BYTES
        assert sha256(each.text).digest() in known
        assert [each.salt.hex(), each.name, each.value] == orjson.loads(each.text)


@settings(max_examples=60, deadline=None)
@given(PARTS)
def test_neither_order_nor_number_of_digests_says_what_there_is(personal):
    """They are in the order of their bytes, and a multiple of sixteen."""
    salts, digests = salted(personal)
    fields = len(salts) // SALT_BYTES
    known = split(digests)

    assert sorted(known) == known
    assert len(known) % DIGESTS_MULTIPLE == 0
    assert fields <= len(known) < fields + DIGESTS_MULTIPLE


def test_events_with_few_and_with_many_fields_look_alike():
    """As long as there are no more than sixteen."""
    for fields in (1, 8, 16):
        _, digests = salted({f"f{n}": n for n in range(fields)})
        assert len(split(digests)) == DIGESTS_MULTIPLE


def test_a_value_that_is_sealed_twice_has_no_digest_in_common():
    """Of two people at one address, say; nor have the random ones."""
    known = [frozenset(split(salted(PERSONAL)[1])) for _ in range(50)]
    assert len(frozenset.union(*known)) == sum(map(len, known))


def test_a_place_among_the_digests_is_as_likely_for_each_field():
    """The first field is not the first digest, as it would be were they in the fields' order."""
    firsts = set()
    for _ in range(100):
        salts, digests = salted({"a": 1, "b": 2})
        first, _ = disclosures_of({"a": 1, "b": 2}, salts)
        firsts.add(split(digests).index(first.digest))
    assert len(firsts) > DIGESTS_MULTIPLE // 2


def test_the_bytes_of_a_disclosure_are_canonical_json():
    """As docs/evidence.md has them: UTF-8, no spaces, members sorted."""
    personal = {"value": {}, "list": [{"b": "欧\n\u007f", "a": 1.5}], "at": {"x": None}}
    texts = [each.text for each in disclosures_of(personal, bytes(3 * SALT_BYTES))]

    salt = "00" * SALT_BYTES
    assert texts == [
        f'["{salt}","at.x",null]'.encode(),
        f'["{salt}","list",[{{"a":1.5,"b":"欧\\n\u007f"}}]]'.encode(),
        f'["{salt}","value",{{}}]'.encode(),
    ]


def test_the_sealed_part_discloses_its_fields_and_no_others():
    one = sealed()
    found = one.disclosures(KEY, PLACE)

    assert PERSONAL == joined(found) == one.open(KEY, PLACE)
    assert {each.digest for each in found} < digests_in(one.digests)


def test_events_from_before_digests_have_no_disclosures():
    """They are opened as a whole, and prove nothing one by one."""
    before = Envelope.of(envelope.seal(PERSONAL, KEY, PLACE))

    assert before.disclosures(KEY, PLACE) == []
    assert before.open(KEY, PLACE) == PERSONAL


@pytest.mark.parametrize(
    "text",
    ["é", "x", "AAAA", b64encode(bytes(31)).decode(), b64encode(bytes(32)).decode() + "\n"],
    ids=["no Base64", "cut", "three bytes", "31 bytes", "a line end"],
)
def test_damaged_digests_are_refused(text):
    with pytest.raises(SealBroken):
        digests_in(text)
    with pytest.raises(SealBroken):
        sealed()._replace(digests=text).disclosures(KEY, PLACE)


@pytest.mark.parametrize("more", [-1, 1, -SALT_BYTES, SALT_BYTES])
def test_salts_that_are_not_those_of_the_fields_are_refused(more):
    salts, _ = salted(PERSONAL)
    others = salts[:more] if more < 0 else salts + bytes(more)

    with pytest.raises(SealBroken, match="another number of salts"):
        disclosures_of(PERSONAL, others)


@pytest.mark.parametrize("salts", ["", "zz" * SALT_BYTES, None, "00" * SALT_BYTES])
def test_a_sealed_part_with_other_salts_discloses_nothing(salts):
    """None, none in hex, not a text, and ones that lead to other digests: with the key itself."""
    content = orjson.dumps({"fields": {"name": "欧阳"}, "salts": salts})
    box = b64encode(KEY.seal(content, *PLACE)).decode()
    _, digests = salted({"name": "欧阳"})

    with pytest.raises(SealBroken):
        Envelope(KEY.holder_id, KEY.commitment, box, digests).disclosures(KEY, PLACE)


def test_a_field_without_a_digest_is_not_disclosed():
    """The sealed part can't have fields beside those that it has committed to."""
    one = sealed()
    own = sorted({each.digest for each in one.disclosures(KEY, PLACE)})
    lacking = b"".join(each for each in split(one.digests) if each != own[0])

    with pytest.raises(SealBroken, match="not those of its digests"):
        one._replace(digests=b64encode(lacking).decode()).disclosures(KEY, PLACE)
    with pytest.raises(SealBroken, match="not those of its digests"):
        one._replace(digests=sealed().digests).disclosures(KEY, PLACE)


def test_an_envelope_keeps_its_form():
    """Digests are a text, or are not there."""
    members = envelope.seal_disclosable(PERSONAL, KEY, PLACE)
    for digests in (None, [], 7):
        with pytest.raises(SealBroken):
            Envelope.of({**members, "digests": digests})
