"""Coroutines run to their end without an event loop, or not at all."""

import asyncio
import inspect

import pytest

from ledger.eventlog.log_access import complete


def test_what_never_waits_is_run_to_its_end():
    """Through every coroutine that it awaits."""

    async def inner(number):
        return number + 1

    async def outer():
        return await inner(await inner(1))

    assert 3 == complete(outer())


def test_what_it_raises_reaches_the_caller():
    """As from a function."""

    async def refused():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        complete(refused())


def test_what_really_waits_is_refused_and_closed():
    """Nobody would ever go on with it; what it holds is given back."""
    released = []

    async def waits():
        try:
            await asyncio.sleep(0)
        finally:
            released.append(True)

    coroutine = waits()
    with pytest.raises(RuntimeError, match="waited for an event loop"):
        complete(coroutine)

    assert [True] == released
    assert inspect.CORO_CLOSED == inspect.getcoroutinestate(coroutine)
