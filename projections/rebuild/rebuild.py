"""Rebuilding a view: build it again beside the live one, prove both equal, and switch.

The live generation goes on serving and moving meanwhile. The new one is filled from the log,
brought to the same position, compared bucket by bucket, and put in place in one transaction; the
one that it replaces is kept for a rollback.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event

import structlog
from psycopg.errors import DeadlockDetected, LockNotAvailable

from domain.stream_types import ERASURES
from ledger.database.connections import Connection
from ledger.database.leader import try_lock
from ledger.database.named_sql import Queries
from ledger.database.retry import Backoff
from ledger.database.rows import scalar, scalars
from ledger.errors import LedgerError, Unavailable
from projections.views.generation import Generation

from .comparison import Comparison, Difference, keep
from .loading import Loaded, Parts, Source, load
from .switching import Tables

LOCK = 0x6275696C  # "buil"
LOCK_TRIES = 5
WORKERS_MAX = 8
ATTEMPTS_MAX = 40
"""To find a moment for the switch, which waits for long reads."""
SUSPECTS_MAX = 10_000
"""With more that differ, none is compared again under the lock."""
EXAMPLES_MAX = 100
"""So many of those are returned; the others are on record only."""

Progress = Callable[[str, int, int | None], None]
"""Called with the step, how much of it is done, and of how much."""

_sql = Queries("projections", "sql/generations.sql")
_log = structlog.get_logger(__name__)


class Building(LedgerError):
    """Another rebuild is under way."""


class NothingBefore(LedgerError):
    """There is no earlier generation of this view to go back to."""


class OtherColumns(LedgerError):
    """The earlier generation is another version's, with other columns: rebuild the view."""


class NotWhole(LedgerError):
    """The earlier generation can't be brought to where the views are: rebuild the view."""


class NoMoment(Unavailable):
    """Long reads of the view left no moment for the switch: try again."""


@dataclass(slots=True)
class Rebuilt:
    """The outcome. ``differences`` are those that were confirmed, or the first of too many: then
    ``on_record`` is their number. ``had_live`` is false where the live table was missing, so that
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
        """How many permits differ."""
        return len(self.differences) if self.on_record is None else self.on_record


class Rebuild:
    """Rebuilds one view. The connection has the owner's rights and is in autocommit mode; ``parts``
    makes the views and an opener, here and in worker processes."""

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
        """Build, compare, switch. Where rows differ, and that is not accepted, the live view stays
        and the differences are on record.

        Raises:
            Building: another rebuild is under way.
            NoMoment, Unavailable, psycopg.Error: the live view was not changed.
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
        """Make the previous generation live again, at the views' position, which is returned. The
        one that was live is kept in turn.

        Raises:
            Building, NothingBefore, OtherColumns, NotWhole, NoMoment, Unavailable
        """
        self._only_one()
        builds = scalars(self._connection, _sql.previous, [self._view.name])
        if not builds or not self._tables.exists(Generation.PREVIOUS):
            raise NothingBefore
        if not self._tables.is_of_this_version(Generation.PREVIOUS):
            raise OtherColumns
        build_id = builds[0]
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
        """Take the lock; a projector that applies an erasure holds it for an instant
        (``views.forget``)."""
        for _ in range(LOCK_TRIES):
            if try_lock(self._connection, LOCK):
                self._patience.reset()
                return
            self._patience.pause()
        raise Building

    def _begin(self) -> int:
        return int(scalar(self._connection, _sql.begin, [self._view.name, 0]))

    def _suspects(self, built: Rebuilt, loaded: Loaded) -> list[Difference]:
        """What differs in one snapshot, including permits that have only moved since."""
        with self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            comparison = Comparison(self._connection, self._view)
            built.buckets, differing = comparison.buckets()
            found = comparison.in_buckets(differing, SUSPECTS_MAX + 1)
            if len(found) > SUSPECTS_MAX:
                built.on_record = comparison.keep_all(built.build_id, differing)
                return found[:EXAMPLES_MAX]
        unreadable = [
            Difference(one.permit_number, [], {}, {}, reason=one.reason) for one in loaded.failed
        ]
        return [*found, *unreadable]

    def _settle(
        self, built: Rebuilt, suspects: list[Difference], begun_at: int, *, accept_differences: bool
    ) -> None:
        """Find a moment in which the next generation has the views' position, and compare then."""
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
        """What differs now, under the lock on the views' position, of the suspects and of permits
        that have moved since."""
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
        parameters = {
            "permit_numbers": [one.permit_number for one in differences],
            "after": position,
            "topics": [event.TOPIC for event in ERASURES],
        }
        return set(scalars(self._connection, _sql.erased_since, parameters))

    def _end(self, built: Rebuilt, *, accept_differences: bool) -> None:
        if built.differences and not accept_differences:
            self._finish(built, "refused")
            return
        self._keep(built)  # before taking a lock that readers wait for
        self._tables.put_in_place(Generation.NEXT, built.build_id, built.position)
        self._record(built, "live")
        built.switched = True

    def _standing(self, numbers: Iterable[str], suspects: list[Difference]) -> list[Difference]:
        """Those that differ at this position, without permits that are in quarantine."""
        wanted = set(numbers) - set(scalars(self._connection, _sql.quarantined))
        found = Comparison(self._connection, self._view).of_permits(wanted)
        differing = {one.permit_number for one in found}
        unbuilt = [
            one for one in suspects if one.is_unbuilt and one.permit_number in wanted - differing
        ]
        return [*found, *unbuilt]

    def _touched(self, after: int, until: int) -> set[str]:
        return set(scalars(self._connection, _sql.touched, {"after": after, "until": until}))

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
