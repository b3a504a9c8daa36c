"""What the tree says of an event, whatever is stored of it."""

import hashlib

import orjson
import pytest

from ledger.errors import Corrupt
from transparency.entries import ENTRY_BYTES_MAX, Recorded, bundled, event_entry, is_commitment

STATE = b'{"timestamp":"2026-11-23T02:00:00+00:00","sealed":{"box":"AAEC"}}'


SALT = bytes(range(16))


def entry(state=STATE, stream="7Q2M9K4T8XW5", topic="permit.issued.v1"):
    """Of format 1, which are the details too."""
    return event_entry(7, stream, 2, topic, state, None, bytes(32))


def test_an_entry_is_canonical():
    """Members sorted, no spaces; the state and the ciphertext as their digests."""
    assert (
        b'{"position":7,"previous":"' + b"00" * 32 + b'","recorded_at":"2026-11-23T02:00:00+00:00",'
        b'"sealed":"ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc",'
        b'"state":"b8bb7e0e19bb6e6ff9bf1e7a6fbd6ea3b3a7bca4d4ca95b5b7b1ddd9bcd5e3b1",'
        b'"stream":"7Q2M9K4T8XW5","topic":"permit.issued.v1","version":2}'
    )[:150] == entry()[:150]


def test_an_entry_commits_to_its_details():
    """And says nothing else; the salt is the last but three of the details' members."""
    event = Recorded.of(7, "7Q2M9K4T8XW5", 2, "permit.issued.v1", STATE, SALT, bytes(32))
    salted = b'"salt":"000102030405060708090a0b0c0d0e0f",'
    at = entry().index(b'"sealed"')

    assert entry()[:at] + salted + entry()[at:] == event.details
    digest = hashlib.sha256(event.details).hexdigest()
    assert b'{"commitment":"%s","position":7}' % digest.encode() == event.entry
    assert is_commitment(event.entry)
    assert not is_commitment(entry())


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b'{"timestamp":7,"sealed":7}',
        b'{"timestamp":"\\ud800","sealed":{"box":"AAEC"}}',
        b'{"timestamp":"' + b"x" * 65 + b'","sealed":{"box":"no base64"}}',
        '{"timestamp":null,"sealed":{"box":"é"}}'.encode(),
        b'{"timestamp":1e999}',
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b'{"a":"' + b"x" * 1_000_000 + b'"}',
    ],
    ids=range(12),
)
def test_an_unreadable_state_still_has_an_entry(state):
    """Its fields are null, its digest is present."""
    said = orjson.loads(entry(state))
    assert (None, None) == (said["recorded_at"], said["sealed"])
    assert 64 == len(said["state"])


@pytest.mark.parametrize("character", ["x", "\x01", "居", "😀"])
def test_no_entry_is_too_long_to_be_served(character):
    """A name that is longer than any is there as its digest, and never taken for another."""
    longest = entry(stream=character * 1024, topic=character * 1024)
    longer = entry(stream=character * 100_000, topic=character * 100_000)
    assert ENTRY_BYTES_MAX >= max(len(longest), len(longer))
    assert character * 1024 == orjson.loads(longest)["stream"]
    assert {"sha256"} == set(orjson.loads(longer)["topic"])
    assert longer != entry(stream=character * 100_001, topic=character * 100_000)


def test_a_bundle_has_room_for_no_more():
    with pytest.raises(Corrupt):
        bundled([bytes(ENTRY_BYTES_MAX + 1)])
    assert b"\xff\xff" == bundled([bytes(ENTRY_BYTES_MAX)])[:2]
