"""Small numbers are not told to everybody: the fewer a number counts, the more it says of each.

A count of one to four is withheld, and with it what follows from it in the same row: shares,
percentiles, and the total that it could be got from by subtraction. Nothing is not withheld. No
table that is told holds sums over its rows.
"""

from __future__ import annotations

from typing import Any

from .questions import Question, Table

COUNT_MIN = 5


def withheld(question: Question, table: Table) -> tuple[Table, int]:
    """The table for everybody, ``None`` where a number is withheld; and how many rows are left out,
    since nothing but withheld numbers would be in them."""
    told, left_out = [], 0
    for row in table.rows:
        values = _row(question, dict(zip(table.columns, row, strict=True)))
        if all(values[name] is None for name in question.counts):
            left_out += 1
        else:
            told.append([values[name] for name in table.columns])
    return Table(table.columns, table.types, told), left_out


def _row(question: Question, values: dict[str, Any]) -> dict[str, Any]:
    small = {name for name in question.counts if 0 < (values[name] or 0) < COUNT_MIN}
    if not small:
        return values
    told = (set(question.counts) - small - {question.total}) | set(question.keys)
    return {name: value if name in told else None for name, value in values.items()}
