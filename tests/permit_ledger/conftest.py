"""An import of a few rows, a simulated district, and what they left behind."""

from contextlib import closing

import psycopg
import pytest

from domain.events import PermitIssued
from ledger.commands.blocking import BlockingLedger
from ledger.database.connections import as_service, connect
from permit_ledger.csv_import.command import import_csv
from permit_ledger.sample.command import simulate
from tests.keks import keyring
from tests.permit_ledger.districts import DAYS, UNTIL
from tests.permit_ledger.permit_rows import read, text_of


@pytest.fixture
def errors(tmp_path):
    return tmp_path / "errors.csv"


@pytest.fixture
def run(ledger, context, tmp_path, errors):
    """Import rows, a text or bytes."""

    def run(content, **changed):
        source = tmp_path / "permits.csv"
        if not isinstance(content, str | bytes):
            content = text_of(content)
        source.write_bytes(content if isinstance(content, bytes) else content.encode())
        return import_csv(ledger, source, **{"context": context, "errors": errors, **changed})

    return run


@pytest.fixture
def refused(errors):
    """Line and code of every refused row."""
    return lambda: [(int(row["line"]), row["code"]) for row in read(errors)]


@pytest.fixture
def references(ledger):
    """The references in the log, in its order."""

    def references():
        found, page = [], [None]
        while page:
            page = ledger.events(len(found) + 1, 1000)
            found += page
        events = ledger.log.opened(found)
        assert all(isinstance(event, PermitIssued) for event in events)
        return [event.taken_over_from for event in events]

    return references


@pytest.fixture
def simulated(ledger, policy):
    """Simulate a small district, by default."""

    def simulated(**changed):
        plan = {"permits": 60, "days": DAYS, "seed": 1, "until": UNTIL, "policy": policy}
        return simulate(ledger, **{**plan, **changed})

    return simulated


@pytest.fixture
def log(ledger):
    """Everything in the log, from its first position."""

    def log():
        found = []
        while page := ledger.events(len(found) + 1, 1000):
            found += page
        return found

    return log


@pytest.fixture
def events(log, database_url, blind_index):
    """The same as events of the domain, read with an empty key cache."""

    def events():
        reader = BlockingLedger(
            as_service(database_url), blind_index=blind_index, keyring=keyring()
        )
        with closing(reader):
            return reader.log.opened(log())

    return events


@pytest.fixture
def forget(database_url, rewrite_log):
    """Empty the database."""

    def forget():
        tables = "events, ledger.holders, ledger.former_numbers, ledger.answers, ledger.portraits"
        rewrite_log(f"TRUNCATE ledger.{tables}")
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE ledger.head SET position = 0")

    return forget


@pytest.fixture
def admin(database_url):
    """A connection of the operator's own."""
    with connect(database_url, application_name="operator") as connection:
        yield connection
