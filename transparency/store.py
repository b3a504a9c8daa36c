"""A tree in the database, read and written on one connection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import rows, scalar

from .logs import Row
from .merkle import Edge, Span, Tile, edge_tiles, hash_in, nodes_of, span_hash, tiles_of
from .notes import BadNote, Note, Signature, TreeHead, signature_of

_sql = Queries("transparency", "sql/tree.sql")


class TreeStore:
    """Reads and writes one tree; transactions are the caller's."""

    def __init__(self, connection: Connection, tree: str) -> None:
        self._connection = connection
        self._tree = tree

    def head(self) -> tuple[int, bytes]:
        """Size and root."""
        [(size, root)] = rows(self._connection, _sql.select_tree, {"tree": self._tree})
        return size, root

    def edge(self) -> Edge:
        size, _ = self.head()
        return Edge(size, self.tiles(edge_tiles(size)))

    def tiles(self, wanted: Iterable[Tile]) -> dict[Tile, bytes]:
        """Those of these tiles that exist."""
        levels, indexes = columns(wanted)
        rows = self._connection.execute(
            _sql.select_tiles, {"tree": self._tree, "levels": levels, "indexes": indexes}
        ).fetchall()
        return tiles_in(rows)

    def root_at(self, size: int) -> bytes:
        """The root when the tree had so many leaves, from its tiles.

        Raises:
            KeyError: a tile is missing.
        """
        return self.hashes([Span(0, size)])[0]

    def hashes(self, spans: Iterable[Span]) -> list[bytes]:
        """The hashes of these spans, from the tiles.

        Raises:
            KeyError: a tile is missing.
        """
        listed = list(spans)
        nodes = nodes_of(listed)
        tiles = self.tiles(tiles_of(nodes))
        known = {node: hash_in(node, tiles) for node in nodes}
        return [span_hash(span, known) for span in listed]

    def grow(
        self, old: tuple[int, bytes], new: tuple[int, bytes], tiles: Mapping[Tile, bytes]
    ) -> bool:
        """Move the tree from ``old`` to ``new``, each a size and a root, with the tiles that have
        changed; returns whether it was at ``old``."""
        levels, indexes = columns(tiles)
        moved = scalar(
            self._connection,
            _sql.grow_tree,
            {
                "tree": self._tree,
                "old_size": old[0],
                "old_root": old[1],
                "size": new[0],
                "root": new[1],
                "levels": levels,
                "indexes": indexes,
                "hashes": list(tiles.values()),
            },
        )
        return bool(moved)

    def keep_checkpoint(self, checkpoint: Note) -> bool:
        """Keep a checkpoint of the tree as it is; returns whether it has these signatures now.

        Of each key, the first line that comes is kept.
        """
        head = TreeHead.of(checkpoint.text)
        lines = [str(signature) for signature in checkpoint.signatures]
        parameters = {"tree": self._tree, "size": head.size, "root": head.root, "lines": lines}
        kept: int = scalar(self._connection, _sql.keep_checkpoint, parameters)
        return kept == len(lines)

    def keep_cosignatures(self, size: int, signatures: Iterable[Signature]) -> bool:
        """Those of witnesses, for a checkpoint that is kept; returns whether it has them now."""
        lines = [str(signature) for signature in signatures]
        parameters = {"tree": self._tree, "size": size, "lines": lines}
        kept: int = scalar(self._connection, _sql.keep_cosignatures, parameters)
        return kept == len(lines)

    def newest_checkpoint(self, origin: str) -> Note | None:
        """With all lines that are signatures; whose they are is still to be verified."""
        parameters = {"tree": self._tree, "size_min": 0, "size_max": 2**62, "limit": 1}
        row = self._connection.execute(_sql.newest_checkpoint, parameters).fetchone()
        return readable_checkpoint_in(row, origin) if row else None

    def cosigned(self, origin: str, limit: int = 20) -> list[Note]:
        """Checkpoints with cosignatures of witnesses, the newest first."""
        parameters = {"tree": self._tree, "size_min": 0, "size_max": 2**62, "limit": limit}
        rows = self._connection.execute(_sql.cosigned_checkpoints, parameters).fetchall()
        return [readable_checkpoint_in(row, origin) for row in rows]


def columns(tiles: Iterable[Tile]) -> tuple[list[int], list[int]]:
    """The tiles' levels and indexes, as a query's parameters."""
    listed = list(tiles)
    return [tile.level for tile in listed], [tile.number for tile in listed]


def tiles_in(rows: Iterable[Row]) -> dict[Tile, bytes]:
    return {Tile(level, number): hashes for level, number, hashes in rows}


def checkpoint_in(row: Row, origin: str) -> Note:
    """A checkpoint from a row of size, root and signature lines.

    Raises:
        BadNote: a line is not a signature.
    """
    size, root, lines = row[:3]
    signatures = tuple(signature_of(line.removesuffix("\n")) for line in lines or ())
    return Note(str(TreeHead(origin, size, root)), signatures)


def readable_checkpoint_in(row: Row, origin: str) -> Note:
    """The same, leaving out lines that are not signatures."""
    size, root, lines = row[:3]
    signatures = []
    for line in lines or ():
        with suppress(BadNote):
            signatures.append(signature_of(line.removesuffix("\n")))
    return Note(str(TreeHead(origin, size, root)), tuple(signatures))
