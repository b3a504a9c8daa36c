"""A holder's key: what it reveals, where it comes from, and that its row decides."""

import asyncio
from threading import get_ident

import pytest

from domain.personal import ERASED
from ledger.crypto import randomness
from ledger.crypto.holder_keys import (
    KEY_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    HolderKey,
    HolderKeys,
    WrappedKey,
    require,
)
from ledger.crypto.key_encryption import Keyring
from ledger.errors import KeyUnusable, SealBroken, Unavailable
from tests.keks import KEK, keyring
from tests.ledger.sealing import HOLDER_ID, KEY

NEWER = type(KEK)("20270101T000000Z-000002", bytes(range(32)))


class Remote:
    """A KEK in another machine, which records the threads that waited for it."""

    is_remote = True

    def __init__(self, fails=False):
        self.kek_id, self.threads, self.fails = KEK.kek_id, [], fails

    def wrap(self, key, holder_id):
        return self._answer(KEK.wrap, key, holder_id)

    def unwrap(self, wrapped, holder_id):
        return self._answer(KEK.unwrap, wrapped, holder_id)

    def _answer(self, call, *arguments):
        self.threads.append(get_ident())
        if self.fails:
            raise Unavailable
        return call(*arguments)


@pytest.fixture
def keys():
    return HolderKeys(keyring())


# -- one key -----------------------------------------------------------------------------------


def test_a_key_does_not_show_its_secret():
    """In no log and no traceback."""
    shown = f"{KEY!r} {KEY} {[KEY]} {KEY.commitment}"

    assert f"HolderKey('{HOLDER_ID}')" == repr(KEY)
    assert not [text for text in (KEY.secret.hex(), str(KEY.secret)) if text in shown]
    assert not hasattr(KEY, "__dict__")


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_key_has_256_bits(size):
    """AES would accept shorter ones."""
    with pytest.raises(ValueError, match="32 bytes"):
        HolderKey(HOLDER_ID, bytes(size))


def test_a_commitment_is_to_holder_and_key():
    """The same key of two holders, and two of one, differ; none reveals the key."""
    keys = [
        HolderKey(holder, secret)
        for holder in ("a", "b", "a\0")
        for secret in (bytes(32), bytes(31) + b"\1")
    ]

    assert len(keys) == len({key.commitment for key in keys})
    assert {64} == {len(key.commitment) for key in keys}
    assert HolderKey("a", bytes(32)).commitment == keys[0].commitment


def test_each_encryption_draws_a_nonce(monkeypatch):
    """96 of the system's random bits, never the same again."""
    taken = []
    source = randomness.source

    class Noting:
        def take(self, n_bytes):
            taken.append(source.take(n_bytes))
            return taken[-1]

    monkeypatch.setattr(randomness, "source", Noting())
    boxes = [KEY.seal(b"", "a") for _ in range(1000)]

    assert taken == [box[:NONCE_BYTES] for box in boxes]
    assert 1000 == len(set(taken))


@pytest.mark.parametrize("text", [b"", b"x", bytes(1000)], ids=len)
def test_a_ciphertext_is_28_bytes_longer(text):
    """Nonce and tag; it opens at its place, and nowhere else."""
    box = KEY.seal(text, "a", "1")

    assert len(text) + NONCE_BYTES + TAG_BYTES == len(box)
    assert text == KEY.open(box, "a", "1")
    for place in [(), ("a",), ("a", "2"), ("a1",), ("a", "1", ""), ("1", "a")]:
        with pytest.raises(SealBroken):
            KEY.open(box, *place)


# -- from rows ---------------------------------------------------------------------------------


def test_a_new_key_is_wrapped_for_its_row(keys):
    """With the newest KEK; no two are alike, and the row gives the key again."""
    made = [keys.new(f"holder-{n}") for n in range(100)]

    assert 100 == len({key.secret for key, _ in made})
    assert {KEY_BYTES} == {len(key.secret) for key, _ in made}
    assert {KEK.kek_id} == {row.kek_id for _, row in made}
    found = HolderKeys(keyring()).unwrap(row for _, row in made)
    assert {key.holder_id: key.secret for key, _ in made} == {
        holder_id: key.secret for holder_id, key in found.items()
    }


def test_a_row_does_not_show_the_key(keys):
    """The wrapped bytes differ each time."""
    key, row = keys.new(HOLDER_ID)

    assert key.secret not in row.wrapped
    assert row.wrapped != KEK.wrap(key.secret, HOLDER_ID)


def test_a_cached_key_is_unwrapped_once(keys, monkeypatch):
    """It is then returned without its row."""
    _, row = keys.new(HOLDER_ID)
    assert ({}, [HOLDER_ID]) == keys.known([HOLDER_ID])
    [key] = keys.unwrap([row]).values()

    monkeypatch.setattr(keys.keyring, "get", None)

    assert {HOLDER_ID: key} == keys.unwrap([row])
    assert ({HOLDER_ID: key}, ["another"]) == keys.known([HOLDER_ID, "another"])


def test_a_destroyed_row_is_erased_in_memory_too(keys):
    """Reading the row removes the key from memory."""
    _, row = keys.new(HOLDER_ID)
    keys.unwrap([row])

    assert {HOLDER_ID: ERASED} == keys.unwrap([WrappedKey(HOLDER_ID, None, None)])

    assert ({}, [HOLDER_ID]) == keys.known([HOLDER_ID])


def test_a_row_of_another_holder_gives_no_key(keys):
    """Rows cannot be exchanged: a key is wrapped for its holder."""
    _, row = keys.new(HOLDER_ID)

    with pytest.raises(KeyUnusable):
        keys.unwrap([row._replace(holder_id="another")])
    assert ({}, ["another"]) == keys.known(["another"])


def test_a_missing_kek_is_named(keys):
    """After one more look-up."""
    row = WrappedKey(HOLDER_ID, NEWER.kek_id, NEWER.wrap(bytes(32), HOLDER_ID))

    with pytest.raises(KeyUnusable, match=f"no key-encryption key {NEWER.kek_id}"):
        keys.unwrap([row])


def test_a_kek_added_later_is_found():
    """Through the row that names it; new keys are wrapped with it from then on."""
    keks = [KEK]
    keys = HolderKeys(Keyring(lambda: keks))
    row = WrappedKey(HOLDER_ID, NEWER.kek_id, NEWER.wrap(bytes(range(32)), HOLDER_ID))
    assert KEK.kek_id == keys.new("another")[1].kek_id

    keks.append(NEWER)

    assert bytes(range(32)) == keys.unwrap([row])[HOLDER_ID].secret
    assert NEWER.kek_id == keys.new("another")[1].kek_id


def test_a_remote_kek_does_not_block_the_event_loop():
    """Wrapping and unwrapping then use a thread; with a local one they do not."""
    remote = Remote()

    async def new_and_open(keys):
        key, row = await keys.new_async(HOLDER_ID)
        assert key.secret == (await keys.unwrap_async([row]))[HOLDER_ID].secret
        erased = [WrappedKey("gone", None, None)]
        assert {"gone": ERASED} == await keys.unwrap_async(erased)
        return get_ident()

    loop = asyncio.run(new_and_open(HolderKeys(Keyring(lambda: [remote]))))
    assert 2 == len(remote.threads)
    assert loop not in remote.threads


def test_an_outage_of_the_kek_is_reported_as_such(keys):
    """Neither as an erasure nor as damage."""
    _, row = keys.new(HOLDER_ID)
    away = HolderKeys(Keyring(lambda: [Remote(fails=True)]))

    with pytest.raises(Unavailable):
        away.unwrap([row])
    with pytest.raises(Unavailable):
        away.new(HOLDER_ID)
    assert ({}, [HOLDER_ID]) == away.known([HOLDER_ID])


def test_a_key_without_a_row_is_not_erased():
    """The row is missing: an operator has to act."""
    assert (KEY, ERASED) == tuple(
        require({HOLDER_ID: KEY, "gone": ERASED}, holder_id) for holder_id in (HOLDER_ID, "gone")
    )
    with pytest.raises(KeyUnusable, match="no key of holder another"):
        require({HOLDER_ID: KEY}, "another")
