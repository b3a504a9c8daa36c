"""The contract of every key store."""

import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.crypto.key_encryption import WRAPPED_BYTES_MAX, Keyring
from ledger.errors import KeyUnusable

KEY = bytes(range(32))
HOLDER, OTHER = "7b1c6c0e-holder", "7b1c6c0e-other"
THREADS, ROUNDS = 8, 40


@pytest.fixture
def kek(store):
    [kek] = store.load()
    return kek


def test_a_wrapped_key_is_unwrapped(kek):
    """For the holder that it was wrapped for."""
    wrapped = kek.wrap(KEY, HOLDER)

    assert KEY == kek.unwrap(wrapped, HOLDER)
    assert len(wrapped) == 60 <= WRAPPED_BYTES_MAX
    assert KEY not in wrapped


def test_a_key_is_wrapped_differently_each_time(kek):
    """Equal keys of two holders can't be recognised; no nonce is used twice."""
    assert 200 == len({kek.wrap(KEY, HOLDER)[:12] for _ in range(200)})


def test_a_wrapped_key_is_no_other_holders(kek):
    """A row copied to another holder can't be decrypted there."""
    wrapped = kek.wrap(KEY, HOLDER)

    for holder_id in (OTHER, "", HOLDER + "\0", HOLDER.upper()):
        with pytest.raises(KeyUnusable):
            kek.unwrap(wrapped, holder_id)


def test_a_wrapped_key_is_no_other_keks(store, kek):
    """Each opens its own."""
    second = store.create()

    with pytest.raises(KeyUnusable, match=second.kek_id):
        second.unwrap(kek.wrap(KEY, HOLDER), HOLDER)
    assert KEY == second.unwrap(second.wrap(KEY, HOLDER), HOLDER)


def test_every_flipped_bit_is_noticed(kek):
    """In the nonce, in the ciphertext, in the tag; and the KEK goes on working."""
    wrapped = kek.wrap(KEY, HOLDER)

    for bit in range(len(wrapped) * 8):
        damaged = bytearray(wrapped)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(KeyUnusable):
            kek.unwrap(bytes(damaged), HOLDER)
    assert KEY == kek.unwrap(wrapped, HOLDER)


@pytest.mark.parametrize("length", [0, 1, 12, 28, 59, 61, 120])
def test_another_length_is_noticed(kek, length):
    """Truncated and extended ones."""
    wrapped = kek.wrap(KEY, HOLDER)

    with pytest.raises(KeyUnusable):
        kek.unwrap((wrapped + wrapped)[:length], HOLDER)


def test_random_bytes_are_no_wrapped_key(kek):
    """Of the right length."""
    with pytest.raises(KeyUnusable):
        kek.unwrap(secrets.token_bytes(60), HOLDER)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_only_32_bytes_are_wrapped(kek, length):
    """Anything else is a fault of the program."""
    with pytest.raises(ValueError, match="32"):
        kek.wrap(bytes(length), HOLDER)


def test_a_key_survives_the_service(open_store, kek):
    """Another start opens what the one before has wrapped."""
    wrapped = kek.wrap(KEY, HOLDER)

    [again] = open_store().load()
    assert kek.kek_id == again.kek_id
    assert KEY == again.unwrap(wrapped, HOLDER)


def test_the_first_key_is_made_once(open_store, kek):
    """Loading again creates no second one."""
    assert [kek.kek_id] == [each.kek_id for _ in range(3) for each in open_store().load()][:1]
    assert 1 == len(open_store().load())


def test_a_new_key_sorts_behind_all_others(store, kek):
    """Also those made in the same second; load gives the oldest first."""
    made = [kek.kek_id, *(store.create().kek_id for _ in range(5))]

    assert sorted(made) == made
    assert made == [each.kek_id for each in store.load()]
    assert all(re.fullmatch("[0-9A-Za-z-]{1,64}", kek_id) for kek_id in made)


def test_a_new_key_sorts_behind_those_of_the_future(open_store, at):
    """The clock went back: what is active is the key that was made last."""
    open_store(now=at(2031, 12, 31, 23, 59, 59)).load()
    back = open_store(now=at(2026, 11, 23, 21, 45)).create()

    assert "20320101T000000Z" == back.kek_id.partition("-")[0]
    assert back.kek_id == Keyring(open_store().load).active.kek_id


def test_a_destroyed_key_opens_nothing(open_store, store, kek):
    """Not for a process that has just started, and a second time does no harm."""
    second = store.create()
    store.destroy(kek.kek_id)
    store.destroy(kek.kek_id)

    assert [second.kek_id] == [each.kek_id for each in open_store().load()]
    with pytest.raises(KeyUnusable, match=kek.kek_id):
        Keyring(open_store().load).get(kek.kek_id)


@pytest.mark.parametrize("name", ["20261123T214500Z-000000", "", "../../keys", "*", "\0"])
def test_destroying_a_missing_key_does_nothing(store, kek, name):
    """Nor can a name refer to another place."""
    store.destroy(name)

    assert [kek.kek_id] == [each.kek_id for each in store.load()]


def test_threads_share_a_key(store, kek):
    """Eight at once, while keys are made and destroyed beside them."""

    def rounds(number):
        for n in range(ROUNDS):
            key, holder_id = secrets.token_bytes(32), f"holder-{number}-{n}"
            assert key == kek.unwrap(kek.wrap(key, holder_id), holder_id)
            with pytest.raises(KeyUnusable):
                kek.unwrap(kek.wrap(key, holder_id), OTHER)
        store.destroy(store.create().kek_id)
        return number

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(range(THREADS)) == list(pool.map(rounds, range(THREADS)))
    assert [kek.kek_id] == [each.kek_id for each in store.load()]


def test_only_a_token_is_remote(store, kek):
    """An event loop may wait for a file's key, which is in memory."""
    assert kek.is_remote == ("Pkcs11" in repr(store))
