"""A permit with thousands of events holds up no one else."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Event

import httpx
import pytest

from tests.api.long_permits import lengthen
from tests.api.phones import Phone, claim

EVENTS = 3_300
WATCHED_S = 4
CALLS_AT_ONCE = 16


@pytest.fixture(scope="module")
def phones(service, registrar, caller, application):
    """Two phones that are bound to a permit of 3,300 events."""
    permit = registrar.post("/v1/permits", application()).json()
    holder = caller("holder", holder_id=permit["holder_id"])
    phone, second = (Phone(holder, permit).claim() for _ in range(2))
    position = lengthen(service, permit["permit_number"], EVENTS)
    seen = registrar.get(f"/v1/permits/{phone.number}", min_position=position)
    until = time.monotonic() + 60
    while seen.status_code != 200 and time.monotonic() < until:
        seen = registrar.get(f"/v1/permits/{phone.number}", min_position=position)
    assert EVENTS + 3 == seen.json()["version"]
    return phone, second


@pytest.fixture
def long_lived(phones):
    return phones[0]


def median_s(calls, work):
    """How long the work takes, in seconds."""
    took_s = []
    for _ in range(calls):
        started = time.perf_counter()
        answer = work()
        took_s.append(time.perf_counter() - started)
        assert answer.is_success, answer.text
    return median(took_s)


def test_a_code_takes_no_longer_for_a_long_permit(long_lived, registrar, caller, application):
    """Their phone may ask again and again: nothing is folded for it."""
    permit = registrar.post("/v1/permits", application()).json()
    short_lived = Phone(caller("holder", holder_id=permit["holder_id"]), permit).claim()
    short_s, long_s = median_s(15, short_lived.ask), median_s(15, long_lived.ask)

    assert long_s < 4 * short_s


def test_others_are_answered_while_a_long_permit_is_folded(long_lived, service):
    """A command has to fold all its events: here, claims by the same phone, which change nothing.
    Meanwhile the loop answers within the time of a few pages, not of all folds together."""
    is_over = Event()
    waits_s, folds_s = [], []

    def claims():
        while not is_over.is_set():
            started = time.perf_counter()
            answer = claim(long_lived.holder, long_lived.number, long_lived.key)
            folds_s.append(time.perf_counter() - started)
            assert answer.status_code in {201, 503}

    with ThreadPoolExecutor(CALLS_AT_ONCE) as threads, httpx.Client(base_url=service.url) as http:
        working = [threads.submit(claims) for _ in range(CALLS_AT_ONCE)]
        until = time.monotonic() + WATCHED_S
        while time.monotonic() < until:
            waits_s.append(median_s(1, lambda: http.get("/healthz")))
            time.sleep(0.005)
        is_over.set()
        for each in working:
            each.result()

    assert max(waits_s) < max(folds_s) / 4


def test_a_phone_that_was_removed_from_a_long_permit_gets_no_code(phones):
    """Not even the next moment, however far behind the views are."""
    first, second = phones
    assert 201 == second.ask().status_code
    first.revoke(second)

    assert 401 == second.ask().status_code
