"""Importing permits from a CSV file: every good row once, every bad row reported."""

import csv
import itertools
import logging
import stat
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO

import psycopg
import pytest

from domain import citizen_id
from domain.calendar import Term
from domain.errors import InvalidDetails
from domain.events import PermitIssued
from domain.permit import Application
from domain.person import Guardian, Identity, Residence
from ledger.commands import Command
from permit_ledger.importing import COLUMNS, UnusableFile, import_csv, template
from permit_ledger.policy import load_policy

REFUSAL_HEADER = ["line", "reference", "code", "reason", *COLUMNS[1:]]


def person(number, **changed):
    """The row of the ``number``-th person, a woman born in 1980 or later."""
    birth_date = date(1980, 1, 1) + timedelta(days=number // 400)
    row = {
        "reference": f"OLD-{number}",
        "name": "欧阳示例",
        "sex": "2",
        "ethnicity": "01",
        "birth_date": birth_date.isoformat(),
        "citizen_id_number": citizen_id.compose("990000", birth_date, number % 400 * 2),
        "hukou_address": "安徽省阜阳市颍州区柳树村7号",
        "division": "320211",
        "address": "蠡湖大道100号3幢502室",
        "residence_registered_on": "2023-06-15",
        "ground": "employment",
        "anchor": "2024-03-01",
        "valid_until": "2027-02-28",
        "card_serial": "2",
        "guardian_name": "",
        "guardian_citizen_id_number": "",
    }
    return {**row, **changed}


def text_of(rows, columns=COLUMNS, line_end="\n"):
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


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


def read(file):
    with file.open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


# -- good rows ---------------------------------------------------------------------------------


def test_the_template_imports(run, ledger):
    """With its years, its card and its reference."""
    report = run(template())

    assert counts(report) == (1, 1, 0, 0)
    [notification] = ledger.log.select_notifications(1, 10)
    event = ledger.mapper.to_domain_event(notification)
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

    assert holder.permit_number == ledger.log.select_notifications(1, 1)[0].originator_id
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
    [notification] = ledger.log.select_notifications(1, 10)

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
    [notification] = ledger.log.select_notifications(1, 10)

    guardian = ledger.mapper.to_domain_event(notification).guardian
    assert Guardian("欧阳家长", "990000199001010017") == guardian


def test_someone_whose_permit_has_ended_keeps_the_holder_id(run, ledger, context, policy):
    """A person on record is the same holder when imported."""
    command = Command(context)
    ledger.issue(application(person(1)), command)
    first = ledger.permit(ledger.log.select_notifications(1, 1)[0].originator_id)
    ledger.cancel(first.id, "moved_away", command)

    assert counts(run([person(1)])) == (1, 1, 0, 0)
    imported = ledger.permit(ledger.log.select_notifications(3, 1)[0].originator_id)
    assert first.holder_id == imported.holder_id


def test_a_long_file_is_imported_in_chunks(run, references):
    """1,200 rows: three chunks, in the file's order, with bytes done and bytes in all."""
    heard = []
    rows = [person(number) for number in range(1200)]
    report = run(rows, progress=lambda done, total: heard.append((done, total)))

    assert counts(report) == (1200, 1200, 0, 0)
    assert [row["reference"] for row in rows] == references()
    assert len(heard) == 3
    size = len(text_of(rows).encode())
    assert 0 < heard[0][0] < heard[1][0] < heard[2][0] == size
    assert {size} == {total for _, total in heard}


# -- bad rows ----------------------------------------------------------------------------------

BAD_ROWS = [
    ("no-reference", {"reference": " "}, "INVALID_REQUEST", "reference"),
    ("long-reference", {"reference": "R" * 101}, "INVALID_REQUEST", "reference"),
    (
        "telling-reference",
        {"reference": f"WX-{person(1)['citizen_id_number']}"},
        "INVALID_REQUEST",
        "citizen number",
    ),
    ("latin-name", {"name": "Ouyang"}, "INVALID_REQUEST", "name: a name is written in Han"),
    ("sex", {"sex": "F"}, "INVALID_REQUEST", "sex: a sex code"),
    ("other-sex", {"sex": "1"}, "INVALID_CITIZEN_ID", "citizen_id_number: the sex"),
    ("ethnicity", {"ethnicity": "57"}, "INVALID_REQUEST", "ethnicity"),
    ("no-date", {"birth_date": "1980-02-30"}, "INVALID_REQUEST", "birth_date: a day"),
    ("other-date", {"birth_date": "1980-01-02"}, "INVALID_CITIZEN_ID", "birth date in the number"),
    ("slashes", {"anchor": "2024/3/1"}, "INVALID_REQUEST", "anchor: a day"),
    ("week-date", {"anchor": "2024-W10-1"}, "INVALID_REQUEST", "anchor: a day"),
    ("year-9999", {"valid_until": "9999-12-31"}, "INVALID_REQUEST", "valid_until: a year"),
    (
        "rounded-number",
        {"citizen_id_number": "9.9E+17"},
        "INVALID_CITIZEN_ID",
        "citizen_id_number: a citizen number has 17 digits",
    ),
    (
        "check-character",
        {"citizen_id_number": "990000198001010010"},
        "INVALID_CITIZEN_ID",
        "check character",
    ),
    ("no-hukou", {"hukou_address": ""}, "INVALID_REQUEST", "hukou_address"),
    ("outside", {"division": "310101"}, "INVALID_REQUEST", "division: this division lies outside"),
    ("dissolved", {"division": "320202"}, "INVALID_REQUEST", "its successor is 320213"),
    ("no-address", {"address": ""}, "INVALID_REQUEST", "address"),
    ("control-character", {"address": "a\x07b"}, "INVALID_REQUEST", "address: an address is one"),
    ("unregistered", {"residence_registered_on": ""}, "NOT_ELIGIBLE", "six_months"),
    ("too-soon", {"residence_registered_on": "2023-09-02"}, "NOT_ELIGIBLE", "six_months"),
    ("no-ground", {"ground": ""}, "NOT_ELIGIBLE", "ground"),
    ("ahead", {"anchor": "2027-01-01", "valid_until": "2027-12-31"}, "INVALID_REQUEST", "anchor"),
    ("not-a-year", {"valid_until": "2027-03-01"}, "INVALID_REQUEST", "valid_until: not the last"),
    ("too-far", {"valid_until": "2029-02-28"}, "INVALID_REQUEST", "valid_until: further ahead"),
    ("before", {"valid_until": "2023-02-28"}, "INVALID_REQUEST", "valid_until: not the last"),
    ("serial-0", {"card_serial": "0"}, "INVALID_REQUEST", "card_serial"),
    ("serial-text", {"card_serial": "1.0"}, "INVALID_REQUEST", "card_serial"),
    ("half-a-guardian", {"guardian_name": "欧阳家长"}, "INVALID_REQUEST", "guardian_name"),
    (
        "own-guardian",
        {
            "guardian_name": "欧阳家长",
            "guardian_citizen_id_number": person(1)["citizen_id_number"],
        },
        "INVALID_REQUEST",
        "guardian_citizen_id_number: a guardian is another person",
    ),
    (
        "child-alone",
        {
            "birth_date": "2015-05-01",
            "citizen_id_number": citizen_id.compose("990000", date(2015, 5, 1), 2),
        },
        "GUARDIAN_REQUIRED",
        "guardian",
    ),
]


@pytest.mark.parametrize(
    ("changed", "code", "reason"), [pytest.param(*bad, id=name) for name, *bad in BAD_ROWS]
)
def test_a_bad_row_is_reported_and_the_good_ones_get_in(
    run, references, errors, changed, code, reason
):
    """With its line, its reference, code, reason and all its columns."""
    bad = person(1, **changed)
    report = run([person(2), bad, person(3)])

    assert counts(report) == (3, 2, 0, 1)
    assert references() == ["OLD-2", "OLD-3"]
    [row] = read(errors)
    assert list(row) == REFUSAL_HEADER
    assert ("3", code) == (row["line"], row["code"])
    assert reason in row["reason"]
    assert {**bad, "reference": bad["reference"].strip()} == {c: row[c] for c in COLUMNS}
    assert {code: 1} == report.codes


def test_every_fault_of_a_row_is_named_at_once(run, errors):
    """Nobody has to import five times to hear of five faults."""
    run([person(1, name="", sex="7", division="1", hukou_address="")])
    [row] = read(errors)

    for column in ("name", "sex", "division", "hukou_address"):
        assert f"{column}: " in row["reason"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        pytest.param(lambda line: line + b",more", "17 columns instead of 16", id="too-many"),
        pytest.param(lambda _: b"OLD-1,x", "2 columns instead of 16", id="too-few"),
        pytest.param(lambda line: b'"' + line, "not CSV", id="open-quotation"),
        pytest.param(lambda line: b'"a"b' + line, "not CSV", id="text-after-quotation"),
        pytest.param(lambda line: line.replace(b"OLD", b"O\0D"), "NUL", id="nul"),
        pytest.param(lambda line: line.decode().encode("gb18030"), "not UTF-8", id="gb18030"),
        pytest.param(lambda line: line + b"\xff", "not UTF-8", id="no-character"),
        pytest.param(lambda line: line[:20] + b"\xed\xa0\x80" + line[20:], "UTF-8", id="surrogate"),
        pytest.param(lambda line: line.replace(b"-1,", b"\r,", 1), "not CSV", id="lone-return"),
        pytest.param(lambda line: line + b"x" * 20_000, "longer than 16384 bytes", id="too-long"),
        pytest.param(lambda _: b"x" * 3_000_000, "longer than 16384 bytes", id="far-too-long"),
    ],
)
def test_an_unreadable_row_harms_no_other(run, references, errors, spoil, reason):
    """It is reported under its line; its neighbours are imported."""
    header, good, bad, last = text_of([person(0), person(1), person(2)]).encode().splitlines()
    report = run(b"\n".join([header, good, spoil(bad), last]))

    assert counts(report) == (3, 2, 0, 1)
    assert references() == ["OLD-0", "OLD-2"]
    [row] = read(errors)
    assert (row["line"], row["code"]) == ("3", "UNREADABLE_ROW")
    assert reason in row["reason"]


def test_refused_rows_stand_in_the_order_of_their_lines(run, refused):
    """Whatever they were refused for."""
    run(text_of([person(1, ground=""), person(2)]) + "OLD-3\n" + text_of([person(4)]))

    assert refused() == [
        (2, "NOT_ELIGIBLE"),
        (4, "UNREADABLE_ROW"),
        (5, "INVALID_REQUEST"),
    ]


def test_a_spoilt_last_line_ends_the_file_all_the_same(run, refused):
    """Over-long and without a line end."""
    run(text_of([person(1)]).encode() + b"y" * 50_000)

    assert refused() == [(3, "UNREADABLE_ROW")]


@pytest.mark.parametrize("distance", [1, 700], ids=["same-chunk", "later-chunk"])
def test_the_same_reference_twice_names_the_first_line(run, refused, references, errors, distance):
    """Also when the rows are equal, and when the first was durable long before."""
    between = [person(number) for number in range(10, 10 + distance - 1)]
    report = run([person(1), *between, person(1), person(2, reference="OLD-1")])

    last = distance + 2
    assert [(last, "DUPLICATE_REFERENCE"), (last + 1, "DUPLICATE_REFERENCE")] == refused()
    assert all(row["reason"].endswith("line 2") for row in read(errors))
    assert (distance, 2) == (report.imported, report.refused)
    assert references().count("OLD-1") == 1


@pytest.mark.parametrize("distance", [1, 700], ids=["same-chunk", "later-chunk"])
def test_the_same_person_twice_names_the_first_line(run, refused, references, errors, distance):
    """Under any reference, and in any spelling of the number."""
    ending_in_x = next(n for n in range(999) if person(n)["citizen_id_number"].endswith("X"))
    first = person(ending_in_x)
    again = {**first, "reference": "OTHER", "citizen_id_number": first["citizen_id_number"].lower()}
    between = [person(number) for number in range(1000, 1000 + distance - 1)]
    run([first, *between, again])

    assert [(distance + 2, "DUPLICATE_PERSON")] == refused()
    assert read(errors)[0]["reason"].endswith("line 2")
    assert "OTHER" not in references()


def test_a_refused_row_does_not_stand_in_the_way_of_a_good_one(run, refused, references):
    """Only rows that were taken count as the first."""
    run([person(1, ground="none"), person(1)])

    assert refused() == [(2, "NOT_ELIGIBLE")]
    assert references() == ["OLD-1"]


def test_who_holds_a_permit_already_is_refused(run, ledger, context, refused):
    """[P2] One issued at the counter."""
    ledger.issue(application(person(1)), Command(context))

    assert counts(run([person(1), person(2)])) == (2, 1, 0, 1)
    assert refused() == [(2, "ALREADY_HOLDS_PERMIT")]


def test_a_real_register_takes_no_made_up_people(run, refused, context):
    """Area 99 is refused outside development, row by row."""
    run([person(1)], context=replace(context, policy=load_policy()))

    assert refused() == [(2, "INVALID_CITIZEN_ID")]


# -- again -------------------------------------------------------------------------------------


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


# -- races -------------------------------------------------------------------------------------


def test_of_a_chunk_that_meets_a_conflict_only_the_guilty_row_is_refused(
    run, ledger, context, monkeypatch, refused, references
):
    """Somebody is issued a permit at the counter between the look and the append."""
    append, calls = ledger.log.append, itertools.count()

    def racing(appends):
        if next(calls) == 0:
            monkeypatch.setattr(ledger.log, "append", append)
            ledger.issue(application(person(2)), Command(context))
        return append(appends)

    monkeypatch.setattr(ledger.log, "append", racing)
    report = run([person(1), person(2), person(3)])

    assert counts(report) == (3, 2, 0, 1)
    assert refused() == [(3, "ALREADY_HOLDS_PERMIT")]
    assert references() == [None, "OLD-1", "OLD-3"]


def test_two_imports_of_one_file_at_once_add_each_row_once(run, ledger, monkeypatch, references):
    """The slower one finds the other's rows when it appends, and counts them as there already."""
    append, calls = ledger.log.append, itertools.count()

    def racing(appends):
        if next(calls) == 0:
            monkeypatch.setattr(ledger.log, "append", append)
            run([person(1), person(2)], errors=None)
        return append(appends)

    monkeypatch.setattr(ledger.log, "append", racing)

    assert counts(run([person(1), person(2), person(3)])) == (3, 1, 2, 0)
    assert references() == ["OLD-1", "OLD-2", "OLD-3"]


# -- the file ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"reference;name;sex\n", "missing columns: 'reference'", id="semicolons"),
        pytest.param(
            text_of([], columns=COLUMNS[1:]).encode(), "missing columns: 'reference'", id="missing"
        ),
        pytest.param(
            text_of([], columns=[*COLUMNS, "Nmae"]).encode(), "unknown columns: 'Nmae'", id="more"
        ),
        pytest.param(text_of([], columns=[*COLUMNS, "name"]).encode(), "twice: 'name'", id="twice"),
        pytest.param(template().encode("utf-16"), "header can't be read", id="utf-16"),
        pytest.param(b"x" * 1_000_000, "header can't be read", id="one-long-line"),
    ],
)
def test_a_file_of_another_kind_is_refused_as_a_whole(run, ledger, errors, content, message):
    """One sentence names what is wrong; nothing is imported, nothing is written."""
    with pytest.raises(UnusableFile, match=message):
        run(content)
    assert ledger.log.head() == 0
    assert not errors.exists()


def test_the_errors_file_never_overwrites_the_source(ledger, context, tmp_path):
    """Even under another name."""
    source, other = tmp_path / "permits.csv", tmp_path / "other.csv"
    source.write_text(template(), encoding="utf-8")
    other.symlink_to(source)

    with pytest.raises(UnusableFile, match="overwrite"):
        import_csv(ledger, source, context=context, errors=other)
    assert template() == source.read_text(encoding="utf-8")


def test_what_is_refused_stays_in_a_file_for_its_owner(run, errors, caplog, capfd):
    """Not in a log line, not on the terminal, not in the summary."""
    caplog.set_level(logging.DEBUG)
    secret = person(1, name="Ouyang Secret", address="secret address")
    summary = run([secret, person(2)]).summary(errors)

    assert stat.S_IMODE(errors.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR
    printed = "".join(capfd.readouterr())
    for personal in ("Secret", "secret", secret["citizen_id_number"]):
        assert personal in errors.read_text(encoding="utf-8-sig")
        assert personal not in caplog.text + printed + summary
    assert "2 rows read, 1 imported" in summary
    assert str(errors) in summary


def test_without_an_errors_file_refused_rows_are_counted(run):
    """By code."""
    report = run([person(1, ground=""), person(2, name=""), person(3)], errors=None)

    assert report.codes == {"NOT_ELIGIBLE": 1, "INVALID_REQUEST": 1}
    assert counts(report) == (3, 1, 0, 2)


def test_time_runs_on_from_the_contexts_instant(run, ledger, context):
    """Events carry the clock that was given, later rows no earlier instants."""
    run([person(number) for number in range(20)])
    events = [ledger.mapper.to_domain_event(n) for n in ledger.log.select_notifications(1, 50)]
    instants = [event.timestamp for event in events]

    assert sorted(instants) == instants
    assert context.at <= instants[0] < instants[-1] < context.at + timedelta(minutes=2)


def test_the_answers_of_imported_rows_hold_nothing_personal(run, database_url):
    """A caller, the reference, a keyed digest and the version."""
    run([person(1)])
    with psycopg.connect(database_url) as connection:
        [row] = connection.execute(
            "SELECT caller, key, length(fingerprint), accepted, body, version, position"
            " FROM ledger.answers"
        ).fetchall()

    assert row == ("import", "OLD-1", 32, True, b"", 1, 1)


def counts(report):
    assert report.rows_read == report.imported + report.already_imported + report.refused
    return (report.rows_read, report.imported, report.already_imported, report.refused)


def application(row):
    """The same person at the counter."""
    identity = Identity(
        name=row["name"],
        sex=row["sex"],
        ethnicity=row["ethnicity"],
        birth_date=date.fromisoformat(row["birth_date"]),
        citizen_id_number=row["citizen_id_number"],
        hukou_address=row["hukou_address"],
    )
    home = Residence(row["division"], row["address"])
    return Application(identity, home, date(2023, 6, 15), row["ground"], date(2024, 3, 1))


def test_a_row_says_what_the_counter_would_say(run, errors, context):
    """The same rule gives the same reason, under the file's name of the field."""
    from domain.permit import Permit  # noqa: PLC0415

    row = person(1, division="310101")
    with pytest.raises(InvalidDetails) as at_the_counter:
        Permit.issue("n", "h", application(row), context)
    run([row])

    assert str(at_the_counter.value).removeprefix("residence.") == read(errors)[0]["reason"]
