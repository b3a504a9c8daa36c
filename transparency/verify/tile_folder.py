"""A copy of a log in a folder, as tiles are served (C2SP tlog-tiles): ``checkpoint``,
``tile/<L>/<N>``, ``tile/entries/<N>``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from transparency.merkle import HASH_BYTES, HEIGHT, WIDTH, Tile, TilePath, width_at

ENTRY_LENGTH_BYTES = 2


class TileFolder:
    """The folder of one log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    def tile(self, tile: Tile, width: int) -> bytes | None:
        """Return a tile's first hashes; a wider tile of the same place is used too."""
        wanted = width * HASH_BYTES
        for path in _paths(tile.level, tile.number, width):
            found = self._read(path, wanted if path.width == width else WIDTH * HASH_BYTES)
            if found is not None and len(found) >= wanted:
                return found[:wanted]
        return None

    def entries(self, number: int, width: int) -> list[bytes] | None:
        """Return the entries of a bundle; ``None`` if it is missing.

        Raises:
            ValueError: the file is not such a bundle.
        """
        for path in _paths(None, number, width):
            bundle = self._read(path, WIDTH * (ENTRY_LENGTH_BYTES + 0xFFFF))
            if bundle is not None:
                return unbundled(bundle, width)
        return None

    def has(self, path: TilePath) -> bool:
        return (self.folder / "tile" / str(path)).exists()

    def put(self, path: TilePath, content: bytes) -> None:
        """Write a file atomically."""
        write_whole(self.folder / "tile" / str(path), content)

    def _read(self, path: TilePath, bytes_max: int) -> bytes | None:
        try:
            with (self.folder / "tile" / str(path)).open("rb") as file:
                return file.read(bytes_max)
        except (FileNotFoundError, IsADirectoryError):
            return None


def unbundled(bundle: bytes, width: int) -> list[bytes]:
    """
    Raises:
        ValueError: it ends too early.
    """
    entries, at = list[bytes](), 0
    while len(entries) < width:
        end = at + ENTRY_LENGTH_BYTES + int.from_bytes(bundle[at : at + ENTRY_LENGTH_BYTES])
        if end > len(bundle) or at + ENTRY_LENGTH_BYTES > len(bundle):
            raise ValueError("a bundle of entries ends too early")
        entries.append(bundle[at + ENTRY_LENGTH_BYTES : end])
        at = end
    return entries


def tiles_at(size: int, level: int) -> list[tuple[Tile, int]]:
    """Return a level's tiles in a tree of so many leaves, each with its width."""
    nodes = size >> HEIGHT * level
    tiles = [Tile(level, number) for number in range(-(-nodes // WIDTH))]
    return [(tile, width_at(tile, size)) for tile in tiles]


def write_whole(file: Path, content: bytes) -> None:
    """
    Raises:
        OSError
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
    with os.fdopen(descriptor, "wb") as draft:
        draft.write(content)
        os.fchmod(draft.fileno(), 0o644)  # not by its name, under which another file may be by then
    Path(name).replace(file)


def _paths(level: int | None, number: int, width: int) -> list[TilePath]:
    """Return the possible paths of a tile: of this width, or full."""
    return [TilePath(level, number, each) for each in dict.fromkeys((width, WIDTH))]
