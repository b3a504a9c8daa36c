"""Keys in memory: few, for a short time, and removed by themselves."""

import time
from threading import Timer
from unittest.mock import Mock

import pytest

from ledger.crypto.holder_keys import CACHE_GENERATION_S, CACHE_KEYS_MAX, KeyCache

SHORT_S = 0.05


@pytest.fixture
def lasting():
    """A cache whose keys do not expire during a test."""
    return KeyCache(keys_max=3, generation_s=60)


def test_a_cached_key_is_returned():
    """Until it expires; no other key is."""
    cache = KeyCache(generation_s=60)

    cache.put("a", "key of a")

    assert ("key of a", None) == (cache.get("a"), cache.get("b"))


def test_a_key_put_again_replaces_the_older_one(lasting):
    """Also if the older one is in the older generation."""
    for name in ("a", "b", "c", "d"):
        lasting.put(name, "first")

    lasting.put("a", "second")

    assert "second" == lasting.get("a")


def test_the_cache_holds_at_most_two_generations(lasting):
    """The oldest keys are removed first."""
    sizes = []
    for n in range(100):
        lasting.put(f"holder-{n}", n)
        sizes.append(len(lasting))

    assert 6 == max(sizes)
    kept = [n for n in range(100) if lasting.get(f"holder-{n}") is not None]
    assert kept == list(range(100 - sizes[-1], 100))


def test_keys_expire_within_two_generations_without_a_call(until):
    """The timer ends with the last key, and starts again with the next."""
    cache = KeyCache(generation_s=SHORT_S)
    for round_of in range(3):
        cache.put("a", round_of)
        put_at = time.monotonic()

        until(lambda: not len(cache))

        assert time.monotonic() - put_at < 2 * SHORT_S + 1  # a busy machine's second
        until(lambda: not cache.is_timed)


def test_a_key_in_use_expires_as_well(until):
    """Reading it does not extend its time: its row is read again."""
    cache = KeyCache(generation_s=SHORT_S)
    cache.put("a", "key")

    until(lambda: cache.get("a") is None)


def test_a_key_is_cached_for_at_most_a_second():
    """An erased holder's key may outlast its row by that much, in another process."""
    assert 2 * CACHE_GENERATION_S <= 1
    assert CACHE_KEYS_MAX == 10_000


def test_a_key_can_be_removed_at_once(lasting):
    """From either generation, or both; other keys stay."""
    for name in ("a", "b", "c", "d", "a"):
        lasting.put(name, "key")

    for name in ("a", "b", "nobody"):
        lasting.forget(name)

    assert [None, None, "key", "key"] == [lasting.get(name) for name in ("a", "b", "c", "d")]


def test_many_threads_may_use_the_cache(at_once):
    """Each gets its own key or none, never another's; the bound is kept."""
    cache = KeyCache(keys_max=10, generation_s=0.001)

    def work(n):
        def run():
            for i in range(300):
                name = f"{n}-{i % 20}"
                cache.put(name, name)
                assert cache.get(f"{n}-{(i + 7) % 20}") in {None, f"{n}-{(i + 7) % 20}"}
                if i % 3 == 0:
                    cache.forget(name)
                assert len(cache) <= 20
            return "done"

        return run

    assert ["done"] * 8 == at_once([work(n) for n in range(8)])


def test_without_a_thread_for_the_timer_nothing_is_cached(monkeypatch):
    """A key that could not expire in time is not kept; later ones are."""
    cache = KeyCache()
    with monkeypatch.context() as exhausted:
        exhausted.setattr(Timer, "start", Mock(side_effect=RuntimeError))
        cache.put("a", "key")
        assert 0 == len(cache)

    cache.put("b", "key")

    assert "key" == cache.get("b")
