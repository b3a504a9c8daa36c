"""Reading the trees, their proofs and entries, for coroutines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import tuple_row

from ledger.database.named_sql import Queries
from ledger.eventlog.reads import GroupRead, Pool, read_rows

from .entries import event_entry
from .logs import LOGS, Log, Row, gap_in
from .manifests import Manifest, row_entry
from .merkle import (
    HASH_BYTES,
    WIDTH,
    Span,
    Tile,
    check_inclusion,
    consistency_spans,
    hash_in,
    inclusion_spans,
    leaf_hash,
    nodes_of,
    span_hash,
    tiles_of,
)
from .notes import SIGNATURES_MAX, Note, NoteVerifier, TreeHead
from .store import columns, readable_checkpoint_in, tiles_in

SIZE_MAX = 2**62
UNSIGNED_MAX = 50
"""Checkpoints that the log has not signed are passed over, up to so many."""

_sql = Queries("transparency", "sql/tree.sql")


class Moved(Exception):
    """The manifest is being replaced at this moment: try again."""


class ManifestProof(NamedTuple):
    """Proves that ``version`` was a permit's last when the tree had ``manifest.log_size`` leaves.

    It is leaf ``row`` of the manifest, which is entry ``position`` of its log.
    """

    position: int
    manifest: Manifest
    row: int
    version: int
    path: list[bytes]

    def check(self, stream: str, last_leaf: bytes) -> None:
        """Verify the proof.

        Raises:
            ProofFailed: the manifest has another leaf there.
        """
        leaf = leaf_hash(row_entry(stream, self.version, last_leaf))
        manifest = self.manifest
        check_inclusion(leaf, self.row, manifest.permits, manifest.root, self.path)


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
        self._leaves = GroupRead(self._read_leaves)

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

    async def leaf(self, position: int) -> bytes | None:
        """The hash of an event's leaf, in the tree or not yet."""
        return await self._leaves.get(position)

    async def stream_entries(self, stream_of: int) -> list[tuple[int, bytes]]:
        """Positions and entries of the whole stream that has an event at this position."""
        rows = await self._rows(_sql.stream_of, positions=[stream_of])
        return chained(rows)

    # -- manifests -------------------------------------------------------------------------------

    async def newest_manifest(self) -> Manifest | None:
        rows = await self._rows(_sql.newest_manifest)
        return Manifest.of(rows[0][1]) if rows else None

    async def ask_for_manifest(self) -> None:
        """Request a manifest of the integrator, which makes it at once if the log has moved."""
        await self._rows(_sql.ask_for_manifest)

    async def manifest(self, stream: str) -> ManifestProof | None:
        """A permit's place in the newest manifest, if it has one there.

        Raises:
            Moved
        """
        newest = await self._rows(_sql.newest_manifest)
        row = await self._rows(_sql.manifest_row, stream=stream)
        if not newest or not row:
            return None
        position, entry = newest[0]
        tile, streams, versions = row[0]
        if stream not in streams:
            return None
        manifest, at = Manifest.of(entry), streams.index(stream)
        number = tile * WIDTH + at
        version = versions[at] if versions and at < len(versions) else None
        # Rows of another manifest, or not the integrator's own: they prove nothing.
        if not 0 <= number < manifest.permits or version is None:
            raise Moved
        spans = inclusion_spans(number, manifest.permits)
        levels, indexes = columns(tiles_of(nodes_of(spans)))
        rows = await self._rows(_sql.select_manifest_tiles, levels=levels, indexes=indexes)
        try:
            path = hashes_of(spans, tiles_in(rows))
        except KeyError:
            raise Moved from None
        return ManifestProof(position, manifest, number, version, path)

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

    async def _read_leaves(self, positions: list[int]) -> Mapping[int, bytes]:
        rows = await self._rows(_sql.stream_of, positions=positions)
        return {position: leaf_hash(entry) for position, entry in chained(rows)}

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


def chained(rows: Iterable[Row]) -> list[tuple[int, bytes]]:
    """Positions and entries of whole streams, each in the order of its versions."""
    found: list[tuple[int, bytes]] = []
    last_stream, last_version, previous = "", 0, None
    for stream, version, position, topic, state in rows:
        follows = stream == last_stream and version == last_version + 1
        entry = event_entry(position, stream, version, topic, state, previous if follows else None)
        found.append((position, entry))
        last_stream, last_version, previous = stream, version, leaf_hash(entry)
    return found


__all__ = ["LOGS", "ManifestProof", "Moved", "TreeHead", "TreeReader", "chained", "hashes_of"]
