"""An import of a few rows, and what it left behind."""

import pytest

from domain.events import PermitIssued
from permit_ledger.importing import import_csv
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
            page = ledger.log.select_notifications(len(found) + 1, 1000)
            found += page
        events = [ledger.mapper.to_domain_event(notification) for notification in found]
        assert all(isinstance(event, PermitIssued) for event in events)
        return [event.taken_over_from for event in events]

    return references
