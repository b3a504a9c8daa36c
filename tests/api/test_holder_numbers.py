"""The number that has led to a holder is looked up once a minute, and at once for a claim."""

import asyncio

import pytest

from api.http.tokens import Principal
from api.sign_in import accounts
from api.sign_in.accounts import HolderNumbers

CALLER = Principal("holder-1", frozenset(), citizen_index="0a")


@pytest.fixture
def asked():
    """The indexes that were looked up."""
    return []


@pytest.fixture
def is_current(asked):
    """``is_current(of=…)``: with ``register``, whose number it is now."""
    register = {b"\x0a": "holder-1"}

    async def holder_of(index):
        asked.append(index)
        return register.get(index)

    numbers = HolderNumbers(holder_of)

    def is_current(of=CALLER, **how):
        return asyncio.run(numbers.is_current(of, **how))

    is_current.register = register
    return is_current


def test_a_number_is_looked_up_once_in_its_time(is_current, asked, monkeypatch):
    assert all(is_current() for _ in range(3))
    assert 1 == len(asked)
    monkeypatch.setattr(accounts, "CONFIRMED_S", 0.0)
    assert is_current()
    assert 2 == len(asked)


@pytest.mark.parametrize("now", [{}, {b"\x0a": "holder-2"}])
def test_a_claim_sees_a_correction_at_once_and_then_all_do(is_current, now):
    """Whether the number is another's by then, or no one's."""
    assert is_current()
    is_current.register.clear()
    is_current.register.update(now)

    assert is_current()
    assert not is_current(at_once=True)
    assert not is_current()


def test_who_was_not_found_by_a_number_costs_nothing(is_current, asked):
    assert is_current(Principal("officer-1", frozenset()), at_once=True)
    assert [] == asked


def test_the_number_of_remembered_holders_is_bounded(is_current, asked, monkeypatch):
    monkeypatch.setattr(accounts, "CONFIRMED_MAX", 1)
    is_current.register[b"\x0b"] = "holder-2"
    other = Principal("holder-2", frozenset(), citizen_index="0b")

    assert all(is_current(of) for of in (CALLER, other, CALLER))
    assert 3 == len(asked)
