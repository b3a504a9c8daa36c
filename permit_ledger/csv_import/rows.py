"""Rows: their columns, and how their text becomes an application."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

import orjson

from domain import citizen_id, text
from domain.application import Application
from domain.calendar import Term
from domain.errors import FieldProblem, InvalidDetails
from domain.person import Guardian, Identity, Residence

from .columns import COLUMNS, REPORT_COLUMNS, UnusableFile
from .csv_lines import Line

REFERENCE_LENGTH_MAX = 100
CARD_SERIAL_MAX = 99
_YEAR_MIN, _YEAR_MAX = 1900, 2199
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FORMULA_OF_TEXT = re.compile(r'="([^"]*)"')
_FORMULA_BEGINS = re.compile(r"[\s\"]*[=+\-@＝＋－＠']|[\t\r\n]")
"""Characters with which spreadsheets recognise a formula, in their wide forms too; and the mark
itself."""
_ERRORS_OF_SPREADSHEETS = frozenset(
    {"#REF!", "#N/A", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"}
)
_TOO_NARROW = re.compile("##+")
_SERIAL = re.compile(r"[1-9][0-9]?")
_COLUMN_OF = {
    "issued_on": "anchor",
    "guardian.name": "guardian_name",
    "guardian.citizen_id_number": "guardian_citizen_id_number",
}


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one line by column, trimmed and in NFC."""

    line: int
    cells: Mapping[str, str]

    @property
    def reference(self) -> str:
        """The permit's number in the other system."""
        return self.cells["reference"]

    @property
    def citizen_id_number(self) -> str:
        return self.cells["citizen_id_number"]

    @property
    def canonical(self) -> bytes:
        """The same bytes for the same facts, however the file was written."""
        return orjson.dumps([self.cells[column] for column in COLUMNS])


def read_header(line: Line | None) -> tuple[str, ...]:
    """The columns in the file's own order.

    Raises:
        UnusableFile: naming every column that is missing, unknown or there twice.
    """
    if line is None:
        raise UnusableFile("The file is empty: it has to begin with a header.")
    if line.problem:
        raise UnusableFile(f"The header can't be read: {line.problem}.")
    names = tuple(unguarded(cell) for cell in line.cells)
    while names and not names[-1]:
        names = names[:-1]
    faults = (
        ("missing columns", [column for column in COLUMNS if column not in names]),
        ("unknown columns", sorted({*names} - {*COLUMNS, *REPORT_COLUMNS})),
        ("columns there twice", sorted({name for name in names if names.count(name) > 1})),
    )
    found = [f"{fault}: {', '.join(map(repr, which))}" for fault, which in faults if which]
    if found:
        raise UnusableFile(
            f"The header is not this import's: {'; '.join(found)}."
            f"{_suggestions(faults[1][1])} --template prints the right one."
        )
    return names


def _suggestions(unknown: Iterable[str]) -> str:
    close = [(name, get_close_matches(name, COLUMNS, 1)) for name in unknown]
    meant = [f"{name!r} may be {found[0]!r}" for name, found in close if found]
    return f" {'; '.join(meant)}." if meant else ""


def read_row(line: Line, header: tuple[str, ...]) -> Row:
    """
    Raises:
        ValueError: the line has no cells, or not one for each column; with the reason.
    """
    if line.problem:
        raise ValueError(line.problem)
    found = list(line.cells)
    while len(found) > len(header) and not found[-1].strip():
        found.pop()  # spreadsheets add empty cells at the end of a row
    if len(found) != len(header):
        raise ValueError(f"the line has {len(found)} columns instead of {len(header)}")
    cells = {name: text.line(unguarded(cell)) for name, cell in zip(header, found, strict=True)}
    for name, cell in cells.items():
        if cell.upper() in _ERRORS_OF_SPREADSHEETS or _TOO_NARROW.fullmatch(cell):
            raise ValueError(f"{name}: {cell} is what a spreadsheet shows instead of a value")
    cells["ethnicity"] = cells["ethnicity"].zfill(2)  # spreadsheets drop the zero
    return Row(line.number, cells)


def guarded(cell: str) -> str:
    """The cell, safe to open in a spreadsheet: anything it would take for a formula is marked as
    text."""
    return f"'{cell}" if _FORMULA_BEGINS.match(cell) else cell


def unguarded(cell: str) -> str:
    """A cell without what spreadsheets mark text with: ``'990…`` and ``="990…"``, and white space
    around it. Undoes :func:`guarded`."""
    cell = cell.strip()
    if found := _FORMULA_OF_TEXT.fullmatch(cell):
        return found[1]
    return cell.removeprefix("'")


def reference_problem(row: Row) -> str | None:
    """A reference is in reports and is kept in the clear, so it must not identify a person."""
    if not 1 <= len(row.reference) <= REFERENCE_LENGTH_MAX:
        return f"reference: 1 to {REFERENCE_LENGTH_MAX} characters"
    if unseen := text.unseen(row.reference):
        return f"reference: {unseen}"
    if citizen_id.is_in(row.reference):
        return "reference: it contains what reads as a citizen ID number, which must not be kept"
    return None


def read_application(row: Row, today: date) -> Application:
    """The row's application; :meth:`Permit.issue` decides whether it is granted.

    Raises:
        InvalidDetails: naming every column whose text can't be understood.
    """
    cells, problems = row.cells, list[FieldProblem]()
    birth_date = _date(cells, "birth_date", problems)
    anchor = _date(cells, "anchor", problems)
    valid_until = _date(cells, "valid_until", problems)
    registered_on = None
    if cells["residence_registered_on"]:
        registered_on = _date(cells, "residence_registered_on", problems)
    if not _SERIAL.fullmatch(cells["card_serial"]):
        problems.append(FieldProblem("card_serial", f"a number from 1 to {CARD_SERIAL_MAX}"))
    if bool(cells["guardian_name"]) != bool(cells["guardian_citizen_id_number"]):
        problems.append(FieldProblem("guardian_name", "a guardian has a name and a number"))
    term = _term(anchor, valid_until, today, problems)
    if problems or birth_date is None or anchor is None or term is None:
        raise InvalidDetails(problems)
    guardian = Guardian(cells["guardian_name"], cells["guardian_citizen_id_number"])
    return Application(
        identity=Identity(
            name=cells["name"],
            sex=cells["sex"],
            ethnicity=cells["ethnicity"],
            birth_date=birth_date,
            citizen_id_number=cells["citizen_id_number"],
            hukou_address=cells["hukou_address"],
        ),
        residence=Residence(cells["division"], cells["address"]),
        residence_registered_on=registered_on,
        ground=cells["ground"] or None,
        issued_on=anchor,
        guardian=guardian if guardian.name else None,
        years=term.years,
        card_serial=int(cells["card_serial"]),
        taken_over_from=row.reference,
    )


def explain(problems: Iterable[FieldProblem]) -> str:
    """The reasons, by the names of the file's columns."""
    return "; ".join(f"{_column(problem.field)}: {problem.reason}" for problem in problems)


def _column(field: str) -> str:
    return _COLUMN_OF.get(field, field.removeprefix("holder.").removeprefix("residence."))


def _date(cells: Mapping[str, str], column: str, problems: list[FieldProblem]) -> date | None:
    written = cells[column]
    try:
        day = date.fromisoformat(written) if _DATE.fullmatch(written) else None
    except ValueError:
        day = None
    if day is None:
        problems.append(FieldProblem(column, "a day of the calendar, written like 2024-03-01"))
    elif not _YEAR_MIN <= day.year <= _YEAR_MAX:
        problems.append(FieldProblem(column, f"a year from {_YEAR_MIN} to {_YEAR_MAX}"))
    else:
        return day
    return None


def _term(
    anchor: date | None, valid_until: date | None, today: date, problems: list[FieldProblem]
) -> Term | None:
    if anchor is None or valid_until is None:
        return None
    term = Term.through(anchor, valid_until)
    if term is None:
        reason = "not the last day of a year counted from the anchor"
        problems.append(FieldProblem("valid_until", reason))
    elif term.years > 1 and today < Term(anchor, term.years - 1).endorsement_window.opens:
        reason = "further ahead than any endorsement could have taken it by today"
        problems.append(FieldProblem("valid_until", reason))
    return term
