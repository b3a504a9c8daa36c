"""Reading the trees, their proofs and entries, for coroutines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import tuple_row

from ledger.database.named_sql import Queries
from ledger.errors import Corrupt
from ledger.eventlog.reads import GroupRead, Pool, read_rows

from . import prefix_tree
from .entries import Recorded
from .last_events import LastEvent, key_of, paths_to
from .logs import LOGS, Log, Row, gap_in, recorded_events
from .manifests import Manifest
from .merkle import (
    HASH_BYTES,
    WIDTH,
    Span,
    Tile,
    consistency_spans,
    hash_in,
    inclusion_spans,
    nodes_of,
    span_hash,
    tiles_of,
)
from .notes import SIGNATURES_MAX, Note, NoteVerifier, TreeHead
from .prefix_tree import BadProof, Damaged, Proof, decoded, proof_of
from .store import columns, readable_checkpoint_in, tiles_in

SIZE_MAX = 2**62
UNSIGNED_MAX = 50
"""Checkpoints that the log has not signed are passed over, up to so many."""

_sql = Queries("transparency", "sql/tree.sql")


class LastEventProof(NamedTuple):
    """Proves which event was a stream's last when the tree had ``manifest.log_size`` leaves, or
    that the stream had none. The manifest is entry ``position`` of its log."""

    position: int
    manifest: Manifest
    proof: Proof

    def check(self, stream: str, last: LastEvent | None) -> None:
        """Verify the proof.

        Raises:
            BadProof: the map has another value for the stream, or none.
        """
        prefix_tree.check(key_of(stream), last and last.value, self.manifest.root, self.proof)

    def is_absent(self, stream: str) -> bool:
        """Return whether the stream has no events; either is verified.

        Raises:
            Corrupt: the proof shows neither, since the map was changed.
        """
        key, leaf = key_of(stream), self.proof.leaf
        value = leaf.value if leaf and leaf.key == key else None
        try:
            prefix_tree.check(key, value, self.manifest.root, self.proof)
        except BadProof as error:
            raise Corrupt(f"The map of last events was changed: {error}.") from None
        return value is None


class TreeReader:
    """Belongs to one event loop; borrows a connection for each read.

    Checkpoints that it returns are signed by a key of their log, and have no line that claims to
    be by a known key and is not. Every method raises ``Unavailable`` while the database is out of
    reach.
    """

    def __init__(self, pool: Pool, origin: str, keys: Callable[[], Iterable[NoteVerifier]]) -> None:
        """``origin`` is the ledger's, ``keys`` are those of its logs and of known witnesses."""
        self.origin = origin
        self._pool = pool
        self._keys = keys
        self._sizes = GroupRead(self._read_sizes)
        self._recorded = GroupRead(self._read_recorded)

    # -- sizes and checkpoints ---------------------------------------------------------------------

    async def size(self, log: Log) -> int:
        return await self._sizes.get(log.name) or 0

    async def newest(self, log: Log, *, size_max: int = SIZE_MAX) -> Note | None:
        """The newest checkpoint, with its cosignatures."""
        return await self._checkpoint(
            _sql.newest_checkpoint, log, size_min=0, size_max=min(size_max, SIZE_MAX)
        )

    async def oldest(self, log: Log, size_min: int) -> Note | None:
        """The first checkpoint of a tree with at least so many leaves."""
        return await self._checkpoint(_sql.oldest_checkpoint, log, size_min=size_min)

    async def at(self, log: Log, instant: datetime) -> Note | None:
        """The newest checkpoint that was signed by then."""
        return await self._checkpoint(_sql.checkpoint_at, log, at=instant)

    async def after(self, log: Log, instant: datetime, size_min: int) -> Note | None:
        """The first checkpoint that was signed later, of a tree larger than that."""
        return await self._checkpoint(_sql.checkpoint_after, log, at=instant, size_min=size_min)

    async def cosigned(
        self, log: Log, size_min: int, limit: int = 20, *, size_max: int = SIZE_MAX
    ) -> list[Note]:
        """Checkpoints with a line that may be a witness's, the newest first; none of their lines is
        verified (:meth:`genuine`)."""
        rows = await self._rows(
            _sql.cosigned_checkpoints,
            tree=log.name,
            size_min=size_min,
            size_max=size_max,
            limit=limit,
        )
        return [readable_checkpoint_in(row, log.origin(self.origin)) for row in rows]

    def genuine(self, log: Log, checkpoint: Note) -> Note | None:
        """A checkpoint without false lines, and with no more than a note may have; ``None`` if its
        log has not signed it."""
        origin, keys = log.origin(self.origin), list(self._keys())
        own = {(key.name, key.key_id) for key in keys if key.name == origin}
        lines = sorted(  # the log's own first, the others as they were
            checkpoint.without_false(keys).signatures,
            key=lambda each: (each.name, each.key_id) not in own,
        )
        if not lines or (lines[0].name, lines[0].key_id) not in own:
            return None
        return Note(checkpoint.text, tuple(lines[:SIGNATURES_MAX]))

    # -- proofs ----------------------------------------------------------------------------------

    async def inclusion(self, log: Log, index: int, size: int) -> list[bytes]:
        """The path of a leaf in the tree of ``size`` leaves (RFC 9162 §2.1.3).

        Raises:
            ValueError: there is no such leaf.
        """
        return await self._hashes(log, inclusion_spans(index, size))

    async def consistency(self, log: Log, old: int, new: int) -> list[bytes]:
        """The consistency proof between two sizes (RFC 9162 §2.1.4).

        Raises:
            ValueError: the old tree is the larger one.
        """
        return await self._hashes(log, consistency_spans(old, new))

    async def root(self, log: Log, size: int) -> bytes:
        return (await self._hashes(log, [Span(0, size)]))[0]

    # -- tiles and entries -----------------------------------------------------------------------

    async def tile(self, log: Log, tile: Tile, width: int) -> bytes | None:
        """The tile's first ``width`` hashes; ``None`` where it has fewer."""
        found = (await self._tiles(log, [tile])).get(tile, b"")
        wanted = width * HASH_BYTES
        return found[:wanted] if len(found) >= wanted else None

    async def entries(self, log: Log, number: int, width: int) -> list[bytes] | None:
        """The entries of a bundle, made from the rows stored now; ``None`` where there are fewer.

        They hash to the tree's leaves, unless the rows were changed.
        """
        after = number * WIDTH
        if await self.size(log) < after + width:
            return None
        rows = await self._rows(log.rows, after=after, until=after + width)
        return None if gap_in(rows, after, after + width) else log.entries(rows)

    async def recorded(self, position: int) -> Recorded | None:
        """An event's details and entry, in the tree or not yet."""
        return await self._recorded.get(position)

    async def recorded_with(self, position: int) -> list[Recorded]:
        """The same of the whole stream that has an event at this position."""
        rows = await self._rows(_sql.stream_of, positions=[position])
        return chained(rows)

    async def recorded_page(self, stream: str, after: int, until: int) -> dict[int, Recorded]:
        """The same of a stream's versions above ``after`` up to ``until``, by version."""
        rows = await self._rows(_sql.events_of, stream=stream, after=after, until=until)
        if not rows:
            return {}
        position, *_, before, leaf = rows[0]
        if before is not None and not leaf:  # not in the tree yet; its tile may be there in part
            events = await self.recorded_with(position)
        else:
            events = recorded_events(rows)
        return {event.version: event for event in events if after < event.version <= until}

    # -- manifests -------------------------------------------------------------------------------

    async def ask_for_manifest(self) -> None:
        """Request a manifest of the integrator, which makes it at once if the log has moved."""
        await self._rows(_sql.ask_for_manifest)

    async def last_event(self, stream: str) -> LastEventProof | None:
        """The proof of a stream's last event by the newest manifest; ``None`` while there is none
        that has a map.

        Raises:
            Corrupt: the map was changed.
        """
        key = key_of(stream)
        rows = await self._rows(_sql.last_event_path, paths=paths_to(key))
        if not rows:
            return None
        position, manifest = rows[0][0], Manifest.of(rows[0][1])
        if manifest.permits is not None:
            return None
        try:
            tiles = {path: decoded(slots) for *_, path, slots in rows if path is not None}
            proof = proof_of(
                key, lambda paths: {path: tiles[path] for path in paths if path in tiles}
            )
        except Damaged as error:
            raise Corrupt(f"The map of last events was changed: {error}.") from None
        return LastEventProof(position, manifest, proof)

    # -- queries -----------------------------------------------------------------------------------

    async def _hashes(self, log: Log, spans: list[Span]) -> list[bytes]:
        return hashes_of(spans, await self._tiles(log, tiles_of(nodes_of(spans))))

    async def _tiles(self, log: Log, tiles: Iterable[Tile]) -> dict[Tile, bytes]:
        levels, indexes = columns(tiles)
        return tiles_in(
            await self._rows(_sql.select_tiles, tree=log.name, levels=levels, indexes=indexes)
        )

    async def _checkpoint(self, query: str, log: Log, **parameters: object) -> Note | None:
        """The first of those found that its log has signed: the others were added to hide it."""
        for limit in (1, UNSIGNED_MAX):
            rows = await self._rows(query, tree=log.name, limit=limit, **parameters)
            for row in rows:
                note = readable_checkpoint_in(row, log.origin(self.origin))
                if found := self.genuine(log, note):
                    return found
            if len(rows) < limit:
                break
        return None

    async def _read_sizes(self, _: list[str]) -> Mapping[str, int]:
        rows = await self._rows(_sql.select_trees)
        return {tree: size for tree, size, *_ in rows}

    async def _read_recorded(self, positions: list[int]) -> Mapping[int, Recorded]:
        rows = await self._rows(_sql.stream_of, positions=positions)
        return {event.position: event for event in chained(rows)}

    async def _rows(self, query: str, **parameters: object) -> list[Row]:
        return await read_rows(self._pool, query, parameters, tuple_row)


def hashes_of(spans: Iterable[Span], tiles: Mapping[Tile, bytes]) -> list[bytes]:
    """The hashes of these spans, from the tiles.

    Raises:
        KeyError: a tile is missing.
    """
    listed = list(spans)
    known = {node: hash_in(node, tiles) for node in nodes_of(listed)}
    return [span_hash(span, known) for span in listed]


def chained(rows: Iterable[Row]) -> list[Recorded]:
    """The events of whole streams, each stream in the order of its versions."""
    found: list[Recorded] = []
    last_stream, last_version, previous = "", 0, None
    for position, stream, version, topic, state, salt in rows:
        follows = stream == last_stream and version == last_version + 1
        before = previous if follows else None
        found.append(Recorded.of(position, stream, version, topic, state, salt, before))
        last_stream, last_version, previous = stream, version, found[-1].leaf
    return found


__all__ = [
    "LOGS",
    "LastEventProof",
    "Recorded",
    "TreeHead",
    "TreeReader",
    "chained",
    "hashes_of",
]
