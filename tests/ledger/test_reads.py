"""Coroutines share round trips, but neither errors nor cancellations."""

import asyncio
import gc

import pytest

from ledger.eventlog.reads import GROUP_KEYS_MAX, GroupRead

WAIT_S = 30


class Store:
    """Counts its reads, and delays each until it is released."""

    def __init__(self):
        self.values = {}
        self.reads = []
        self.begun = asyncio.Semaphore(0)
        self._go = asyncio.Semaphore(0)

    def let_go(self, reads=1):
        for _ in range(reads):
            self._go.release()

    async def read(self, keys):
        self.reads.append(keys)
        found = {key: self.values[key] for key in keys if key in self.values}
        self.begun.release()
        await self._go.acquire()
        for value in found.values():
            if isinstance(value, Exception):
                raise value
        return found


@pytest.fixture
def reading():
    """``reading(act)``: runs ``act(store, group)`` in a loop of its own, within bounds."""

    def reading(act):
        async def run():
            store = Store()
            return await act(store, GroupRead(store.read))

        return asyncio.run(asyncio.wait_for(run(), WAIT_S))

    return reading


async def ask(group, *keys):
    """Tasks that have asked by now."""
    tasks = [asyncio.create_task(group.get(key)) for key in keys]
    await asyncio.sleep(0)
    return tasks


def test_reads_requested_during_a_read_share_the_next(reading):
    """Whatever their keys."""

    async def act(store, group):
        store.values = {key: key.upper() for key in "abcd"}
        first = await ask(group, "a")
        await store.begun.acquire()
        others = await ask(group, "b", "c", "d", "nobody")
        store.let_go(2)
        values = await asyncio.gather(*first, *others)
        return store.reads, values

    assert ([["a"], ["b", "c", "d", "nobody"]], ["A", "B", "C", "D", None]) == reading(act)


def test_equal_keys_of_one_read_share_its_result(reading):
    """A permit that many callers want is read once."""

    async def act(store, group):
        store.values = {"a": "A", "b": "B"}
        tasks = await ask(group, "a", "b", "a", "a", "b")
        store.let_go()
        return await asyncio.gather(*tasks), store.reads

    assert (["A", "B", "A", "A", "B"], [["a", "b"]]) == reading(act)


def test_a_value_is_never_older_than_its_request(reading):
    """A request during a read of the same key gets a read of its own."""

    async def act(store, group):
        store.values["a"] = "old"
        [early] = await ask(group, "a")
        await store.begun.acquire()
        store.values["a"] = "new"
        [late] = await ask(group, "a")
        store.let_go(2)
        return await early, await late

    assert ("old", "new") == reading(act)


def test_results_are_not_cached(reading):
    """A completed read answers no later caller."""

    async def act(store, group):
        store.let_go(2)
        store.values["a"] = "old"
        before = await group.get("a")
        store.values["a"] = "new"
        return before, await group.get("a"), len(store.reads)

    assert ("old", "new", 2) == reading(act)


def test_many_keys_are_several_reads(reading):
    """Each of at most 500 keys, in the order in which they were asked for."""
    wanted = 2 * GROUP_KEYS_MAX + 1

    async def act(store, group):
        store.values = {n: -n for n in range(wanted)}
        tasks = await ask(group, *range(wanted))
        store.let_go(3)
        assert [-n for n in range(wanted)] == await asyncio.gather(*tasks)
        return store.reads

    reads = reading(act)

    assert 500 == GROUP_KEYS_MAX
    assert [GROUP_KEYS_MAX, GROUP_KEYS_MAX, 1] == [len(keys) for keys in reads]
    assert list(range(wanted)) == [key for keys in reads for key in keys]


def test_an_error_reaches_the_callers_of_that_read(reading):
    """All of them, and none of the next read."""

    async def act(store, group):
        store.values = {"bad": ZeroDivisionError(), "a": "A", "b": "B"}
        failing = await ask(group, "bad", "a")
        await store.begun.acquire()
        next_ones = await ask(group, "a", "b")
        store.let_go(2)
        failed = await asyncio.gather(*failing, return_exceptions=True)
        return [type(error) for error in failed], await asyncio.gather(*next_ones)

    assert ([ZeroDivisionError] * 2, ["A", "B"]) == reading(act)


def test_reads_continue_after_an_error(reading):
    """Also when no key was requested meanwhile."""

    async def act(store, group):
        store.let_go(2)
        store.values = {"bad": ZeroDivisionError(), "a": "A"}
        with pytest.raises(ZeroDivisionError):
            await group.get("bad")
        return await group.get("a")

    assert "A" == reading(act)


@pytest.mark.parametrize("when", ["before its read", "in its read"])
def test_a_cancelled_caller_affects_no_other(reading, when):
    """Neither who shares the key nor who shares the read, the first one included."""

    async def act(store, group):
        store.values = {"a": "A", "b": "B"}
        first, same, other = await ask(group, "a", "a", "b")
        if when == "in its read":
            await store.begun.acquire()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        store.let_go()
        return await same, await other, len(store.reads)

    assert ("A", "B", 1) == reading(act)


def test_an_error_without_callers_is_dropped(reading):
    """All callers are cancelled: no one gets the error, and the loop does not report it."""

    async def act(store, group):
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
        store.values = {"bad": ZeroDivisionError(), "a": "A"}
        [alone] = await ask(group, "bad")
        await store.begun.acquire()
        alone.cancel()
        store.let_go(2)
        value = await group.get("a")
        gc.collect()
        return value, complaints

    assert ("A", []) == reading(act)


def test_a_read_that_cannot_begin_is_an_error(reading):
    """The next request starts another read."""

    async def act(store, group):
        attempts = []

        def read(keys):
            attempts.append(keys)
            if len(attempts) == 1:
                raise ZeroDivisionError
            return store.read(keys)

        store.let_go()
        store.values["a"] = "A"
        fragile = GroupRead(read)
        with pytest.raises(ZeroDivisionError):
            await fragile.get("a")
        return await fragile.get("a")

    assert "A" == reading(act)
