"""Finding a person without storing their number."""

import hashlib
import hmac

import pytest

from ledger.crypto.blind_index import BlindIndex

NUMBER = "990000199001010017"
WITH_X = "99000019900101011X"


def test_the_index_of_a_number_never_changes(blind_index):
    """HMAC-SHA-256 under the key; with another digest, no one would be found."""
    expected = hmac.new(bytes(range(32)), b"citizen\0" + NUMBER.encode(), hashlib.sha256)
    assert expected.digest() == blind_index.of(NUMBER)
    assert "146e9538" == blind_index.of(NUMBER).hex()[:8]


def test_a_request_has_its_own_digest(blind_index):
    """A number and a request with the same text have different digests."""
    expected = hmac.new(bytes(range(32)), b"request\0" + NUMBER.encode(), hashlib.sha256)
    assert expected.digest() == blind_index.fingerprint(NUMBER.encode())
    assert blind_index.of(NUMBER) != blind_index.fingerprint(NUMBER.encode())


def test_a_retry_key_never_changes(blind_index):
    """64 hex digits, HMAC-SHA-256 of caller and key; with another digest, every retry would be
    executed twice."""
    message = b"idempotency-key\0" + b"\0\0\0\6import" + b"OLD-1"
    expected = hmac.new(bytes(range(32)), message, hashlib.sha256)
    assert expected.hexdigest() == blind_index.retry_key("import", "OLD-1")
    assert 64 == len(blind_index.retry_key("王" * 200, "键" * 128))


def test_every_purpose_has_digests_of_its_own(blind_index):
    """Whatever the caller's name: a key of an empty one is neither a number nor a request."""
    number = NUMBER.encode()
    digests = {
        blind_index.of(NUMBER),
        blind_index.fingerprint(number),
        blind_index.fingerprint(b"\0\0\0\0" + number),
        bytes.fromhex(blind_index.retry_key("", NUMBER)),
    }
    assert 4 == len(digests)


def test_equal_keys_of_two_callers_are_two_digests(blind_index):
    """Also if the end of one caller's name is the beginning of the other's key."""
    keys = {blind_index.retry_key(caller, key) for caller, key in [("a", "bc"), ("ab", "c")]}
    assert 2 == len(keys)


def test_both_spellings_are_one_person(blind_index):
    """x is accepted, and X is stored."""
    assert blind_index.of(WITH_X) == blind_index.of(WITH_X.lower())
    assert blind_index.of(WITH_X) != blind_index.of(NUMBER)


def test_another_key_finds_no_one(blind_index):
    """Only the key prevents trying all numbers."""
    other = BlindIndex(bytes(reversed(range(32))))
    assert blind_index.of(NUMBER) != other.of(NUMBER)
    assert blind_index.fingerprint(b"request") != other.fingerprint(b"request")
    assert blind_index.retry_key("officer", "1") != other.retry_key("officer", "1")


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_is_refused(length):
    """32 bytes are required; the message does not contain them."""
    with pytest.raises(ValueError, match=r"^a blind-index key has 32 bytes$"):
        BlindIndex(b"k" * length)
