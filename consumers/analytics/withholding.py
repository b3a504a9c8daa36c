"""Withholds small numbers from the answers for others, since a small count may identify a person.

For a district or a station, a count of one to four is withheld, and with it the values in the same
row that would reveal it: shares, percentiles, and the total from which it could be subtracted. Zero
is published. No published table contains sums over its rows. Figures of the whole city are not
withheld, unless the city has fewer than ``CITY_MIN`` permits in force.

The public answers are coarse as well: local counts are rounded to multiples of ``COUNT_STEP``, and
shares are those of the rounded counts, so that two successive answers do not show in which district
or at which station a single event happened, and no share tells the count that was rounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .questions import Answer, Question, Table

COUNT_MIN = 5
COUNT_STEP = 5
SHARE_DIGITS = 2
CITY_MIN = 100
"""Permits in force; below this, every question is treated as local."""


class PublicTable(NamedTuple):
    """``table`` has ``None`` for withheld numbers; ``rows_left_out`` counts rows without others."""

    table: Table
    rows_left_out: int


def for_staff(answers: Sequence[Answer]) -> dict[str, PublicTable]:
    """Return the tables for those who work with the ledger, by the question's name."""
    return {
        answer.question.name: withheld(answer.question, answer.for_all)
        if is_local
        else PublicTable(answer.for_all, 0)
        for answer, is_local in _with_locality(answers)
    }


def for_everybody(answers: Sequence[Answer]) -> dict[str, PublicTable]:
    """Return the public tables, by the question's name."""
    return {
        answer.question.name: coarse(answer.question, withheld(answer.question, answer.for_all))
        if is_local
        else PublicTable(answer.for_all, 0)
        for answer, is_local in _with_locality(answers)
    }


def coarse(question: Question, public: PublicTable) -> PublicTable:
    """Round the counts and shares of a table."""
    table, left_out = public
    rows = []
    for row in table.rows:
        values = _rounded(question, dict(zip(table.columns, row, strict=True)))
        rows.append([values[name] for name in table.columns])
    return PublicTable(Table(table.columns, table.types, rows), left_out)


def _rounded(question: Question, values: Mapping[str, Any]) -> Mapping[str, Any]:
    rounded = dict(values)
    for name, value in values.items():
        if value is None or name in question.keys:
            continue
        if name in question.counts:
            rounded[name] = COUNT_STEP * round(value / COUNT_STEP)
        elif isinstance(value, float):
            rounded[name] = round(value, SHARE_DIGITS)
    for share in question.shares:
        if values.get(share.name) is not None:
            part, whole = rounded[share.part], rounded[share.whole]
            rounded[share.name] = round(share.per * part / whole, SHARE_DIGITS) if whole else None
    return rounded


def _with_locality(answers: Sequence[Answer]) -> Iterator[tuple[Answer, bool]]:
    """Yield each answer but those for supervisors, and whether its counts may be small enough to
    identify a person."""
    is_small_city = _in_force(answers) < CITY_MIN
    for answer in answers:
        if not answer.question.is_supervision:
            yield answer, answer.question.is_local or is_small_city


def withheld(question: Question, table: Table) -> PublicTable:
    rows, left_out = [], 0
    for row in table.rows:
        values = _row(question, dict(zip(table.columns, row, strict=True)))
        if all(values[name] is None for name in question.counts):
            left_out += 1
        else:
            rows.append([values[name] for name in table.columns])
    return PublicTable(Table(table.columns, table.types, rows), left_out)


def _row(question: Question, values: Mapping[str, Any]) -> Mapping[str, Any]:
    small = {name for name in question.counts if 0 < (values[name] or 0) < COUNT_MIN}
    if not small:
        return values
    published = (set(question.counts) - small - {question.total}) | set(question.keys)
    return {name: value if name in published else None for name, value in values.items()}


def _in_force(answers: Sequence[Answer]) -> int:
    """Return the permits in force today, in all districts."""
    due = next(answer.whole for answer in answers if answer.question.name == "endorsements_due")
    column = due.columns.index("in_force")
    return sum(row[column] for row in due.rows)
