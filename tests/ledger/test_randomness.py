"""Random bits from a block: none repeated, none missing, none shared with a child process."""

import itertools
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from ledger.crypto import randomness
from ledger.crypto.randomness import BLOCK_BYTES, RandomBits

THREADS = 8
TAKES = 20_000
WORD_BYTES = 4
DRAWS = 200
CHILD_S = 30


@pytest.fixture
def source():
    return RandomBits()


@pytest.fixture
def numbered(monkeypatch):
    """The system's random bytes are 0, 1, 2 … in words of four bytes, and so distinguishable."""
    words = itertools.count()

    def numbered(n_bytes):
        assert n_bytes % WORD_BYTES == 0
        return b"".join(next(words).to_bytes(WORD_BYTES) for _ in range(n_bytes // WORD_BYTES))

    monkeypatch.setattr(randomness.os, "urandom", numbered)


def test_no_bytes_are_returned_twice(source, numbered, at_once):
    """Many threads take at once, over many blocks."""

    def take():
        return [source.take(WORD_BYTES) for _ in range(TAKES)]

    words = list(itertools.chain(*at_once([take] * THREADS)))

    assert THREADS * TAKES == len(set(words))
    assert {WORD_BYTES} == {len(word) for word in words}


@pytest.mark.parametrize("n_bytes", [WORD_BYTES, 12, 16, 1000, BLOCK_BYTES // 2, BLOCK_BYTES])
def test_no_bytes_are_repeated_at_the_end_of_a_block(source, numbered, n_bytes):
    """A remainder that is too short is discarded."""
    taken = [source.take(n_bytes) for _ in range(3 * BLOCK_BYTES // n_bytes + 3)]

    words = [
        taken_once[start : start + WORD_BYTES]
        for taken_once in taken
        for start in range(0, n_bytes, WORD_BYTES)
    ]
    assert {n_bytes} == {len(taken_once) for taken_once in taken}
    assert len(words) == len(set(words))


@pytest.mark.parametrize("n_bytes", [BLOCK_BYTES + WORD_BYTES, 10 * BLOCK_BYTES])
def test_more_bytes_than_a_block_are_returned_in_full(source, numbered, n_bytes):
    """A key that is silently too short could be guessed."""
    before, taken, after = source.take(WORD_BYTES), source.take(n_bytes), source.take(WORD_BYTES)

    assert n_bytes == len(taken)
    assert before not in taken
    assert after not in taken


@pytest.mark.parametrize("k", range(1, 129))
def test_every_bit_is_used_and_none_beyond(source, k):
    """Below 2^k, and each of the k bits is sometimes 0 and sometimes 1."""
    drawn = [source.bits(k) for _ in range(DRAWS)]

    assert all(0 <= bits < 2**k for bits in drawn)
    for bit in range(k):
        assert {0, 1} == {bits >> bit & 1 for bits in drawn}


def test_more_bits_than_a_block_has(source):
    """The highest of them are not zeros."""
    k = 8 * (BLOCK_BYTES + 16)

    assert max(source.bits(k) for _ in range(DRAWS)) >= 2 ** (k - 8)


def in_a_child(act):
    """What ``act()`` gives in a forked child."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(CHILD_S)
            os.write(writing, act())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        given = answer.read()
    os.waitpid(pid, 0)
    return given


def test_a_forked_child_draws_its_own_bytes(source):
    """Both had the same block; after the fork only the parent uses it."""
    source.take(16)

    children = [in_a_child(lambda: source.take(16)) for _ in range(2)]

    everybody = [*children, source.take(16)]
    assert {16} == {len(taken) for taken in everybody}
    assert 3 == len(set(everybody))


def test_a_child_does_not_wait_for_a_thread_of_its_parent(source, monkeypatch):
    """Another thread holds the lock at the moment of the fork, and does not exist in the child."""
    urandom, parent, fetching, forked = os.urandom, os.getpid(), Event(), Event()

    def slow_in_the_parent(n_bytes):
        if os.getpid() == parent:
            fetching.set()
            forked.wait(CHILD_S)
        return urandom(n_bytes)

    monkeypatch.setattr(os, "urandom", slow_in_the_parent)
    with ThreadPoolExecutor(1) as thread:
        taking = thread.submit(source.take, 16)
        assert fetching.wait(CHILD_S)
        given = in_a_child(lambda: source.take(16))
        forked.set()

        assert [16, 16] == [len(given), len(taking.result())]


def test_returned_bytes_are_not_kept(source):
    """They may be a key, and a destroyed key must not stay in memory."""
    key = source.take(32)

    assert key != bytes(32)
    assert key not in source.block
