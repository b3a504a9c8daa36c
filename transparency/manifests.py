"""Manifests: the roots of the tree of events and of the map of last events, both at one size.

Each is an entry of the log of manifests. Older ones (format 1) have the root of a tree with a leaf
for each permit instead of a map.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from ledger.database.connections import Connection, translated_errors
from ledger.database.named_sql import Queries
from ledger.database.rows import rows as query_rows
from ledger.errors import Corrupt

from .last_events import LastEvents
from .store import TreeStore

_sql = Queries("transparency", "sql/tree.sql")


class Manifest(NamedTuple):
    """The content of a manifest's entry, as of the tree of events with ``log_size`` leaves.

    ``root`` is the map's; in format 1, that of the tree over ``permits`` rows (:func:`row_entry`).
    """

    log_size: int
    log_root: bytes
    root: bytes
    permits: int | None = None

    @classmethod
    def of(cls, entry: bytes) -> Manifest:
        """Parse a manifest's entry.

        Raises:
            Corrupt: not a manifest's entry.
        """
        try:
            members: dict[str, Any] = orjson.loads(entry)
            size, log_root = int(members["log_size"]), bytes.fromhex(members["log_root"])
            if "map_root" in members:
                return cls(size, log_root, bytes.fromhex(members["map_root"]))
            root, permits = bytes.fromhex(members["manifest_root"]), int(members["permits"])
            return cls(size, log_root, root, permits)
        except (ValueError, KeyError, TypeError):
            raise Corrupt("an entry of the log of manifests can't be read") from None

    @property
    def entry(self) -> bytes:
        """The entry, of a manifest that has a map."""
        members = {
            "log_root": self.log_root.hex(),
            "log_size": self.log_size,
            "map_root": self.root.hex(),
        }
        return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)


def row_entry(stream: str, version: int, leaf: bytes) -> bytes:
    """The entry of a leaf of a manifest's tree in format 1."""
    members = {"last_leaf": leaf.hex(), "last_version": version, "stream": stream}
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS)


class ManifestMaker:
    """Makes manifests, at intervals and on request, when the log has moved."""

    def __init__(self, connection: Connection, interval_s: float) -> None:
        self._connection = connection
        self._interval_s = interval_s
        self._rest_until = 0.0
        self._due_at = 0.0

    def make(self, *, asked: bool) -> bool:
        """Move the map on by a step where a manifest is due, and make one of it; returns whether
        the newest manifest covers the whole tree afterwards.

        One is due once an interval, or on request (``asked``). Steps never take more than a fifth
        of the time.

        Raises:
            Corrupt: a leaf is missing, or a tile of the map was changed.
            Unavailable
        """
        started = time.monotonic()
        if started < (self._rest_until if asked else self._due_at):
            return False
        try:
            position, size = self._step()
        except Corrupt:
            self._rest(started, is_done=True)
            raise
        if position is None:
            return False
        self._rest(started, is_done=position == size)
        return position == size

    def _step(self) -> tuple[int | None, int]:
        """Return up to which position the map is now, ``None`` if it was up to the whole tree
        before; and the size of the tree."""
        with translated_errors(), self._connection.transaction():
            tree = TreeStore(self._connection, "events")
            size, _ = tree.head()
            number, newest = self._newest()
            last_events = LastEvents(self._connection)
            if last_events.head()[0] >= size:
                return None, size
            position, root = last_events.advance(size)
            if position > (newest.log_size if newest else 0):
                manifest = Manifest(position, tree.root_at(position), root)
                self._connection.execute(
                    _sql.add_manifest, {"position": number + 1, "entry": manifest.entry}
                )
        return position, size

    def _rest(self, started: float, *, is_done: bool) -> None:
        """Set until when nothing is made: four times as long as this has taken, and an interval
        where it ``is_done``, or failed."""
        end = time.monotonic()
        self._rest_until = end + 4 * (end - started)
        self._due_at = self._rest_until
        if is_done:
            self._due_at = max(end + self._interval_s, self._rest_until)

    def _newest(self) -> tuple[int, Manifest | None]:
        """Position and content of the newest manifest; ``None`` for one that can't be read."""
        for position, entry in query_rows(self._connection, _sql.newest_manifest):
            with suppress(Corrupt):
                return position, Manifest.of(entry)
            return position, None
        return 0, None
