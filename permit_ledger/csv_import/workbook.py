"""Excel workbooks (.xlsx): convert a sheet to lines of CSV, row by row, in bounded memory."""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from io import TextIOWrapper
from itertools import islice
from typing import IO, Any, BinaryIO

from openpyxl import load_workbook

from .columns import COLUMNS, UnusableFile

SHEET_BYTES_MAX = 1024**3
STRINGS_BYTES_MAX = 256 * 1024**2
PART_BYTES_MAX = 64 * 1024**2
"""Uncompressed sizes of a sheet, of the shared strings, and of any other part."""
ROWS_MAX = 1_048_576
"""Excel's own."""
COLUMNS_MAX = 100
"""Cells further to the right are not read: no import has so many columns."""
NUMBER_MAX = 10**15
"""Excel keeps fifteen digits of a number; further digits are lost."""
LOOK_ROWS = 1_000
"""Between two reports of progress."""
_HEADER_WITHIN_ROWS = 20
_COLUMNS_MIN = 2
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_BLOCK_BYTES = 1024**2
_DATES = frozenset({"birth_date", "residence_registered_on", "anchor", "valid_until"})
_SAVE_AS = "save it as .xlsx or as CSV in UTF-8"


class _LostValue:
    """A formula whose result is not stored in the file."""


def is_zip(head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04")


def write_as_lines(
    file: BinaryIO, lines: IO[bytes], sheet: str | None, looking: Callable[[], None]
) -> dict[int, str]:
    """Write a sheet to ``lines``, each row on the line of its number; return the problems by row.
    ``looking`` is called at intervals.

    Raises:
        UnusableFile: not a workbook, no such sheet, or several and none is named.
    """
    has_formulas = _require_workbook(file)
    try:
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        chosen = _chosen(book, sheet)
        rows = _rows(chosen)
        if has_formulas:
            written = load_workbook(file, read_only=True, data_only=False, keep_links=False)
            rows = _with_lost_values(rows, _rows(written[chosen.title]))
        return _write(rows, lines, looking)
    except UnusableFile:
        raise
    except Exception:  # noqa: BLE001  readers raise all kinds of things at a damaged workbook
        raise UnusableFile(f"The workbook is damaged: {_SAVE_AS} again.") from None


def _write(
    rows: Iterable[Sequence[Any]], lines: IO[bytes], looking: Callable[[], None]
) -> dict[int, str]:
    problems: dict[int, str] = {}
    header: list[str] = []
    text = TextIOWrapper(lines, "utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    for number, values in enumerate(rows, 1):
        if number > ROWS_MAX:
            raise UnusableFile(
                f"The sheet has rows beyond {ROWS_MAX:,}, which Excel does not have: {_SAVE_AS}."
            )
        cells, problem = _cells(values, header)
        if problem:
            problems[number] = problem
        header = header or cells
        # A row ends with its last cell that was ever filled in.
        writer.writerow(cells + [""] * (len(header) - len(cells)) if cells else cells)
        if number % LOOK_ROWS == 0:
            looking()
    text.flush()
    text.detach()
    return problems


def _require_workbook(file: BinaryIO) -> bool:
    """Whether there is a formula in it."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            if "xl/workbook.xml" not in archive.namelist():
                raise UnusableFile(
                    f"This is a compressed file or another kind of document: {_SAVE_AS}."
                )
            if any(part.file_size > _bytes_max(part.filename) for part in parts):
                raise UnusableFile(
                    "The workbook is too large to be read safely: save it as CSV in UTF-8."
                )
            sheets = [part for part in parts if part.filename.startswith("xl/worksheets/")]
            found = any(_holds_formula(archive, part) for part in sheets)
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        ValueError,
        EOFError,
    ):
        raise UnusableFile(f"The file is a damaged workbook or archive: {_SAVE_AS}.") from None
    file.seek(0)
    return found


def _bytes_max(part: str) -> int:
    if part.startswith("xl/worksheets/"):
        return SHEET_BYTES_MAX
    return STRINGS_BYTES_MAX if part == "xl/sharedStrings.xml" else PART_BYTES_MAX


def _holds_formula(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    before = b""
    with archive.open(part) as content:
        while block := content.read(_BLOCK_BYTES):
            if _FORMULA.search(before + block):
                return True
            before = block[-64:]
    return False


def _with_lost_values(
    rows: Iterable[Sequence[Any]], written: Iterable[Sequence[Any]]
) -> Iterator[Sequence[Any]]:
    """Tell a formula without a result from an empty cell."""
    for values, formulas in zip(rows, written, strict=True):
        yield [
            _LostValue() if value is None and formula is not None else value
            for value, formula in zip(values, formulas, strict=True)
        ]


def _chosen(book: Any, name: str | None) -> Any:
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if name is not None:
        if name not in sheets:
            raise UnusableFile(f"There is no sheet {name!r}; there are {_listed(sheets)}.")
        return sheets[name]
    fitting = [title for title, sheet in sheets.items() if _has_header(sheet)]
    if len(fitting) > 1:
        raise UnusableFile(
            f"Several sheets hold permits: {_listed(fitting)}. Name one of them with --sheet."
        )
    if not sheets:
        raise UnusableFile("The workbook has no sheet with rows.")
    return sheets[fitting[0]] if fitting else next(iter(sheets.values()))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _has_header(sheet: Any) -> bool:
    for values in islice(_rows(sheet), _HEADER_WITHIN_ROWS):
        if any(value is not None for value in values):
            return sum(str(value).strip() in COLUMNS for value in values) >= _COLUMNS_MIN
    return False


def _rows(sheet: Any) -> Iterable[Sequence[Any]]:
    sheet.reset_dimensions()  # the size that a file states need not be true
    rows: Iterable[Sequence[Any]] = sheet.iter_rows(values_only=True, max_col=COLUMNS_MAX)
    return rows


def _cells(values: Sequence[Any], header: Sequence[str]) -> tuple[list[str], str | None]:
    """The row's cells, without empty ones at its end, and the problem with it, if any."""
    cells: list[str] = []
    problem = None
    for place, value in enumerate(values):
        column = header[place].strip() if place < len(header) else ""
        text, reason = _text_of(value, takes_date=column in _DATES)
        if reason and problem is None:
            problem = f"{column}: {reason}" if column in COLUMNS else reason
        cells.append(text)
    while cells and not cells[-1]:
        cells.pop()
    return cells, problem


def _text_of(value: Any, *, takes_date: bool) -> tuple[str, str | None]:
    match value:
        case None:
            return "", None
        case _LostValue():
            reason = (
                "a formula whose result is not in the file: copy the column, paste it as values"
            )
            return "=?", reason
        case bool():
            return str(value).upper(), "TRUE or FALSE is no value of an import"
        case date() | time() | timedelta():
            if takes_date and (day := _day(value)):
                return day.isoformat(), None
            return str(value), "a date or time is stored where none belongs: format it as text"
        case int() | float():
            if abs(value) >= NUMBER_MAX:
                return f"{value:.5E}", (
                    "a number of more than 15 digits is stored as a number, and Excel has lost the"
                    " last ones: format the column as text and type it again"
                )
            return str(int(value) if value == int(value) else value), None
        case _:
            text = str(value)
            if len(text.splitlines()) > 1:
                return "\v".join(text.splitlines()), "a cell has a line break"
            return text, None


def _day(value: date | time | timedelta) -> date | None:
    if isinstance(value, datetime):
        return value.date() if value.time() == time() else None
    return value if isinstance(value, date) else None
