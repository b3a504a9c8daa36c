"""Switching generations: the new one replaces the live one in one instant for every reader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import Notification
from psycopg import sql

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import scalar, scalars
from ledger.eventlog.follow import notification
from projections.projector.pages import EventOpener
from projections.projector.quarantine import FailedEvent
from projections.projector.runner import lock_position, position
from projections.projector.writing import ViewWriter
from projections.quarantine.refold import Refolder
from projections.views.generation import Generation
from projections.views.view import View

PAGE_EVENTS_MAX = 2_000
LOCK_WAIT_MS = 250
"""For so long readers may wait behind the switch, which is then tried again later."""

_sql = Queries("projections", "sql/generations.sql")
_position_sql = Queries("projections", "sql/position.sql")


class Tables:
    """A view's tables in all generations; the connection has the owner's rights."""

    def __init__(self, connection: Connection, view: View[Any], opener: EventOpener) -> None:
        self._connection = connection
        self._view = view
        self._opener = opener

    def exists(self, generation: Generation) -> bool:
        name = f"{generation}.{self._view.table}"
        return self._connection.execute(_sql.exists, [name]).fetchone() == (True,)

    def create_next(self) -> None:
        """Create it empty and without indexes; drop what is left of an earlier build."""
        self.drop(Generation.NEXT)
        self._connection.execute(self._view.query("create", Generation.NEXT))

    def index_next(self) -> None:
        self._connection.execute(self._view.query("index", Generation.NEXT))
        self._connection.execute(
            sql.SQL("ANALYZE {}").format(sql.Identifier(Generation.NEXT, self._view.table))
        )

    def drop(self, generation: Generation) -> None:
        self._connection.execute(
            sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(generation, self._view.table))
        )
        self._connection.execute(_sql.drop_counts, [f"{generation}.{self._view.table}"])

    def lock_live(self) -> int:
        """Hold the views in place until this transaction ends; returns their position."""
        return lock_position(self._connection)

    def live_position(self) -> int:
        return position(self._connection)

    def catch_up(self, generation: Generation, build_id: int, until: int) -> None:
        """Bring a generation that is not live from its recorded position to another one.

        Raises:
            Unavailable, psycopg.Error: it is where its recorded position says.
        """
        writer = ViewWriter([self._view], self._opener.describe, generation)
        after = scalar(self._connection, _sql.position_of, [build_id])
        while after < until:
            stored = self._page(after, until)
            page = self._opener.open(self._connection, stored)
            with self._connection.transaction():
                failed = writer.write(self._connection, page, careful=True)
                after = page.until
                self._connection.execute(
                    _sql.reached,
                    {
                        "position": after,
                        "poisoned": [one.permit_number for one in failed],
                        "build_id": build_id,
                    },
                )

    def mend(self, generation: Generation, build_id: int, position: int) -> list[FailedEvent]:
        """Make the rows again that :meth:`catch_up` had to leave out: of permits that were
        quarantined and have been released since, or that failed. Returns those that still fail.
        """
        numbers = scalars(self._connection, _sql.behind, [build_id])
        if not numbers:
            return []
        refolder = Refolder([self._view], self._opener)
        made = refolder.at(self._connection, numbers, position).values()
        records = [record for one in made for record in one.rows if record is not None]
        self._view.save(self._connection, records, generation)
        self._connection.execute(_sql.mended, [build_id])
        return [one.failed for one in made if one.failed]

    def is_of_this_version(self, generation: Generation) -> bool:
        """Whether it has the live generation's columns."""
        columns = [
            self._connection.execute(_sql.columns, [f"{each}.{self._view.table}"]).fetchall()
            for each in (Generation.LIVE, generation)
        ]
        return not columns[0] or columns[0] == columns[1]

    def put_in_place(self, generation: Generation, build_id: int, position: int) -> None:
        """Make it live, in the caller's transaction, which holds :meth:`lock_live`; the generation
        that was live is kept as the previous one.

        Raises:
            LockNotAvailable: a long read holds the table; nothing was done.
        """
        connection, table = self._connection, self._view.table
        connection.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
        if generation is Generation.NEXT:
            self.drop(Generation.PREVIOUS)
        else:
            self.drop(Generation.NEXT)
            self._move(table, Generation.PREVIOUS, Generation.NEXT)
        connection.execute("DROP VIEW IF EXISTS views.permits")
        if self.exists(Generation.LIVE):
            self._move(table, Generation.LIVE, Generation.PREVIOUS)
        self._move(table, Generation.NEXT, Generation.LIVE)
        connection.execute(_sql.demote, {"view": self._view.name, "position": position})
        connection.execute(_sql.promote, [build_id])
        tracks = ("views.physical_permits", "views.electronic_permits")
        if all(connection.execute(_sql.exists, [t]).fetchone() == (True,) for t in tracks):
            connection.execute(_sql.permits_view)
        connection.execute(_position_sql.notify, [position])

    def _move(self, table: str, of: Generation, to: Generation) -> None:
        self._connection.execute(
            sql.SQL("ALTER TABLE {} SET SCHEMA {}").format(
                sql.Identifier(of, table), sql.Identifier(to)
            )
        )
        names = {"old": f"{of}.{table}", "new": f"{to}.{table}"}
        self._connection.execute(_sql.drop_counts, [names["new"]])  # of a table dropped by hand
        self._connection.execute(_sql.move_counts, names)

    def _page(self, after: int, until: int) -> Sequence[Notification]:
        rows = self._connection.execute(
            _sql.page, {"after": after, "until": until, "events_max": PAGE_EVENTS_MAX}, binary=True
        )
        return [notification(row) for row in rows]
