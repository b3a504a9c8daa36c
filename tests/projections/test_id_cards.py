"""The view of applications is kept beside those of the permits, at the same position, each
independently."""

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from threading import Event

import pytest

from domain.calendar import SHANGHAI
from domain.data_protection import Order
from domain.id_cards.collection import CollectedBy, Collection
from ledger.commands.runner import Command
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.connections import as_service
from permit_ledger.bootstrap.due_dates import settle_due_dates
from permit_ledger.bootstrap.workdays import MainlandWorkdays
from projections.projector.pages import EventOpener
from projections.projector.quarantine import list_quarantined
from projections.quarantine.auditor import Auditor
from projections.queries.id_cards import IdCardReader
from projections.queries.permits import read_pool
from projections.rebuild.rebuild import Rebuild
from projections.views.registry import all_views
from tests.id_card_counter import Counter, submission_of
from tests.keks import keyring
from tests.projections.parts import parts
from tests.two_officers import erase as erase_by_two

DONE = Collection(CollectedBy.MAIL)


@pytest.fixture
def command(context):
    """``command(day)``: at noon of that day."""

    def command(day=date(2026, 9, 14)):
        return Command(
            replace(context, at=datetime(day.year, day.month, day.day, 12, tzinfo=SHANGHAI))
        )

    return command


@pytest.fixture
def counter(ledger):
    return Counter(ledger)


@pytest.fixture
def held(admin):
    """``held(number)``: the given columns of its row."""

    def held(number, columns="stage, version, stage_since"):
        return admin.execute(
            f"SELECT {columns} FROM views.id_card_applications WHERE receipt_number = %s", [number]
        ).fetchone()

    return held


@pytest.fixture
def streams(admin):
    """``streams(table)``: the streams that have a row in a view of the permits."""

    def streams(table):
        return {n for (n,) in admin.execute(f"SELECT permit_number FROM views.{table}").fetchall()}

    return streams


def test_each_view_follows_its_own_stream_type(
    counter, life, command, projected, held, streams, lag
):
    """The position advances over all events; permits and applications have no rows in each other's
    views."""
    permit = life().issue()
    number = counter.accept(submission_of(), command())
    counter.go(number, "dispatch", command(date(2026, 9, 16)))
    projected()

    assert 0 == lag()
    assert ("sent_to_hukou_police", 2, date(2026, 9, 16)) == held(number)
    assert held(permit) is None
    for table in ("physical_permits", "electronic_permits", "permit_search"):
        assert {permit} == streams(table)


def test_an_unreadable_application_stops_alone(
    counter, life, command, projected, held, streams, admin, rewrite_log
):
    """No permit, and no other application."""
    unreadable, other = (counter.accept(submission_of(), command()) for _ in range(2))
    counter.go(unreadable, "dispatch", command())
    rewrite_log(
        "UPDATE ledger.events SET state = 'x' WHERE stream = %s AND version = 2", [unreadable]
    )
    counter.go(other, "dispatch", command())
    permit = life().issue()
    projected()

    assert [unreadable] == [one.permit_number for one in list_quarantined(admin)]
    assert ("accepted", "sent_to_hukou_police") == (held(unreadable)[0], held(other)[0])
    assert {permit} == streams("physical_permits")


def test_a_rebuild_reads_only_the_streams_of_its_view(
    counter, life, command, projected, database_url, admin, held
):
    """And proves itself equal, for each view."""
    life().issue()
    number = counter.accept(submission_of(), command())
    counter.go(number, "withdraw", command())
    projected()
    for view in ("physical", "search", "id_cards"):
        built = Rebuild(admin, database_url, parts, view).run(workers=1)
        assert (True, 1, []) == (built.switched, built.permits, built.differences)
    assert "withdrawn" == held(number)[0]


def test_a_rebuild_finds_a_changed_row(counter, command, projected, database_url, admin):
    """The difference is listed under its receipt number."""
    number = counter.accept(submission_of(), command())
    projected()
    admin.execute("UPDATE views.id_card_applications SET stage = 'collected'")
    built = Rebuild(admin, database_url, parts, "id_cards").run(workers=1)
    assert (False, [(number, ["stage"])]) == (
        built.switched,
        [(one.permit_number, one.columns) for one in built.differences],
    )


def test_the_auditor_covers_applications(
    counter, command, projected, blind_index, admin, database_url, life
):
    """It quarantines an application that the log does not account for."""
    life().issue()
    number = counter.accept(submission_of(), command())
    projected()
    auditor = Auditor(
        database_url,
        all_views(blind_index),
        EventOpener(HolderKeys(keyring())),
        Event(),
        permits_per_s=5,
    )
    assert 0 == sum(auditor.audit(admin, 10) for _ in range(10))
    admin.execute("UPDATE views.id_card_applications SET due_date = due_date + 1")
    assert 0 < sum(auditor.audit(admin, 10) for _ in range(10))
    [quarantined] = list_quarantined(admin)
    assert (number, "not what the log makes of it: id_cards.due_date") == (
        quarantined.permit_number,
        quarantined.reason,
    )


def test_an_erased_applicant_leaves_a_row_without_a_person(
    counter, ledger, command, projected, held
):
    """An application in progress is ended by the erasure."""
    number = counter.accept(submission_of(), command())
    erase_by_two(
        ledger,
        counter.application(number).holder_id,
        Order("PIPL 47", "c-1"),
        date(2027, 1, 1),
        command(date(2026, 9, 20)),
    )
    projected()
    assert ("withdrawn", date(2026, 9, 20), True) == held(number, "stage, stage_since, erased")


class Until(MainlandWorkdays):
    """The calendar as it was when this was the last published year."""

    def __init__(self, year):
        self.year = year

    def is_workday(self, day):
        return None if day.year > self.year else super().is_workday(day)


def test_provisional_dates_become_final_when_the_calendar_is_extended(
    ledger, command, projected, held, database_url, policy
):
    """Once, by an event; a date that is still unknown stays provisional, and ended applications are
    skipped."""
    counter = Counter(ledger, Until(2025))
    december = command(date(2025, 12, 15))
    number, ended = (counter.accept(submission_of(), december) for _ in range(2))
    counter.go(ended, "withdraw", december)
    later = Counter(ledger, Until(2026)).accept(submission_of(), command(date(2026, 12, 15)))
    projected()
    assert (date(2026, 1, 13), True) == held(number, "due_date, due_date_provisional")

    def settle(year):
        at = datetime(2026, 12, 20, tzinfo=SHANGHAI)
        commands = Counter(ledger, Until(year)).commands
        return ledger.run(settle_due_dates(commands, ledger.pool, Until(year), policy, at))

    assert "0 due dates are final now, 2 provisional" == str(settle(2025))
    assert "1 due dates are final now, 1 provisional" == str(settle(2026))
    projected()
    expected = Counter(ledger).accept(submission_of(), december)
    assert (counter.application(expected).due_date, False) == held(
        number, "due_date, due_date_provisional"
    )
    assert (True, True) == (
        held(ended, "due_date_provisional")[0],
        held(later, "due_date_provisional")[0],
    )
    assert "0 due dates are final now, 1 provisional" == str(settle(2026))


def test_a_reader_knows_whether_the_row_is_current(counter, command, projected, database_url):
    """Of one application, whatever else is in progress."""
    number = counter.accept(submission_of(), command())
    projected()
    counter.accept(submission_of(), command())

    async def look(of):
        async with read_pool(as_service(database_url), connections_max=1) as pool:
            return await IdCardReader(pool).progress(of)

    assert asyncio.run(look(number)).is_present
    counter.go(number, "dispatch", command())
    seen = asyncio.run(look(number))
    assert (False, "accepted", 1, 3) == (
        seen.is_present,
        seen.row.stage,
        seen.as_of_position,
        seen.head,
    )
    assert timedelta(0) == seen.row.stage_since - seen.row.accepted_on
