"""Files as other systems write them: imported, or refused in one sentence that says what to do."""

import csv
import os
from datetime import date, datetime
from io import BytesIO, StringIO
from zipfile import ZipFile

import pytest

from permit_ledger.csv_import import workbook as workbook_source
from permit_ledger.csv_import.command import COLUMNS, FileChanged, UnusableFile
from tests.permit_ledger.permit_rows import counts, person, read, text_of, workbook

ROWS = [person(1), person(2)]
REFERENCES = ["OLD-1", "OLD-2"]
TEXT = text_of(ROWS)
IN_PINYIN_ORDER = "欧阳示例"


def separated(separator, rows=ROWS, line_end="\r\n"):
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter=separator, lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def with_dates(row):
    days = ("birth_date", "residence_registered_on", "anchor", "valid_until")
    typed = {
        day: datetime.combine(date.fromisoformat(row[day]), datetime.min.time()) for day in days
    }
    return {**row, **typed, "sex": int(row["sex"]), "ethnicity": 1, "card_serial": 2}


def marked(row):
    number = row["citizen_id_number"]
    return {**row, "citizen_id_number": f'="{number}"', "card_serial": "'2"}


def second_sheet(book):
    book.create_sheet("说明").append(["how to fill in the form"])


def second_list(book):
    sheet = book.create_sheet("2025")
    sheet.append(list(COLUMNS))


@pytest.mark.parametrize(
    ("content", "options"),
    [
        pytest.param(TEXT.encode("gb18030"), {"encoding": "gb18030"}, id="gb18030"),
        pytest.param(separated(",").encode("gbk"), {"encoding": "GBK"}, id="gbk-crlf"),
        pytest.param(TEXT.encode("gb2312"), {"encoding": "gb2312"}, id="gb2312"),
        pytest.param(separated("\t").encode("utf-16"), {"encoding": "utf-16"}, id="unicode-text"),
        pytest.param(TEXT.encode("utf-16-be"), {"encoding": "utf-16-be"}, id="utf-16-be"),
        pytest.param(TEXT.encode("utf-8-sig"), {"encoding": "utf-8"}, id="bom-and-encoding"),
        pytest.param(separated(";").encode(), {}, id="semicolons"),
        pytest.param(separated("\t").encode("utf-8-sig"), {}, id="tabs"),
        pytest.param(separated("|").encode(), {}, id="bars"),
        pytest.param(b"sep=;\r\n" + separated(";").encode(), {}, id="sep-line"),
        pytest.param(separated(",", line_end="\r").encode(), {}, id="old-mac"),
        pytest.param(TEXT.replace("\n", ",,\n").encode(), {}, id="empty-columns-at-the-end"),
        pytest.param(text_of([marked(row) for row in ROWS]).encode(), {}, id="excel-text-marks"),
        pytest.param(workbook(ROWS), {}, id="xlsx"),
        pytest.param(workbook([with_dates(row) for row in ROWS]), {}, id="xlsx-typed-cells"),
        pytest.param(workbook(ROWS, change=second_sheet), {}, id="xlsx-and-a-sheet-of-notes"),
        pytest.param(workbook(ROWS, change=second_list), {"sheet": "居住证"}, id="xlsx-named"),
        pytest.param(workbook(ROWS, columns=COLUMNS[::-1]), {}, id="xlsx-other-order"),
    ],
)
def test_files_of_other_systems_are_imported(run, ledger, references, content, options):
    """Every row, and every name as it was meant."""
    assert (2, 2, 0, 0) == counts(run(content, **options))
    assert REFERENCES == references()
    names = {event.identity.name for event in ledger.log.opened(ledger.events(1, 9))}
    assert {IN_PINYIN_ORDER} == names


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        pytest.param(TEXT.encode("gbk"), {}, "looks like GBK.*--encoding gb18030", id="gbk"),
        pytest.param(
            TEXT.encode("utf-16"), {}, "looks like UTF-16.*--encoding utf-16", id="utf-16"
        ),
        pytest.param(TEXT.encode("utf-16-le"), {}, "--encoding utf-16-le", id="utf-16-without-bom"),
        pytest.param(
            TEXT.encode("utf-16-be"), {"encoding": "utf-8"}, "--encoding utf-16-be", id="wrong-name"
        ),
        pytest.param(TEXT.encode(), {"encoding": "gb18030"}, "is UTF-8: leave out", id="utf-8"),
        pytest.param(
            text_of([person(1, name="王小明明")]).encode(),
            {"encoding": "gb18030"},
            "is UTF-8: leave out",
            id="utf-8-that-gb18030-can-read",
        ),
        pytest.param(
            b"\x80\xff" + TEXT.encode("gbk"),
            {"encoding": "gb18030"},
            "not gb18030.*line",
            id="other",
        ),
        pytest.param(
            text_of(
                [person(n, name="陳大文", hukou_address="安徽省阜陽市柳樹村7號") for n in range(3)]
            )
            .replace("号", "號")
            .replace("幢", "棟")
            .encode("big5"),
            {},
            "looks like Big5.*--encoding big5",
            id="big5",
        ),
        pytest.param(
            text_of([person(1, hukou_address="安徽省一村")]).encode("utf-16-le"),
            {},
            "--encoding utf-16-le",
            id="utf-16-with-a-zero-in-a-character",
        ),
        pytest.param(text_of([]).encode(), {}, "a header and no row", id="header-only"),
        pytest.param(
            TEXT.replace("ethnicity", "ethnicty").encode(),
            {},
            "'ethnicty' may be 'ethnicity'",
            id="misspelt-column",
        ),
        pytest.param(TEXT.encode(), {"encoding": "latin9x"}, "known are utf-8, gb18030", id="name"),
        pytest.param(
            TEXT.encode().replace("欧".encode(), b"\xff\xff"),
            {},
            "Line 2 is not UTF-8",
            id="neither",
        ),
        pytest.param(b"\xd0\xcf\x11\xe0" + b"\0" * 512, {}, "old .xls file", id="xls-or-password"),
        pytest.param(b"%PDF-1.7\n", {}, "a PDF", id="pdf"),
        pytest.param(b"<html><table>", {}, "HTML", id="html-named-xls"),
        pytest.param(b"PK\x03\x04" + b"\0" * 100, {}, "damaged", id="damaged-zip"),
        pytest.param(workbook(ROWS)[:3000], {}, "damaged", id="cut-off-xlsx"),
        pytest.param(workbook(ROWS, change=second_list), {}, "'居住证', '2025'", id="two-sheets"),
        pytest.param(workbook(ROWS), {"sheet": "x"}, "there are '居住证'", id="no-such-sheet"),
        pytest.param(workbook(ROWS), {"encoding": "utf-8"}, "no encoding to name", id="encoding"),
        pytest.param(TEXT.encode(), {"sheet": "x"}, "no Excel workbook", id="csv-sheet"),
        pytest.param(workbook([], columns=["a", "b"]), {}, "missing columns", id="other-columns"),
    ],
)
def test_other_files_are_refused_in_one_sentence(run, ledger, errors, content, options, sentence):
    """Nothing is imported, no errors file is made."""
    with pytest.raises(UnusableFile, match=sentence) as refused:
        run(content, **options)

    assert "\n" not in str(refused.value)
    assert (0, False) == (ledger.head(), errors.exists())


def test_another_kind_of_zip_is_no_workbook(run):
    """An OpenDocument file, say."""
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    with pytest.raises(UnusableFile, match="another kind of document"):
        run(content.getvalue())


@pytest.mark.parametrize(
    ("code", "character"), [(b"\xfe\x59", "\u9fb4"), (b"\xfe\x51", "\U00020087")]
)
def test_a_name_of_the_newest_standard_keeps_its_character(run, ledger, code, character):
    """GB 18030-2022 has a code point for it, where Python's codec has a private one."""
    content = TEXT.encode("gb18030").replace("欧阳".encode("gb18030"), code + code)

    run(content, encoding="gb18030")

    [first, _] = ledger.log.opened(ledger.events(1, 9))
    assert f"{character}{character}示例" == first.identity.name


def test_a_number_that_excel_has_rounded_is_refused_by_itself(run, errors, references):
    """It can't be made good again; the other rows get in."""
    rounded = {**person(1), "citizen_id_number": int(person(1)["citizen_id_number"])}

    assert (2, 1, 0, 1) == counts(run(workbook([rounded, person(2)])))

    [row] = read(errors)
    assert ("2", "UNREADABLE_ROW") == (row["line"], row["code"])
    assert "format the column as text" in row["reason"]
    assert ["OLD-2"] == references()


def test_a_cell_with_a_line_break_is_refused_by_itself(run, errors):
    """One row is one line."""
    broken = {**person(1), "address": "蠡湖大道\n1号"}

    assert (2, 1, 0, 1) == counts(run(workbook([broken, person(2)])))
    assert "line break" in read(errors)[0]["reason"]


def test_a_damaged_line_in_a_good_file_is_refused_by_itself(run, references, errors):
    """What else there is says that the file is UTF-8."""
    rows = [person(number) for number in range(1, 5)]
    lines = text_of(rows).encode().split(b"\n")
    lines[2] = lines[2].replace("欧".encode(), b"\xff")

    assert (4, 3, 0, 1) == counts(run(b"\n".join(lines)))
    assert ["OLD-1", "OLD-3", "OLD-4"] == references()
    assert [("3", "UNREADABLE_ROW")] == [(row["line"], row["code"]) for row in read(errors)]


def test_a_file_that_is_not_regular_is_refused(ledger, context, tmp_path):
    """It is read twice."""
    from permit_ledger.csv_import.command import import_csv  # noqa: PLC0415

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # which no one writes to: opening it would wait for ever
    with pytest.raises(UnusableFile, match="not a regular file"):
        import_csv(ledger, pipe, context=context)


def test_a_row_beyond_the_last_one_is_refused(run, monkeypatch):
    """A file may say so of one row alone, at no cost. The last one is at the hundredth row here:
    a million empty ones take their time."""
    monkeypatch.setattr(workbook_source, "ROWS_MAX", 100)
    content, changed = BytesIO(workbook(ROWS)), BytesIO()
    with ZipFile(content) as book, ZipFile(changed, "w") as other:
        for name in book.namelist():
            part = book.read(name)
            if name.endswith("sheet1.xml"):
                part = part.replace(b'<row r="3"', b'<row r="300"')
            other.writestr(name, part)
    with pytest.raises(UnusableFile, match="rows beyond 100,"):
        run(changed.getvalue())


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param(
            {"guardian_name": '="欧阳"&"家长"', "guardian_citizen_id_number": "990000199001010017"},
            "guardian_name: a formula whose result",
            id="formula-without-a-result",
        ),
        pytest.param({"address": True}, "address: TRUE or FALSE", id="boolean"),
        pytest.param({"address": "#REF!"}, "address: #REF! is what a spreadsheet", id="error"),
        pytest.param({"reference": date(2024, 3, 1)}, "reference: a date", id="date-for-a-number"),
        pytest.param({"name": "####"}, "name: #### is what a spreadsheet", id="narrow-column"),
    ],
)
def test_a_cell_that_is_no_value_refuses_its_row(run, errors, references, changed, reason):
    """Nothing is left out of a row in silence, and what is shown instead is not imported."""
    content = workbook([{**person(1), **changed}, person(2)])

    assert (2, 1, 0, 1) == counts(run(content))

    assert reason in read(errors)[0]["reason"]
    assert ["OLD-2"] == references()


def test_a_row_is_the_same_in_both_kinds_of_file(run):
    """Excel makes a number of an ethnicity, and the import knows the row again."""
    run(text_of([person(1, ethnicity="01")]))

    assert (1, 0, 1, 0) == counts(run(workbook([{**person(1), "ethnicity": 1}])))


def test_a_file_that_changes_meanwhile_is_imported_no_further(run, references, tmp_path):
    """What was imported is as it was; the rest can be imported again."""
    source = tmp_path / "permits.csv"
    rows = [person(number) for number in range(1200)]

    def changed(_done, _total):
        source.write_text(source.read_text().replace("蠡湖大道", "换了大道"))

    with pytest.raises(FileChanged, match="500 rows of it are in"):
        run(rows, progress=changed)

    assert [row["reference"] for row in rows[:500]] == references()
    assert (1200, 700, 500, 0) == counts(run(rows))
