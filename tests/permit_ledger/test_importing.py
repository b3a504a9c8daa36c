"""Importing permits from a CSV file: every good row is imported as it is."""

from datetime import date, timedelta

import psycopg
import pytest

from domain import citizen_id
from domain.calendar import Term
from domain.person import Guardian
from ledger.commands.runner import Command
from permit_ledger.csv_import.command import COLUMNS, template
from tests.permit_ledger.permit_rows import application, counts, person, text_of


def test_the_template_imports(run, ledger):
    """With its years, its card and its reference."""
    report = run(template())

    assert counts(report) == (1, 1, 0, 0)
    [notification] = ledger.events(1, 10)
    event = ledger.log.opened([notification])[0]
    permit = ledger.permit(notification.originator_id)
    assert Term(date(2024, 3, 1), 3) == permit.term
    assert (event.taken_over_from, event.card_serial) == ("WX-2024-000123", 1)
    assert permit.identity.name == "欧阳示例"
    assert (event.station, event.actor) == ("320211-01", "officer-1")
    assert event.correlation_id == "a-request:2"


def test_an_imported_person_holds_a_permit(run, ledger, context):
    """[P2] The counter can't issue another one."""
    run([person(1)])
    index = ledger.blind_index.of(person(1)["citizen_id_number"])
    holder = ledger.log.holders([index])[index]

    assert holder.permit_number == ledger.events(1, 1)[0].originator_id
    assert holder.holder_id == ledger.permit(holder.permit_number).holder_id


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda text: text.encode("utf-8-sig"), id="bom"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="crlf"),
        pytest.param(lambda text: text.rstrip("\n").encode(), id="no-last-line-end"),
        pytest.param(lambda text: text.encode() + b"\n\r\n,,,,\n", id="blank-lines"),
        pytest.param(lambda text: text.replace("欧阳示例", ' "欧阳示例"').encode(), id="quoted"),
    ],
)
def test_a_file_may_be_written_in_several_ways(run, references, write):
    """As spreadsheets and other systems write it."""
    content = write(text_of([person(1), person(2)]))
    if b' "' in content:
        content = content.replace(b' "', b'"')

    assert counts(run(content)) == (2, 2, 0, 0)
    assert references() == ["OLD-1", "OLD-2"]


def test_an_ethnicity_may_have_lost_its_zero(run, ledger):
    """Spreadsheets take 01 for a number."""
    run([person(1, ethnicity="3")])
    [notification] = ledger.events(1, 10)

    assert ledger.permit(notification.originator_id).identity.ethnicity == "03"


def test_columns_may_stand_in_any_order(run, references):
    """They are found by their names."""
    assert counts(run(text_of([person(1)], columns=COLUMNS[::-1]))) == (1, 1, 0, 0)
    assert references() == ["OLD-1"]


def test_a_child_comes_with_a_guardian(run, ledger):
    """[P3] Both names and both numbers are kept."""
    child = person(
        1,
        birth_date="2015-05-01",
        citizen_id_number=citizen_id.compose("990000", date(2015, 5, 1), 2),
        guardian_name="欧阳家长",
        guardian_citizen_id_number="990000199001010017",
    )
    run([child])
    [notification] = ledger.events(1, 10)

    guardian = ledger.log.opened([notification])[0].guardian
    assert Guardian("欧阳家长", "990000199001010017") == guardian


def test_someone_whose_permit_has_ended_keeps_the_holder_id(run, ledger, context, policy):
    """A person on record is the same holder when imported."""
    command = Command(context)
    ledger.permits.issue(application(person(1)), command)
    first = ledger.permit(ledger.events(1, 1)[0].originator_id)
    ledger.permits.cancel(first.id, "moved_away", command)

    assert counts(run([person(1)])) == (1, 1, 0, 0)
    imported = ledger.permit(ledger.events(3, 1)[0].originator_id)
    assert first.holder_id == imported.holder_id


def test_a_long_file_is_imported_in_chunks(run, references):
    """1,200 rows: three chunks, in the file's order, with bytes done and bytes in all."""
    reported = []
    rows = [person(number) for number in range(1200)]
    report = run(rows, progress=lambda done, total: reported.append((done, total)))

    assert counts(report) == (1200, 1200, 0, 0)
    assert [row["reference"] for row in rows] == references()
    assert len(reported) == 3
    size = len(text_of(rows).encode())
    assert 0 < reported[0][0] < reported[1][0] < reported[2][0] == size
    assert {size} == {total for _, total in reported}


def test_without_an_errors_file_refused_rows_are_counted(run):
    """By code."""
    report = run([person(1, ground=""), person(2, name=""), person(3)], errors=None)

    assert report.codes == {"NOT_ELIGIBLE": 1, "INVALID_REQUEST": 1}
    assert counts(report) == (3, 1, 0, 2)


def test_time_runs_on_from_the_contexts_instant(run, ledger, context):
    """Events carry the clock that was given, later rows no earlier instants."""
    run([person(number) for number in range(20)])
    events = ledger.log.opened(ledger.events(1, 50))
    instants = [event.timestamp for event in events]

    assert sorted(instants) == instants
    assert context.at <= instants[0] < instants[-1] < context.at + timedelta(minutes=2)


def test_the_answers_of_imported_rows_hold_nothing_personal(run, database_url, blind_index):
    """A caller, keyed digests of the reference and of the row, and the version."""
    run([person(1)])
    key = blind_index.retry_key("import", "OLD-1")
    with psycopg.connect(database_url) as connection:
        [row] = connection.execute(
            "SELECT caller, key, length(fingerprint), accepted, body, version, position"
            " FROM ledger.answers"
        ).fetchall()

    assert row == ("import", key, 32, True, b"", 1, 1)
