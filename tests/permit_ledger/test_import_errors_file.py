"""What an import could not take: kept as it was, refused until it is corrected."""

import csv
from io import StringIO
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permit_ledger.csv_import import errors_file
from permit_ledger.csv_import.command import COLUMNS, UnusableFile
from permit_ledger.csv_import.errors_file import ErrorsNotWritten
from permit_ledger.csv_import.rows import guarded, unguarded
from tests.permit_ledger.permit_rows import counts, person, read, text_of, workbook


@given(st.text(st.characters(exclude_categories=["Cs"])).map(str.strip))
def test_a_guarded_cell_is_read_as_it_was(cell):
    """Whatever it begins with; and a spreadsheet runs none of it."""
    assert cell == unguarded(guarded(cell))
    shown = guarded(cell).lstrip(' "')
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))


def test_the_errors_file_holds_no_formula_and_is_imported_as_it_is(run, errors, references):
    """Corrected, or with the cause gone."""
    formula = '=HYPERLINK("http://127.0.0.1")'
    run([person(1, ground="", reference=formula), person(2, ground="", address="-1号楼")])

    with errors.open(encoding="utf-8-sig", newline="") as text:
        cells = [cell for row in csv.reader(text) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "-"))]

    mended = errors.read_text(encoding="utf-8-sig").replace(
        ",,2024-03-01", ",employment,2024-03-01"
    )
    assert (2, 2, 0, 0) == counts(run(mended, errors=None))
    assert [formula, "OLD-2"] == references()


def test_an_earlier_errors_file_is_kept(run, errors):
    """It may have been corrected since; both are their owner's alone."""
    run([person(1, ground="")])
    errors.chmod(0o644)
    corrected = errors.read_bytes().replace(b",,2024-03-01", b",employment,2024-03-01")
    errors.write_bytes(corrected)

    report = run([person(1, ground=""), person(2, ground="")])

    kept = errors.with_name("errors.csv.1")
    assert (kept, corrected) == (report.kept, kept.read_bytes())
    assert str(kept) in report.summary(errors)
    assert [0o600] * 2 == [file.stat().st_mode & 0o777 for file in (errors, kept)]
    assert 2 == len(read(errors))


UNREADABLE = {
    "too-few": lambda lines: [lines[0], lines[1].rpartition(",")[0].rpartition(",")[0]],
    "one-too-few": lambda lines: [lines[0], lines[1].rpartition(",")[0]],
    "too-many": lambda lines: [lines[0], f"{lines[1]},extra"],
    "open-quotation": lambda lines: [lines[0], f'"{lines[1]}'],
    "nul": lambda lines: [lines[0], lines[1].replace("号", "\0")],
}


@pytest.mark.parametrize("spoil", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS[::-1]], ids=["in-order", "backwards"])
def test_an_uncorrected_row_is_refused_again(run, errors, ledger, spoil, columns):
    """And all of it is in the errors file: no cell is made up, and none is lost."""
    child = person(1, guardian_name="欧阳家长", guardian_citizen_id_number="990000199001010017")
    spoilt = spoil(text_of([child], columns=columns).splitlines())
    run("\n".join(spoilt) + "\n")
    first = errors.read_text(encoding="utf-8-sig")
    for cell in spoilt[1].strip('"').split(","):
        assert cell.replace("\0", "\ufffd") in first

    assert (1, 0, 0, 1) == counts(run(first))
    assert 0 == ledger.head()


def test_an_uncorrected_row_of_a_workbook_is_refused_again(run, errors, ledger):
    """Though it has a cell for each column; corrected, it is imported."""
    good = person(1)["citizen_id_number"]
    run(workbook([{**person(1), "citizen_id_number": int(good)}]))
    first = errors.read_text(encoding="utf-8-sig")

    assert (1, 0, 0, 1) == counts(run(first))
    assert 0 == ledger.head()
    header, row = csv.reader(first.splitlines())
    mended = StringIO()
    corrected = [good if cell == f"{int(good):.5E}" else cell for cell in [*row[:-1], ""]]
    csv.writer(mended).writerows([header, corrected])
    assert (1, 1, 0, 0) == counts(run(mended.getvalue()))


def test_an_errors_file_that_cannot_grow_stops_the_import(run, errors):
    """With what to do, and not with an error's number."""
    before = getrlimit(RLIMIT_FSIZE)

    def limited(_done, _total):
        setrlimit(RLIMIT_FSIZE, (40_000, before[1]))

    try:
        with pytest.raises(ErrorsNotWritten, match="refused rows are missing from it"):
            run([person(number, ground="") for number in range(1200)], progress=limited)
    finally:
        setrlimit(RLIMIT_FSIZE, before)


@pytest.mark.parametrize("kind", ["link", "hanging-link", "other", "folder"])
def test_an_errors_file_replaces_no_other_file(run, ledger, errors, tmp_path, kind):
    """No link is followed and no other file is overwritten; nothing is imported."""
    target = tmp_path / "precious.txt"
    if kind != "hanging-link":
        target.write_text("precious")
    match kind:
        case "other":
            errors.write_text("precious")
        case "folder":
            errors.mkdir()
        case _:
            errors.symlink_to(target)

    with pytest.raises(UnusableFile, match="no errors file of an earlier import"):
        run([person(1)])

    assert 0 == ledger.head()
    assert (kind != "hanging-link") is target.exists()
    assert not target.exists() or "precious" == target.read_text()


def test_a_link_put_in_its_place_meanwhile_is_not_followed(run, errors, tmp_path, monkeypatch):
    """Between the look at an earlier errors file and its renaming: the target stays as it was."""
    run([person(1, ground="")])
    target = tmp_path / "precious.txt"
    target.write_text("precious")
    target.chmod(0o644)

    def is_ours(head):
        errors.unlink()
        errors.symlink_to(target)
        return True

    monkeypatch.setattr(errors_file, "_is_ours", is_ours)
    with pytest.raises(UnusableFile, match="no errors file of an earlier import"):
        run([person(2, ground="")])

    assert ("precious", 0o100644) == (target.read_text(), target.stat().st_mode)
    assert not list(tmp_path.glob("errors.csv.*"))
