"""Comparing two generations of a view: equal bucket by bucket, or which permits differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import rows
from projections.views.generation import Generation
from projections.views.view import View

_sql = Queries("projections", "sql/generations.sql")

_CHECKSUMS = sql.SQL(
    "SELECT left({key}, 2), count(*),"
    " sha256(convert_to(string_agg(ROW({columns})::text, E'\\n'"
    "        ORDER BY {key} COLLATE \"C\"), 'UTF8'))"
    " FROM {table} GROUP BY 1"
)
_DIFFERENCES = sql.SQL(
    "SELECT {key}, to_jsonb(live), to_jsonb(fresh)"
    " FROM (SELECT {columns} FROM {live} WHERE {wanted}) AS live"
    " FULL JOIN (SELECT {columns} FROM {fresh} WHERE {wanted}) AS fresh USING ({key})"
    " WHERE live IS DISTINCT FROM fresh ORDER BY {key} LIMIT {most}"
)
_KEEP = sql.SQL(
    "INSERT INTO views.differences (build_id, permit_number, columns, live, fresh)"
    " SELECT %(build_id)s, permit_number, columns,"
    "        CASE WHEN live IS NOT NULL THEN (SELECT {live_values}) END,"
    "        CASE WHEN fresh IS NOT NULL THEN (SELECT {fresh_values}) END"
    " FROM ({differences}) AS differences (permit_number, live, fresh)"
    " CROSS JOIN LATERAL (SELECT ARRAY("
    "   SELECT key FROM jsonb_object_keys(coalesce(live, fresh)) AS key"
    "   WHERE nullif(live -> key, 'null') IS DISTINCT FROM nullif(fresh -> key, 'null')"
    "   ORDER BY key)) AS differing (columns)"
)
_VALUES = sql.SQL(
    "jsonb_object_agg(key, CASE WHEN key = ANY(%(sealed)s) AND {row} ->> key IS NOT NULL"
    "                      THEN to_jsonb('sealed'::text) ELSE {row} -> key END)"
    " FROM unnest(columns) AS key"
)
_IN_BUCKETS = sql.SQL("left({key}, 2) = ANY(%(these)s)")
_OF_PERMITS = sql.SQL("{key} = ANY(%(these)s)")
_SEALED = {"face", "citizen_index"}
"""Columns that show or find a person: their values are reported to no one and kept nowhere else."""
_GOES_WITH_THE_KEY = {"face", "portrait_version", "citizen_index"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One permit, and the columns in which it differs; ``None`` for a row that is not there."""

    permit_number: str
    columns: list[str]
    live: dict[str, Any] | None
    fresh: dict[str, Any] | None
    reason: str | None = None
    """Why it can't be built, if so: its row goes as far as its events can be read."""

    @property
    def is_unbuilt(self) -> bool:
        return self.reason is not None

    @property
    def goes_with_the_key(self) -> bool:
        """Whether an erasure that the views have yet to see explains all of it."""
        fresh = self.fresh
        return (
            not self.is_unbuilt
            and self.live is not None
            and fresh is not None
            and _GOES_WITH_THE_KEY.issuperset(self.columns)
            and all(fresh[name] is None for name in self.columns)
        )

    def __str__(self) -> str:
        if self.reason:
            return f"can't be built: {self.reason}"
        if self.live is None or self.fresh is None:
            return "only built" if self.live is None else "only live"
        return ", ".join(
            f"{name}: sealed, differs"
            if name in _SEALED
            else f"{name}: {self.live.get(name)} → {self.fresh.get(name)}"
            for name in self.columns
        )


def keep(connection: Connection, build_id: int, differences: Iterable[Difference]) -> None:
    """Record differences with their build."""
    with connection.cursor() as cursor:
        cursor.executemany(
            _sql.keep_difference,
            [
                {
                    "build_id": build_id,
                    "permit_number": one.permit_number,
                    "columns": one.columns,
                    "live": one.live and Jsonb(_of(one.live, one.columns)),
                    "fresh": one.fresh and Jsonb(_of(one.fresh, one.columns)),
                }
                for one in differences
            ],
        )


class Comparison:
    """Compares a view's live generation with the next one, in the columns that both have."""

    def __init__(self, connection: Connection, view: View[Any]) -> None:
        self._connection = connection
        self._live = sql.Identifier(Generation.LIVE, view.table)
        self._fresh = sql.Identifier(Generation.NEXT, view.table)
        self._key = sql.Identifier(view.key)
        common = [
            name
            for name, _ in _columns(connection, view, Generation.LIVE)
            if name in {other for other, _ in _columns(connection, view, Generation.NEXT)}
        ]
        self._columns = sql.SQL(", ").join(map(sql.Identifier, common))

    def buckets(self) -> tuple[int, list[str]]:
        """How many buckets there are, and which of them differ."""
        live, fresh = (
            {
                bucket: rest
                for bucket, *rest in rows(
                    self._connection,
                    _CHECKSUMS.format(key=self._key, columns=self._columns, table=table),
                )
            }
            for table in (self._live, self._fresh)
        )
        every = live.keys() | fresh.keys()
        return len(every), sorted(each for each in every if live.get(each) != fresh.get(each))

    def in_buckets(self, buckets: Iterable[str], most: int) -> list[Difference]:
        """The permits that differ in these buckets, ``most`` at most."""
        return self._differences(_IN_BUCKETS, buckets, most)

    def keep_all(self, build_id: int, buckets: Iterable[str]) -> int:
        """Record all permits that differ in these buckets, unread; returns how many."""
        values = [_VALUES.format(row=sql.Identifier(row)) for row in ("live", "fresh")]
        query = _KEEP.format(
            live_values=values[0],
            fresh_values=values[1],
            differences=self._query(_IN_BUCKETS, None),
        )
        return self._connection.execute(
            query, {"build_id": build_id, "these": list(buckets), "sealed": [*_SEALED]}
        ).rowcount

    def of_permits(self, permit_numbers: Iterable[str]) -> list[Difference]:
        """Those of these permits that differ."""
        return self._differences(_OF_PERMITS, permit_numbers)

    def _query(self, wanted: sql.SQL, most: int | None) -> sql.Composed:
        return _DIFFERENCES.format(
            key=self._key,
            columns=self._columns,
            live=self._live,
            fresh=self._fresh,
            wanted=wanted.format(key=self._key),
            most=sql.Literal(most),
        )

    def _differences(
        self, wanted: sql.SQL, these: Iterable[str], most: int | None = None
    ) -> list[Difference]:
        query = self._query(wanted, most)
        return [_difference(*row) for row in rows(self._connection, query, {"these": list(these)})]


def _columns(
    connection: Connection, view: View[Any], generation: Generation
) -> list[tuple[Any, ...]]:
    return rows(connection, _sql.columns, [f"{generation}.{view.table}"])


def _difference(
    number: str, live: dict[str, Any] | None, fresh: dict[str, Any] | None
) -> Difference:
    differs = [
        name for name in (live or fresh or {}) if (live or {}).get(name) != (fresh or {}).get(name)
    ]
    return Difference(number, differs, live, fresh)


def _of(row: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    return {name: "sealed" if name in _SEALED and row[name] else row[name] for name in columns}
