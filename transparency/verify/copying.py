"""Copies a log's tiles from the database into a folder, and extends an earlier copy only if its
checkpoint belongs to the same history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ledger.database.connections import Connection, translated_errors
from ledger.errors import Corrupt
from transparency.entries import bundled
from transparency.logs import Log, gap_in
from transparency.merkle import HASH_BYTES, HEIGHT, WIDTH, Tile, TilePath
from transparency.notes import NoteVerifier, TreeHead
from transparency.store import TreeStore

from .claims import signature_problem
from .folder_check import head_of
from .processes import reading_by_statement
from .tile_folder import TileFolder, tiles_at, write_whole

CHUNK = 64
"""Tiles in one read."""

Progress = Callable[[str, int, int | None], None]


class CopyDiffers(Corrupt):
    """The log is not the one that was copied before."""


def copy_log(
    database_url: str,
    log: Log,
    origin: str,
    keys: list[NoteVerifier],
    folder: Path,
    progress: Progress,
    *,
    with_entries: bool,
) -> int:
    """Bring a copy up to the newest checkpoint; returns its size, 0 where nothing is signed yet.

    What the log adds meanwhile is after that: rows and the beginnings of tiles never change.

    Raises:
        CopyDiffers: what was copied before is not the beginning of what there is, or what there is
            is not what was signed.
        Unavailable, OSError
    """
    copy = TileFolder(folder)
    with translated_errors(), reading_by_statement(database_url) as connection:
        store = TreeStore(connection, log.name)
        checkpoint = store.newest_checkpoint(log.origin(origin))
        if checkpoint is None:
            return 0
        own = [key for key in keys if key.name == log.origin(origin)]
        if problem := signature_problem(checkpoint, own):
            raise CopyDiffers(f"{log.name}: the newest checkpoint: {problem}")
        head = TreeHead.of(checkpoint.text)
        _check_old(store, copy, head)
        level = 0
        while head.size >> HEIGHT * level:
            _copy_level(store, copy, head.size, level, progress)
            level += 1
        if with_entries:
            _copy_entries(connection, log, copy, head.size, progress)
        if store.root_at(head.size) != head.root:
            raise CopyDiffers(f"{log.name}: the tiles do not make the root of the checkpoint")
    write_whole(copy.checkpoint, str(checkpoint).encode())
    return head.size


def _check_old(store: TreeStore, copy: TileFolder, head: TreeHead) -> None:
    old = head_of(copy)
    if old is None and not copy.checkpoint.exists():
        return
    if old is None or old.origin != head.origin:
        raise CopyDiffers(f"{copy.checkpoint} is not a checkpoint of {head.origin}")
    if old.size > head.size:
        raise CopyDiffers(
            f"{copy.checkpoint} is of {old.size:,} entries, the log has {head.size:,}"
        )
    if store.root_at(old.size) != old.root:
        raise CopyDiffers(f"the log has another history than {copy.checkpoint}")


def _copy_level(
    store: TreeStore, copy: TileFolder, size: int, level: int, progress: Progress
) -> None:
    wanted = [
        (tile, width)
        for tile, width in tiles_at(size, level)
        if not copy.has(TilePath(level, tile.number, width))
    ]
    for at in range(0, len(wanted), CHUNK):
        chunk = wanted[at : at + CHUNK]
        found = store.tiles(tile for tile, _ in chunk)
        for tile, width in chunk:
            hashes = found.get(tile, b"")[: width * HASH_BYTES]
            if len(hashes) < width * HASH_BYTES:
                raise CopyDiffers(f"tile {tile.level}/{tile.number} is missing, or not whole")
            copy.put(TilePath(level, tile.number, width), hashes)
        progress(f"level {level}", at + len(chunk), len(wanted))


def _copy_entries(
    connection: Connection, log: Log, copy: TileFolder, size: int, progress: Progress
) -> None:
    for tile, width in tiles_at(size, 0):
        path = TilePath(None, tile.number, width)
        if copy.has(path):
            continue
        copy.put(path, bundled(_entries(connection, log, tile, width)))
        progress("entries", tile.number * WIDTH + width, size)


def _entries(connection: Connection, log: Log, tile: Tile, width: int) -> list[bytes]:
    after = tile.number * WIDTH
    parameters = {"after": after, "until": after + width}
    rows = connection.execute(log.rows, parameters, binary=True).fetchall()
    if gap := gap_in(rows, after, after + width):
        raise CopyDiffers(f"{log.name} {gap}: nothing is stored here")
    return log.entries(rows)
