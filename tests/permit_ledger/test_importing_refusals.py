"""Refused rows of an import: each with its line and reason, without an effect on other rows."""

import logging
import stat
from dataclasses import replace
from datetime import date

import pytest

from domain import citizen_id
from domain.data_protection import Order
from domain.errors import InvalidDetails
from domain.events import CancellationReason
from ledger.commands.runner import Command
from permit_ledger.bootstrap.policy import load_policy
from permit_ledger.csv_import.command import COLUMNS, UnusableFile, import_csv, template
from tests.permit_ledger.permit_rows import (
    REFUSAL_HEADER,
    application,
    counts,
    person,
    read,
    text_of,
)

BAD_ROWS = [
    ("no-reference", {"reference": " "}, "INVALID_REQUEST", "reference"),
    ("long-reference", {"reference": "R" * 101}, "INVALID_REQUEST", "reference"),
    (
        "telling-reference",
        {"reference": f"WX-{person(1)['citizen_id_number']}"},
        "INVALID_REQUEST",
        "citizen ID number",
    ),
    ("latin-name", {"name": "Ouyang"}, "INVALID_REQUEST", "name: a name is written in Han"),
    ("sex", {"sex": "F"}, "INVALID_REQUEST", "sex: a sex code"),
    ("other-sex", {"sex": "1"}, "INVALID_CITIZEN_ID", "citizen_id_number: sex does not match"),
    ("ethnicity", {"ethnicity": "57"}, "INVALID_REQUEST", "ethnicity"),
    ("no-date", {"birth_date": "1980-02-30"}, "INVALID_REQUEST", "birth_date: a day"),
    ("other-date", {"birth_date": "1980-01-02"}, "INVALID_CITIZEN_ID", "birth date does not match"),
    ("slashes", {"anchor": "2024/3/1"}, "INVALID_REQUEST", "anchor: a day"),
    ("week-date", {"anchor": "2024-W10-1"}, "INVALID_REQUEST", "anchor: a day"),
    ("year-9999", {"valid_until": "9999-12-31"}, "INVALID_REQUEST", "valid_until: a year"),
    (
        "rounded-number",
        {"citizen_id_number": "9.9E+17"},
        "INVALID_CITIZEN_ID",
        "citizen_id_number: a citizen ID number has 17 digits",
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
    (
        "control-character",
        {"address": "a\x07b"},
        "INVALID_REQUEST",
        "address: must not contain U+0007",
    ),
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
        "guardian_citizen_id_number: must not be the holder's own number",
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
    """One import reports all five faults."""
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


def test_a_holder_of_a_permit_is_refused(run, ledger, context, refused):
    """[P2] One issued at the counter."""
    ledger.permits.issue(application(person(1)), Command(context))

    assert counts(run([person(1), person(2)])) == (2, 1, 0, 1)
    assert refused() == [(2, "ALREADY_HOLDS_PERMIT")]


def test_a_real_register_takes_no_made_up_people(run, refused, context):
    """Area 99 is refused outside development, row by row."""
    run([person(1)], context=replace(context, policy=load_policy()))

    assert refused() == [(2, "INVALID_CITIZEN_ID")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"reference;name;sex\n", "missing columns: 'ethnicity'", id="semicolons"),
        pytest.param(
            text_of([], columns=COLUMNS[1:]).encode(), "missing columns: 'reference'", id="missing"
        ),
        pytest.param(
            text_of([], columns=[*COLUMNS, "Nmae"]).encode(), "unknown columns: 'Nmae'", id="more"
        ),
        pytest.param(text_of([], columns=[*COLUMNS, "name"]).encode(), "twice: 'name'", id="twice"),
        pytest.param(template().encode("utf-16"), "--encoding utf-16", id="utf-16"),
        pytest.param(b"x" * 1_000_000, "header can't be read", id="one-long-line"),
    ],
)
def test_a_file_of_another_kind_is_refused_as_a_whole(run, ledger, errors, content, message):
    """One sentence names what is wrong; nothing is imported, nothing is written."""
    with pytest.raises(UnusableFile, match=message):
        run(content)
    assert ledger.head() == 0
    assert not errors.exists()


def test_the_errors_file_never_overwrites_the_source(ledger, context, tmp_path):
    """Even under another name."""
    source, other = tmp_path / "permits.csv", tmp_path / "other.csv"
    source.write_text(template(), encoding="utf-8")
    other.symlink_to(source)

    with pytest.raises(UnusableFile, match="overwrite"):
        import_csv(ledger, source, context=context, errors=other)
    assert template() == source.read_text(encoding="utf-8")


def test_refused_rows_are_in_a_file_for_its_owner(run, errors, caplog, capfd):
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


def test_a_row_says_what_the_counter_would_say(run, errors, context):
    """The same rule gives the same reason, under the file's name of the field."""
    from domain.permit import Permit  # noqa: PLC0415

    row = person(1, division="310101")
    with pytest.raises(InvalidDetails) as at_the_counter:
        Permit.issue("n", "h", application(row), context)
    run([row])

    assert str(at_the_counter.value).removeprefix("residence.") == read(errors)[0]["reason"]


def test_a_restricted_person_gets_no_permit_by_import(run, ledger, context, refused):
    """Also where the permit that they had has ended."""
    command, order = Command(context), Order("个人信息保护法第四十七条", "2026-DP-17")
    answer = ledger.permits.issue(application(person(1)), command)
    [issued] = ledger.log.opened(ledger.events(answer.position, 1))
    ledger.permits.cancel(issued.originator_id, CancellationReason.MOVED_AWAY, command)
    ledger.holders.restrict(issued.holder_id, order, command)

    report = run([person(1), person(2)])

    assert ((2, 1, 0, 1), [(2, "HOLDER_RESTRICTED")]) == (counts(report), refused())

    ledger.holders.lift_restriction(issued.holder_id, order, command)
    assert (2, 1, 1, 0) == counts(run([person(1), person(2)]))
