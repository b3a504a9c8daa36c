"""Excel workbooks (.xlsx): a sheet as lines of CSV, row by row, without ever holding a sheet."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from io import TextIOWrapper
from itertools import islice
from typing import IO, Any, BinaryIO

from openpyxl import load_workbook

from .columns import COLUMNS, UnusableFile

UNCOMPRESSED_BYTES_MAX = 4 * 1024**3
COLUMNS_MAX = 100
"""Cells further to the right are not read: no import has so many columns."""
NUMBER_MAX = 10**15
"""Excel keeps fifteen digits of a number: of a longer one the last ones are lost."""
_HEADER_WITHIN_ROWS = 20
_COLUMNS_MIN = 2
_SAVE_AS = "save it as .xlsx or as CSV in UTF-8"


def is_zip(head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04")


def write_as_lines(file: BinaryIO, lines: IO[bytes], sheet: str | None) -> dict[int, str]:
    """Write a sheet to ``lines``, a row a line, under its own number; give what is wrong with rows.

    Raises:
        UnusableFile: it is no workbook, or has no such sheet, or several that could be meant.
    """
    _require_workbook(file)
    problems: dict[int, str] = {}
    width = 0  # the header's: a row ends with its last cell that was ever filled in
    try:
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        chosen = _chosen(book, sheet)
        text = TextIOWrapper(lines, "utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        for number, values in enumerate(_rows(chosen), 1):
            cells, problem = _cells(values)
            if problem:
                problems[number] = problem
            width = width or len(cells)
            writer.writerow(cells + [""] * (width - len(cells)) if cells else cells)
        text.flush()
        text.detach()
    except UnusableFile:
        raise
    except Exception:  # noqa: BLE001  readers raise all kinds of things at a damaged workbook
        raise UnusableFile(f"The workbook is damaged: {_SAVE_AS} again.") from None
    return problems


def _require_workbook(file: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            members = {member.filename: member.file_size for member in archive.infolist()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        raise UnusableFile(f"The file is a damaged workbook or archive: {_SAVE_AS}.") from None
    if "xl/workbook.xml" not in members:
        raise UnusableFile(f"This is a compressed file or another kind of document: {_SAVE_AS}.")
    if sum(members.values()) > UNCOMPRESSED_BYTES_MAX:
        raise UnusableFile("The workbook is too large: split it, or save it as CSV in UTF-8.")
    file.seek(0)


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


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names))


def _has_header(sheet: Any) -> bool:
    for values in islice(_rows(sheet), _HEADER_WITHIN_ROWS):
        if any(value is not None for value in values):
            return sum(str(value).strip() in COLUMNS for value in values) >= _COLUMNS_MIN
    return False


def _rows(sheet: Any) -> Iterator[Sequence[Any]]:
    sheet.reset_dimensions()  # what a file says of its size need not be true
    rows: Iterator[Sequence[Any]] = sheet.iter_rows(values_only=True, max_col=COLUMNS_MAX)
    return rows


def _cells(values: Sequence[Any]) -> tuple[list[str], str | None]:
    """The row's cells, without empty ones at its end; what is wrong with it, if anything."""
    cells, problem = [], None
    for value in values:
        text, reason = _text_of(value)
        problem = problem or reason
        cells.append(text)
    while cells and not cells[-1]:
        cells.pop()
    return cells, problem


def _text_of(value: Any) -> tuple[str, str | None]:
    match value:
        case None:
            return "", None
        case bool():
            return str(value).upper(), None
        case datetime():
            return (value.date() if value.time() == time() else value).isoformat(), None
        case date():
            return value.isoformat(), None
        case int() | float():
            if abs(value) >= NUMBER_MAX:
                return f"{value:.0f}", (
                    "a number of more than 15 digits is stored as a number, and Excel has lost the"
                    " last ones: format the column as text and type it again"
                )
            return str(int(value) if value == int(value) else value), None
        case _:
            text = str(value)
            if "\n" in text or "\r" in text:
                return " ".join(text.split()), "a cell has a line break"
            return text, None
