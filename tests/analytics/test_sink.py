"""The statistics' file: a batch is stored completely or not at all, and only by this process."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from consumers.analytics.batch import Batch, BatchBuilder, Mark, UncountedRecord
from consumers.analytics.sink import EVENTS, FILE, Sink

ISSUED = {"anchor": "2026-01-05", "years": 1, "card_serial": 1, "residence": {"division": "320211"}}
AT = "2026-01-05T02:00:00"


def count(sink, table="events"):
    return sink.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"]


def check(position, permit_number=None, reason=None):
    outcome = "not_effective" if reason else "effective"
    return {
        "position": position,
        "checked_at": "2026-01-06T02:00:00",
        "permit_number": permit_number,
        "track": "electronic",
        "scenario": "patrol_inspection",
        "outcome": outcome,
        "reason": reason,
    }


def test_a_batch_that_fails_leaves_neither_rows_nor_a_mark(sink, put):
    """Its mark and its rows are one transaction."""
    put(("issued", "A", AT, ISSUED))
    before = sink.marks(EVENTS)
    event = {**sink.rows("SELECT * FROM events")[0], "version": 2, "position": 9}

    no_mark = {0: Mark(None, 9, 9, "nine")}
    with pytest.raises(sqlite3.Error):
        sink.write(Batch(no_mark, [event], [UncountedRecord(0, 8, "bad")]))

    assert (1, 0, before) == (count(sink), count(sink, "parked"), sink.marks(EVENTS))


def test_written_rows_survive_a_restart(folder, put, sink):
    """With the marks that they were written with."""
    put(("issued", "A", AT, ISSUED))
    marks = sink.marks(EVENTS)
    sink.close()

    with closing(Sink(folder, "log")) as again:
        assert (1, marks) == (count(again), again.marks(EVENTS))


def test_a_file_of_another_source_or_layout_is_replaced(folder, put, sink, monkeypatch):
    """The marks of one source mean nothing in another."""
    put(("issued", "A", AT, ISSUED))
    sink.close()
    with closing(Sink(folder, "topic permits.events.v1")) as other:
        assert (0, {}) == (count(other), other.marks(EVENTS))
    monkeypatch.setattr("consumers.analytics.sink.layout", lambda: "of another version")
    with closing(Sink(folder, "topic permits.events.v1")) as other:
        assert (0, {}) == (count(other), other.marks(EVENTS))


def test_a_file_of_another_program_is_replaced(folder):
    """Whatever tables it holds."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / FILE)) as stranger:
        stranger.execute("CREATE TABLE events (something INTEGER)")
    with closing(Sink(folder, "log")) as sink:
        assert 0 == count(sink)

    (folder / FILE).write_bytes(b"no database" * 1000)
    with closing(Sink(folder, "log")) as sink:
        assert 0 == count(sink)


def test_only_one_process_opens_the_file(folder, sink):
    """Another process gets an error; within one process, the same file would be the same
    database."""

    code = (
        "import sys; from pathlib import Path\n"
        "from consumers.analytics.errors import SinkBusy\n"
        "from consumers.analytics.sink import Sink\n"
        "try: Sink(Path(sys.argv[1]), 'log')\n"
        "except SinkBusy as busy: print('busy:', busy)"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True
    )

    assert other.stdout.startswith("busy: another process has")


def test_checks_of_an_erased_holder_do_not_name_the_permit(sink, put):
    """Whether the check came before the erasure or is read after it; other checks keep theirs."""
    put(("issued", "A", AT, ISSUED), ("issued", "B", AT, ISSUED))
    sink.write_checks([check(1, "A"), check(2, "B")])
    put(("holder-erased", "A", "2026-02-01T02:00:00", {"holder_id": "somebody", "case": "1"}))
    sink.write_checks([check(3, "A"), check(4, "B"), check(5)])

    checks = sink.rows("SELECT position, permit_number FROM checks ORDER BY position")

    assert [None, "B", None, "B", None] == [row["permit_number"] for row in checks]


def test_no_personal_data_of_an_event_is_stored(sink, put):
    """Not the holder's id, not an officer outside a station, nor any other field of the event."""
    put(
        ("issued", "A", AT, {**ISSUED, "holder_id": "h-1", "sealed": "s-1", "name": "n-1"}),
        ("electronic-claimed", "A", AT, {"station": None, "actor": "h-1", "device": "d-1"}),
        (
            "holder-erased",
            "A",
            AT,
            {"approvals": ["o-1", "o-2"], "legal_basis": "l-1", "key": "k-1"},
        ),
    )

    said = str(sink.rows("SELECT * FROM events"))

    assert [] == [
        word for word in ("h-1", "s-1", "n-1", "d-1", "o-1", "l-1", "k-1") if word in said
    ]
    assert "officer-1" in said


def test_records_that_are_not_newer_are_skipped(sink):
    """By the mark of their partition, whatever their offset."""
    row = {
        "position": 5,
        "kind": "permit",
        "name": "device-bound",
        "type": "permit.device-bound.v1",
        "subject": "A",
        "version": 1,
        "recorded_at": AT,
    }
    builder = BatchBuilder({})
    for offset, position in enumerate([5, 5, 4, 6]):
        builder.take(3, offset, {**row, "position": position})
    sink.write(builder.batch())

    assert [5, 6] == [r["position"] for r in sink.rows("SELECT position FROM events ORDER BY 1")]
    assert Mark(4, 6, 3, "6 A 1 permit.device-bound.v1") == sink.marks(EVENTS)[3]
