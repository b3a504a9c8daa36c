"""Small numbers are not told to everybody: the fewer a number counts, the more it says of each.

Of a district or a station, a count of one to four is withheld, and with it what follows from it
in the same row: shares, percentiles, and the total that it could be got from by subtraction. Zero
is told. No table that is told holds sums over its rows. What is told of the whole city stays as it
is, unless so few permits are in force there that the city is a village.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .questions import Answer, Question, Table

COUNT_MIN = 5
CITY_MIN = 100
"""Permits in force; below, all of it is treated as local."""


class EventRow(NamedTuple):
    """``table`` has ``None`` where a number is withheld; ``rows_left_out`` held nothing else."""

    table: Table
    rows_left_out: int


def for_everybody(answers: Sequence[Answer]) -> dict[str, EventRow]:
    """By question's name."""
    is_village = _in_force(answers) < CITY_MIN
    return {
        answer.question.name: withheld(answer.question, answer.for_all)
        if answer.question.is_local or is_village
        else EventRow(answer.for_all, 0)
        for answer in answers
    }


def withheld(question: Question, table: Table) -> EventRow:
    told, left_out = [], 0
    for row in table.rows:
        values = _row(question, dict(zip(table.columns, row, strict=True)))
        if all(values[name] is None for name in question.counts):
            left_out += 1
        else:
            told.append([values[name] for name in table.columns])
    return EventRow(Table(table.columns, table.types, told), left_out)


def _row(question: Question, values: Mapping[str, Any]) -> Mapping[str, Any]:
    small = {name for name in question.counts if 0 < (values[name] or 0) < COUNT_MIN}
    if not small:
        return values
    told = (set(question.counts) - small - {question.total}) | set(question.keys)
    return {name: value if name in told else None for name, value in values.items()}


def _in_force(answers: Sequence[Answer]) -> int:
    """Today, in all districts."""
    due = next(answer.whole for answer in answers if answer.question.name == "endorsements_due")
    column = due.columns.index("in_force")
    return sum(row[column] for row in due.rows)
