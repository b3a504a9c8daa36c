"""Importing once more: after a crash, a change, or at the same moment."""

import itertools

import pytest

from ledger.commands.runner import Command
from permit_ledger.csv_import.command import COLUMNS
from tests.permit_ledger.permit_rows import application, counts, person, read, text_of


def test_a_second_run_adds_nothing(run, references):
    """Every row is there already, however the file is written this time."""
    rows = [person(number) for number in range(600)]
    run(rows)
    before = references()

    assert counts(run(rows)) == (600, 0, 600, 0)
    reordered = text_of(rows[::-1], columns=COLUMNS[::-1], line_end="\r\n")
    assert counts(run(reordered.encode("utf-8-sig"))) == (600, 0, 600, 0)
    assert before == references()


def test_a_changed_row_is_reported(run, references, refused):
    """What was imported is changed through the permit, not through the file."""
    run([person(1), person(2)])
    report = run([person(1), person(2, address="蠡湖大道101号")])

    assert counts(report) == (2, 0, 1, 1)
    assert refused() == [(3, "CHANGED_SINCE_IMPORT")]
    assert len(references()) == 2


def test_the_errors_file_can_be_corrected_and_imported(run, errors, references):
    """Its own columns, line, code and reason, are passed over."""
    run([person(1), person(2, division="320202")])
    corrected = errors.read_text(encoding="utf-8-sig").replace(",320202,", ",320213,")

    assert counts(run(corrected)) == (1, 1, 0, 0)
    assert references() == ["OLD-1", "OLD-2"]
    assert read(errors) == []


def test_a_killed_run_is_completed_by_the_next(run, references):
    """Killed after the second of three chunks: then each permit is there once."""
    rows = [person(number) for number in range(1200)]
    chunks = itertools.count(1)

    class Killed(BaseException):
        pass

    def kill(done, total):
        if next(chunks) == 2:
            raise Killed

    with pytest.raises(Killed):
        run(rows, progress=kill)
    assert len(references()) == 1000

    assert counts(run(rows)) == (1200, 200, 1000, 0)
    assert [row["reference"] for row in rows] == references()


def test_of_a_chunk_that_meets_a_conflict_only_the_guilty_row_is_refused(
    run, ledger, context, monkeypatch, refused, references
):
    """A permit is issued at the counter between the lookup and the append."""
    append, calls = ledger.append_all, itertools.count()

    def racing(appends):
        if next(calls) == 0:
            monkeypatch.setattr(ledger, "append_all", append)
            ledger.permits.issue(application(person(2)), Command(context))
        return append(appends)

    monkeypatch.setattr(ledger, "append_all", racing)
    report = run([person(1), person(2), person(3)])

    assert counts(report) == (3, 2, 0, 1)
    assert refused() == [(3, "ALREADY_HOLDS_PERMIT")]
    assert references() == [None, "OLD-1", "OLD-3"]


def test_two_imports_of_one_file_at_once_add_each_row_once(run, ledger, monkeypatch, references):
    """The slower one finds the other's rows when it appends, and counts them as there already."""
    append, calls = ledger.append_all, itertools.count()

    def racing(appends):
        if next(calls) == 0:
            monkeypatch.setattr(ledger, "append_all", append)
            run([person(1), person(2)], errors=None)
        return append(appends)

    monkeypatch.setattr(ledger, "append_all", racing)

    assert counts(run([person(1), person(2), person(3)])) == (3, 1, 2, 0)
    assert references() == ["OLD-1", "OLD-2", "OLD-3"]
