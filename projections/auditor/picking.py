"""Permits picked by chance: some from the log, some from the views, so that neither hides any."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, cast

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from projections.views.view import View

_sql = Queries("projections", "sql/auditor.sql")


class Picker:
    """By events, those with many come more often; by rows, each about as often as any other."""

    def __init__(self, views: Sequence[View[Any]], chance: random.Random) -> None:
        self._tables = [(view.table, view.key) for view in views]
        self._chance = chance

    def pick(self, connection: Connection, count: int, position: int) -> list[str]:
        """At most ``count`` permits' numbers, each once; of the log as far as ``position``."""
        from_views = [self._row(connection) for _ in range(count // 2)]
        if count % 2 and self._chance.random() < 1 / 2:
            from_views.append(self._row(connection))
        found = {number for number in from_views if number is not None}
        return sorted(found | self._streams(connection, count - len(from_views), position))

    def _streams(self, connection: Connection, count: int, position: int) -> set[str]:
        if not position:
            return set()
        positions = [self._chance.randint(1, position) for _ in range(count)]
        return {cast("str", stream) for (stream,) in connection.execute(_sql.streams, [positions])}

    def _row(self, connection: Connection) -> str | None:
        """``None`` where no row lies in the part of the table that was chosen."""
        table, key = self._chance.choice(self._tables)
        blocks = cast("int", connection.execute(_of(_sql.blocks, table, key)).fetchall()[0][0])
        if not blocks:
            return None
        block = self._chance.randrange(blocks)
        found = connection.execute(
            _of(_sql.row_in_block, table, key),
            {"first": f"({block},0)", "beyond": f"({block + 1},0)"},
        ).fetchone()
        return None if found is None else cast("str", found[0])


def _of(query: str, table: str, key: str) -> Any:
    return query.replace("{table}", table).replace("{key}", key)
