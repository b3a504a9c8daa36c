"""The leaves that new leaves refer to: a stream's last ones in memory, others from the tiles.

A leaf of an event contains that of the same stream's previous version. In a backlog most of these
were integrated not long before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries

from .merkle import HASH_BYTES

STREAMS_MAX = 32_768
"""Of a generation of two: some 20 MB."""

Version = tuple[str, int]
"""A stream and a version of it."""

_sql = Queries("transparency", "sql/tree.sql")


class Predecessors:
    """Those of one tree of events, read on the integrator's connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # By stream, its last version. When the young ones are many they replace the old ones.
        self._young: dict[str, tuple[int, bytes]] = {}
        self._old: dict[str, tuple[int, bytes]] = {}

    def find(self, wanted: Iterable[Version]) -> dict[Version, bytes]:
        """The leaves of these versions, as far as they are in the tree."""
        found: dict[Version, bytes] = {}
        streams, versions = [], []
        for stream, version in wanted:
            last = self._young.get(stream) or self._old.get(stream)
            if last and last[0] == version:
                found[stream, version] = last[1]
            else:
                streams.append(stream)
                versions.append(version)
        if streams:
            parameters = {"streams": streams, "versions": versions}
            rows: list[tuple[Any, ...]] = self._connection.execute(
                _sql.leaves_of_versions, parameters, binary=True
            ).fetchall()
            for stream, version, leaf in rows:
                if leaf and len(leaf) == HASH_BYTES:
                    found[stream, version] = leaf
        return found

    def keep(self, leaves: Iterable[tuple[str, int, bytes]]) -> None:
        """Remember leaves that are in the tree now, in their order."""
        for stream, version, leaf in leaves:
            self._young[stream] = (version, leaf)
        if len(self._young) > STREAMS_MAX:
            self._young, self._old = {}, self._young
