"""Long streams are read page by page, so that the event loop answers others in between."""

import asyncio
from dataclasses import replace

import pytest

from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service
from ledger.errors import Unavailable, UnreadableEvent
from ledger.eventlog import pages as module
from ledger.eventlog.append import Append
from ledger.eventlog.history import StreamHistories
from ledger.eventlog.pages import LONG_STREAMS_MAX, PAGE_EVENTS_MAX, Pages
from projections.queries.fresh import StreamFolder
from projections.queries.permits import read_pool
from tests.keks import keyring

EVENTS = 20 * PAGE_EVENTS_MAX


async def turns_during(work):
    """What ``work`` came to, and how many turns the event loop had meanwhile."""
    turns, is_over = 0, False

    async def count():
        nonlocal turns
        while not is_over:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    found = await work
    is_over = True
    await counting
    return found, turns


@pytest.fixture
def long_permit(ledger, issue, context):
    """A permit whose card was lost and found again five hundred times."""
    number = issue()
    permit = ledger.permit(number)
    policy = replace(context.policy, events_per_account_and_day_max=EVENTS)
    context = replace(context, policy=policy)
    for n in range(EVENTS):
        permit.lift_loss(context) if n % 2 else permit.report_loss(context)
    stored = [ledger.event_mapper.to_stored_event(event) for event in permit.collect_events()]
    ledger.append_all([Append([event]) for event in stored])
    return number


def test_others_run_while_a_long_permit_is_folded(ledger, long_permit):
    """At least once a page, in each of the three passes over the events."""
    permit, turns = ledger.run(turns_during(ledger.event_log.load(long_permit)))

    assert EVENTS + 1 == permit.version
    assert turns >= 3 * EVENTS / PAGE_EVENTS_MAX


@pytest.fixture
def run_with_pool(database_url):
    """``run_with_pool(use)``: with the service's pool, in a loop of its own."""

    def run(use):
        async def within():
            async with read_pool(as_service(database_url), connections_max=1) as pool:
                return await use(pool)

        return asyncio.run(within())

    return run


def test_others_run_while_a_long_permit_is_folded_for_a_read(ledger, long_permit, run_with_pool):
    """For checks and reads whose views are behind."""

    async def fold(pool):
        folder = StreamFolder(pool, ledger.event_mapper, HolderKeys(keyring()))
        return await turns_during(folder.permit(long_permit))

    seen, turns = run_with_pool(fold)

    assert EVENTS + 1 == seen.facts.version
    assert turns >= 4 * EVENTS / PAGE_EVENTS_MAX


def test_others_run_while_a_long_history_is_read(ledger, long_permit, run_with_pool):
    """For investigators."""

    async def read(pool):
        histories = StreamHistories(pool, ledger.event_mapper, HolderKeys(keyring()))
        return await turns_during(histories.of(long_permit))

    history, turns = run_with_pool(read)

    assert EVENTS + 1 == len(history.events)
    assert turns >= 2 * EVENTS / PAGE_EVENTS_MAX


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_pages_of_any_size_give_the_same(ledger, issue, command, run_with_pool, page, monkeypatch):
    """The aggregate, and the rows of both views."""
    number = issue()
    ledger.permits.report_loss(number, command())
    ledger.permits.reissue(number, command())
    whole = ledger.permit(number)

    async def fold(pool):
        folder = StreamFolder(pool, ledger.event_mapper, HolderKeys(keyring()))
        return await folder.permit(number), await folder.physical(number)

    before = run_with_pool(fold)
    monkeypatch.setattr(module, "PAGE_EVENTS_MAX", page)

    paged = ledger.permit(number)
    assert (whole.version, whole.card, whole.devices) == (paged.version, paged.card, paged.devices)
    assert [seen.facts for seen in before] == [seen.facts for seen in run_with_pool(fold)]


def test_one_page_has_a_turn_however_many_streams_are_read():
    """Between two turns of the loop, no more than a page is worked on."""
    pages, done = Pages(), []

    async def read():
        await pages.each(range(4 * PAGE_EVENTS_MAX), lambda page: done.append(len(page)))

    async def most_at_once():
        reading = [asyncio.create_task(read()) for _ in range(LONG_STREAMS_MAX)]
        most = before = 0
        while not all(each.done() for each in reading):
            await asyncio.sleep(0)
            most, before = max(most, len(done) - before), len(done)
        return most

    assert asyncio.run(most_at_once()) == 1
    assert 4 * LONG_STREAMS_MAX == len(done)


def test_the_number_of_long_streams_is_limited():
    """Beyond it they are refused, and short ones are not; an error frees the place."""
    pages, long = Pages(), range(PAGE_EVENTS_MAX + 1)

    def fails(page):
        raise UnreadableEvent("damaged")

    async def run():
        for _ in range(2 * LONG_STREAMS_MAX):
            with pytest.raises(UnreadableEvent), pages.admitted(long):
                await pages.each(long, fails)

    asyncio.run(run())
    held = [pages.admitted(long) for _ in range(LONG_STREAMS_MAX)]
    for each in held:
        each.__enter__()
    with pytest.raises(Unavailable), pages.admitted(long):
        pass
    with pages.admitted(range(PAGE_EVENTS_MAX)):
        pass
    held[0].__exit__(None, None, None)
    with pages.admitted(long):
        pass
