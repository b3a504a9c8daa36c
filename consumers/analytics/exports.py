"""A table as CSV and as Parquet."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from pathlib import Path

import duckdb
import orjson

from .questions import Table

_FORMULA = re.compile(r"[\s\"]*[=+\-@＝＋－＠]|[\t\r\n]")
"""What a spreadsheet would take for a formula; some skip white space and quotation marks before it,
or know the full-width signs."""


def csv_bytes(table: Table) -> bytes:
    """Return the table as CSV (RFC 4180) with a header, in UTF-8.

    Withheld and missing values are empty. Texts are escaped so that a spreadsheet does not read
    them as formulas.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(table.columns)
    writer.writerows([_cell(value) for value in row] for row in table.rows)
    return out.getvalue().encode()


def parquet_bytes(table: Table) -> bytes:
    """Return the table as Parquet.

    DuckDB writes files under names that can be foreseen and follows links, so it writes to a
    temporary folder that is this user's alone.
    """
    rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    columns = _struct(dict(zip(table.columns, table.types, strict=True)))
    with tempfile.TemporaryDirectory() as folder:
        lines, parquet = Path(folder) / "rows.ndjson", Path(folder) / "rows.parquet"
        lines.write_bytes(b"\n".join(map(orjson.dumps, rows)))
        read = f"read_json({_quoted(lines)}, columns = {columns}, format = 'newline_delimited')"
        into = f"{_quoted(parquet)} (FORMAT parquet, COMPRESSION zstd)"
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET threads = 1")
            connection.execute(f"COPY (SELECT * FROM {read}) TO {into}")  # noqa: S608  our own names
        return parquet.read_bytes()


def _struct(kinds: dict[str, str]) -> str:
    pairs = (f"{_quoted(name)}: {_quoted(kind)}" for name, kind in kinds.items())
    return f"{{{', '.join(pairs)}}}"


def _quoted(text: str | Path) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
