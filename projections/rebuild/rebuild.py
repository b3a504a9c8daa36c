"""Building a view anew beside the one that serves, proving them equal, and switching.

The generation that serves goes on serving and moving all the while. The new one is filled from the
log, brought to the same position, compared bucket by bucket, and put in place in one transaction;
what it took the place of is kept for a way back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event
from typing import cast

import structlog
from psycopg.errors import DeadlockDetected, LockNotAvailable

from domain.stream_types import ERASURES
from ledger.database.backoff import Backoff
from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.errors import LedgerError, Unavailable
from projections.views.generation import Generation

from .comparison import Comparison, Difference, keep
from .loading import Loaded, Parts, Source, load
from .switching import Tables

LOCK = 0x6275696C  # "buil"
LOCK_TRIES = 5
WORKERS_MAX = 8
ATTEMPTS_MAX = 40
"""To find the moment for the switch: others may read for long."""
SUSPECTS_MAX = 10_000
"""More that differ are not looked at once more under the lock: that is no coincidence."""
EXAMPLES_MAX = 100
"""So many of those are told; the others are on record only."""

Progress = Callable[[str, int, int | None], None]
"""What is done, how much of it, and of how much."""

_sql = Queries("projections", "sql/generations.sql")
_log = structlog.get_logger(__name__)


class Building(LedgerError):
    """Another rebuild is under way."""


class NothingBefore(LedgerError):
    """There is no earlier generation of this view to go back to."""


class OtherColumns(LedgerError):
    """The earlier generation is another version's, with other columns: build the view anew."""


class NotWhole(LedgerError):
    """The earlier generation can't be brought to where the views are: build the view anew."""


class NoMoment(Unavailable):
    """Somebody reads the view for so long that the switch found no moment: try again."""


@dataclass(slots=True)
class Rebuilt:
    """What came of it. ``differences`` are those that stand, or the first of too many: then
    ``on_record`` says how many there are. ``had_live`` is false where the table was gone, so that
    there was nothing to compare with."""

    build_id: int
    view: str
    permits: int
    events: int
    buckets: int = 0
    had_live: bool = True
    switched: bool = False
    position: int = 0
    differences: list[Difference] = field(default_factory=list)
    on_record: int | None = None

    @property
    def differing(self) -> int:
        """How many permits."""
        return len(self.differences) if self.on_record is None else self.on_record


class Rebuild:
    """Of one view. The connection is an owner's and in autocommit mode; ``parts`` makes the views
    and an opener, here and in processes of their own."""

    def __init__(
        self, connection: Connection, database_url: str, parts: Callable[[], Parts], view: str
    ) -> None:
        self._connection = connection
        self._database_url = database_url
        self._parts = parts
        views, opener = parts()
        self._view = next(each for each in views if each.name == view)
        self._tables = Tables(connection, self._view, opener)
        self._patience = Backoff(Event())

    def run(
        self,
        *,
        accept_differences: bool = False,
        workers: int = 0,
        progress: Progress = lambda _what, _done, _of: None,
    ) -> Rebuilt:
        """Build, compare, switch; where something differs, and that is not accepted, the view that
        serves goes on and the differences are on record.

        Raises:
            Building: another one is under way.
            NoMoment, Unavailable, psycopg.Error: the view that serves was left alone.
        """
        self._only_one()
        begun_at = self._tables.live_position()
        self._connection.execute(_sql.left_over, [self._view.name])
        build_id = self._begin()
        self._tables.create_next()
        source = Source(self._database_url, self._parts, self._view.name, begun_at)
        loaded = load(
            source,
            begun_at,
            workers or min(os.cpu_count() or 1, WORKERS_MAX),
            lambda done, of: progress("building", done, of),
        )
        progress("indexing", 0, None)
        self._tables.index_next()
        self._connection.execute(
            _sql.loaded,
            {
                "build_id": build_id,
                "position": begun_at,
                "permits": loaded.permits,
                "events": loaded.events,
            },
        )
        built = Rebuilt(build_id, self._view.name, loaded.permits, loaded.events)
        built.had_live = self._tables.exists(Generation.LIVE)
        suspects: list[Difference] = []
        if built.had_live:
            progress("comparing", 0, None)
            suspects = self._suspects(built, loaded)
        self._settle(built, suspects, begun_at, accept_differences=accept_differences)
        return built

    def roll_back(self) -> int:
        """Put the previous generation in place again, at the position where the views are; gives
        that position. The one that served until now is kept in turn.

        Raises:
            Building, NothingBefore, OtherColumns, NotWhole, NoMoment, Unavailable
        """
        self._only_one()
        row = self._connection.execute(_sql.previous, [self._view.name]).fetchone()
        if row is None or not self._tables.exists(Generation.PREVIOUS):
            raise NothingBefore
        if not self._tables.is_of_this_version(Generation.PREVIOUS):
            raise OtherColumns
        build_id = cast("tuple[int]", row)[0]
        for _ in self._attempts():
            self._tables.catch_up(Generation.PREVIOUS, build_id, self._tables.live_position())
            with suppress(LockNotAvailable, DeadlockDetected), self._connection.transaction():
                position = self._tables.lock_live()
                self._tables.catch_up(Generation.PREVIOUS, build_id, position)
                if self._tables.mend(Generation.PREVIOUS, build_id, position):
                    raise NotWhole
                self._tables.put_in_place(Generation.PREVIOUS, build_id, position)
                return position
        raise NoMoment

    def _only_one(self) -> None:
        """A projector that sees to an erasure has the lock for an instant (``views.forget``)."""
        for _ in range(LOCK_TRIES):
            if self._connection.execute(_sql.try_to_build, [LOCK]).fetchone() == (True,):
                self._patience.reset()
                return
            self._patience.pause()
        raise Building

    def _begin(self) -> int:
        row = self._connection.execute(_sql.begin, [self._view.name, 0]).fetchone()
        return cast("tuple[int]", row)[0]

    def _suspects(self, built: Rebuilt, loaded: Loaded) -> list[Difference]:
        """What differs at a glance, of one instant: also permits that have only moved since."""
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            comparison = Comparison(self._connection, self._view)
            built.buckets, differing = comparison.buckets()
            found = comparison.in_buckets(differing, SUSPECTS_MAX + 1)
            if len(found) > SUSPECTS_MAX:
                built.on_record = comparison.keep_all(built.build_id, differing)
                return found[:EXAMPLES_MAX]
        unreadable = [
            Difference(one.permit_number, [], {}, {}, reason=one.reason) for one in loaded.poison
        ]
        return [*found, *unreadable]

    def _settle(
        self, built: Rebuilt, suspects: list[Difference], begun_at: int, *, accept_differences: bool
    ) -> None:
        """Find the moment in which the next generation is where the views are, and all is known."""
        if built.on_record is not None and not accept_differences:
            built.differences = suspects
            self._finish(built, "refused")
            return
        for _ in self._attempts():
            until = self._tables.live_position()
            self._tables.catch_up(Generation.NEXT, built.build_id, until)
            with suppress(LockNotAvailable, DeadlockDetected), self._connection.transaction():
                built.position = self._tables.lock_live()
                self._tables.catch_up(Generation.NEXT, built.build_id, built.position)
                self._tables.mend(Generation.NEXT, built.build_id, built.position)
                built.differences = self._differences(built, suspects, begun_at)
                self._end(built, accept_differences=accept_differences)
                return
        raise NoMoment

    def _differences(
        self, built: Rebuilt, suspects: list[Difference], begun_at: int
    ) -> list[Difference]:
        """Under the lock on the views' position: what differs now, of the suspects and of whoever
        has moved since."""
        if not built.had_live:
            return []
        if built.on_record is not None:
            return suspects
        numbers = {one.permit_number for one in suspects}
        numbers |= self._touched(begun_at, built.position)
        standing = self._standing(numbers, suspects)
        erased = self._erased_since(standing, built.position)
        return [
            one for one in standing if not (one.goes_with_the_key and one.permit_number in erased)
        ]

    def _erased_since(self, differences: list[Difference], position: int) -> set[str]:
        rows = self._connection.execute(
            _sql.erased_since,
            {
                "permit_numbers": [one.permit_number for one in differences],
                "after": position,
                "topics": [event.TOPIC for event in ERASURES],
            },
        ).fetchall()
        return {cast("str", number) for (number,) in rows}

    def _end(self, built: Rebuilt, *, accept_differences: bool) -> None:
        if built.differences and not accept_differences:
            self._finish(built, "refused")
            return
        self._keep(built)  # before there is a lock that readers wait for
        self._tables.put_in_place(Generation.NEXT, built.build_id, built.position)
        self._record(built, "live")
        built.switched = True

    def _standing(self, numbers: Iterable[str], suspects: list[Difference]) -> list[Difference]:
        """Those that differ at this position, but for permits that are parked anyway."""
        parked = {number for (number,) in self._connection.execute(_sql.parked).fetchall()}
        wanted = set(numbers) - parked
        found = Comparison(self._connection, self._view).of_permits(wanted)
        told = {one.permit_number for one in found}
        unbuilt = [one for one in suspects if one.is_unbuilt and one.permit_number in wanted - told]
        return [*found, *unbuilt]

    def _touched(self, after: int, until: int) -> set[str]:
        rows = self._connection.execute(_sql.touched, {"after": after, "until": until}).fetchall()
        return {cast("str", number) for (number,) in rows}

    def _finish(self, built: Rebuilt, state: str) -> None:
        self._keep(built)
        self._record(built, state)

    def _keep(self, built: Rebuilt) -> None:
        if built.on_record is None:
            keep(self._connection, built.build_id, built.differences)

    def _record(self, built: Rebuilt, state: str) -> None:
        self._connection.execute(
            _sql.finish,
            {
                "build_id": built.build_id,
                "state": state,
                "differences": built.differing,
                "compared_with": "live" if built.had_live else "nothing",
            },
        )
        if state == "refused":
            _log.warning("rebuild refused")

    def _attempts(self) -> Iterable[int]:
        for attempt in range(ATTEMPTS_MAX):
            yield attempt
            self._patience.pause()
