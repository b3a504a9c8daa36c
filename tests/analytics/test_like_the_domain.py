"""What a recount reports about permits is compared with the domain's answer, for the same permits
and days; and what the roll-ups answer, with the recount."""

import random
from collections import Counter
from contextlib import closing
from datetime import date, timedelta

import psycopg
import pytest
from eventsourcing.application import project_aggregate
from psycopg.conninfo import make_conninfo

from consumers.analytics import questions
from consumers.analytics.log_source import LogSource
from domain.calendar import Term, first_instant, shanghai_date
from domain.context import CommandContext
from domain.standing import Facts, PermitStatus, Standing
from domain.validity import History
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import as_service
from tests.conftest import TEMPLATE
from tests.keks import keyring
from tests.projections.test_time_travel import BEGINNING, City

DAYS = 40


@pytest.fixture(scope="module")
def ledger(postgres_url, blind_index):
    """A log of this file's own."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE like_the_domain TEMPLATE {TEMPLATE}")
    url = as_service(make_conninfo(postgres_url, dbname="like_the_domain"))
    with closing(BlockingLedger(url, blind_index=blind_index, keyring=keyring())) as ledger:
        ledger.url = url
        yield ledger


@pytest.fixture(scope="module")
def city(ledger, policy):
    """Random lives, backdated and ended; some people are erased in the end."""
    context = CommandContext("officer-1", "320211-01", "a-request", BEGINNING, policy)
    city = City(ledger, context, random.Random(8))  # noqa: S311  chance, not secrecy
    city.grow()
    for number in city.numbers[:4]:
        city.command()
        city.erase(number)
    return city


@pytest.fixture
def source(ledger, city):
    return LogSource(ledger.url, ledger.event_mapper.parse)


@pytest.fixture(scope="module")
def histories(ledger, city):
    """Every permit's, opened."""
    return [History(ledger.log.opened(ledger.log.stored(number))) for number in city.numbers]


def asked(recount, days):
    recount.set_day(max(days), 30, days)
    return recount.rows("SELECT * FROM permits_by_day")


def at_the_end_of(day):
    return first_instant(day + timedelta(days=1)) - timedelta(microseconds=1)


def said_by_domain(history, day, known):
    as_of = history.as_of(at_the_end_of(day), known)
    return as_of.standing if as_of else None


def test_permits_on_random_days_as_true_and_as_known_then_equal_the_domain(
    fill, recount, city, histories
):
    """Term, district, claim and status: by all that is known, and by what was known that day."""
    chance = random.Random(9)  # noqa: S311  chance, not secrecy
    begin, end = date(2024, 1, 4), city.today + timedelta(days=700)
    days = sorted(
        {begin + timedelta(days=chance.randrange((end - begin).days)) for _ in range(DAYS)}
    )
    sink = fill()
    rows = asked(recount.load(sink), days)
    found = {(row["permit_number"], row["day"]): row for row in rows}
    seen = Counter()
    for history in histories:
        for day in days:
            standing = said_by_domain(history, day, len(history.events))
            row = found.get((history.events[0].originator_id, day))
            assert (standing is None) == (row is None)
            if standing is None:
                continue
            term = standing.facts.term
            permit = history.as_of(at_the_end_of(day), len(history.events)).permit
            assert row["status"] == standing.status
            assert (row["anchor"], row["years"]) == (term.anchor, term.years)
            assert row["valid_until"] == standing.valid_until
            assert row["claimed"] == standing.facts.claimed
            assert row["division"] == permit.residence.division
            known = history.known_by(at_the_end_of(day))
            then = said_by_domain(history, day, known) if known else None
            status = then and (PermitStatus.ENDED if then.facts.end else then.status)
            assert row["status_known_then"] == status
            if then:
                home = history.as_of(at_the_end_of(day), known).permit.residence.division
                assert row["known_division"] == home
                seen["moved since" if home != row["division"] else "same home"] += 1
            seen[row["status"]] += 1
    assert {"in_force", "use_suspended", "ended", "voided", "moved since"} < seen.keys()
    questions.set_day(sink.connection, max(days), 30, days)
    for question in questions.QUESTIONS:
        table = questions.ask(sink.connection, question).whole
        assert recount.answer(question.name) == (table.columns, table.rows)


def test_every_event_is_true_from_the_date_that_the_domain_computes(fill, recount, histories):
    """For the events that a status, a district or a loss follows from."""
    found = {
        (row["subject"], row["version"]): row
        for row in recount.load(fill()).rows(
            "SELECT subject, version, name, true_from, known_from FROM effects"
        )
    }
    seen = Counter()
    for history in histories:
        for event, recorded_at in zip(history.events, history.recorded_at, strict=True):
            row = found[event.originator_id, event.originator_version]
            assert row["known_from"] == recorded_at.replace(tzinfo=None)
            if row["name"] == "identity-corrected":
                continue  # from the beginning: no day to count with
            since = history.true_from(event.originator_version)
            assert row["true_from"] == (since - since.utcoffset()).replace(tzinfo=None)
            seen[row["name"]] += 1
    assert len(found) == sum(len(history.events) for history in histories)
    assert {"issued", "endorsed", "address-changed", "card-reported-lost"} < seen.keys()


def test_endorsements_due_equal_the_domains_valid_until(fill, ledger, city):
    """Within 30, 60 and 90 days, by district."""
    permits = [
        project_aggregate(None, iter(ledger.log.opened(ledger.log.stored(number))))
        for number in city.numbers
    ]
    today = shanghai_date(city.now)
    expected = Counter()
    for permit in permits:
        standing = Standing(Facts.of(permit), today)
        if standing.status is PermitStatus.IN_FORCE:
            left = (standing.valid_until - today).days
            for days in (30, 60, 90):
                expected[permit.residence.division, days] += left <= days

    sink = fill()
    questions.set_day(sink.connection, today, 30)
    found = sink.rows("SELECT * FROM endorsements_due")

    assert {
        (row["division"], days): row[f"due_in_{days}_days"]
        for row in found
        for days in (30, 60, 90)
    } == expected
    assert any(expected.values())


@pytest.mark.parametrize("years", [1, 2, 3, 4, 8])
def test_anniversaries_equal_the_domains(recount, years):
    """On every day of five years, two of them beside leap years: 29 February is included."""
    days = [date(2023, 1, 1) + timedelta(days=n) for n in range(5 * 365)]
    listed = ", ".join(f"DATE '{day}'" for day in days)

    found = recount.rows(
        f"SELECT day, anniversary(day, {years}) AS found FROM (SELECT unnest([{listed}]) AS day)"
    )

    assert {day: Term(day, years).anniversary for day in days} == {
        row["day"]: row["found"] for row in found
    }
