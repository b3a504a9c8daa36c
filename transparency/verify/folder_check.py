"""Checks a copy in a folder against its own checkpoint, and against a database's leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from transparency.logs import LOGS
from transparency.merkle import HASH_BYTES, WIDTH, Tile, leaf_hash
from transparency.notes import BadNote, NoteVerifier, TreeHead

from .claims import Claim, claim_of
from .findings import Verified
from .rising import RisingTree
from .scratch import Scratch, Where
from .tile_folder import TileFolder, tiles_at

Progress = Callable[[str, int, int | None], None]


def folders_in(folder: Path) -> dict[str, TileFolder]:
    """Return the copies of each log: the events in the folder itself, the others below it."""
    places = {name: folder / log.suffix.removeprefix("/") for name, log in LOGS.items()}
    return {
        name: TileFolder(place) for name, place in places.items() if (place / "checkpoint").exists()
    }


def check_folder(
    tree: str, copy: TileFolder, origin: str, keys: list[NoteVerifier], progress: Progress
) -> tuple[Verified, Claim | None]:
    """Check a copy by itself; return the findings with the claim of its checkpoint.

    ``keys`` are those of all logs.

    Raises:
        OSError
    """
    found = Verified(tree)
    try:
        claim, problem = claim_of(
            copy.checkpoint.read_bytes(),
            "the checkpoint of the copy",
            LOGS[tree].origin(origin),
            [key for key in keys if key.name == LOGS[tree].origin(origin)],
        )
    except BadNote as error:
        found.add(None, f"{copy.checkpoint}: {error}")
        return found, None
    if problem:
        found.add(None, f"the checkpoint of the copy: {problem}")
    found.size = found.head = claim.size
    found.claims = 1
    with TemporaryDirectory(prefix="permit-ledger-verify-") as folder:
        where = Where(Path(folder), tree, claim.size, 0)
        where.make()
        with Scratch(where) as scratch:
            if _load(copy, scratch, claim.size, found, progress):
                _check_tree(copy, scratch, claim, found)
                _check_entries(copy, scratch, claim.size, found, progress)
    return found, claim


def compare_with_copy(copy: TileFolder, size: int, scratch: Scratch, found: Verified) -> None:
    """Find where the database's leaves, in ``scratch``, first differ from the copy's."""
    size = min(size, scratch.where.leaves)
    for tile, width in tiles_at(size, 0):
        theirs = copy.tile(tile, width)
        ours = scratch.leaves(tile.number * WIDTH, width)
        if theirs is None or theirs == ours:
            continue
        at = next(n for n in range(width) if _nth(theirs, n) != _nth(ours, n))
        found.add(tile.number * WIDTH + at + 1, "changed: the copy has another leaf here")
        return


def head_of(copy: TileFolder) -> TreeHead | None:
    """Return the unverified content of its checkpoint, for callers that have verified it."""
    try:
        return TreeHead.of(copy.checkpoint.read_text(encoding="utf-8").partition("\n\n")[0] + "\n")
    except (BadNote, OSError, ValueError):
        return None


def _load(
    copy: TileFolder, scratch: Scratch, size: int, found: Verified, progress: Progress
) -> bool:
    is_whole = True
    for tile, width in tiles_at(size, 0):
        hashes = copy.tile(tile, width)
        if hashes is None:
            if is_whole:
                found.add(tile.number * WIDTH + 1, f"tile 0/{tile.number} of the copy is missing")
            is_whole = False
            continue
        scratch.put(tile.number * WIDTH, hashes)
        progress("tiles", tile.number * WIDTH + width, size)
    return is_whole


def _check_tree(copy: TileFolder, scratch: Scratch, claim: Claim, found: Verified) -> None:
    def compare(tile: Tile, hashes: bytes) -> None:
        kept = copy.tile(tile, len(hashes) // HASH_BYTES)
        if kept == hashes:
            return
        below, first = WIDTH**tile.level, tile.number * WIDTH**tile.level * WIDTH
        if kept is None:
            found.add(None, f"tile {tile.level}/{tile.number} of the copy is missing")
            return
        at = next(n for n in range(WIDTH) if _nth(kept, n) != _nth(hashes, n))
        found.add(
            first + at * below + 1,
            f"tile {tile.level}/{tile.number} of the copy says something else of the"
            f" {below:,} entries from here",
        )

    tree = RisingTree(scratch, compare)
    try:
        root = tree.root(claim.size)
    except LookupError:
        found.add(None, "the copy has a tile without hashes")
        return
    for tile, hashes in tree.partial().items():
        compare(tile, hashes)
    if root != claim.root:
        found.add(None, "the tiles of the copy do not make the root of its checkpoint")


def _check_entries(
    copy: TileFolder, scratch: Scratch, size: int, found: Verified, progress: Progress
) -> None:
    if not (copy.folder / "tile" / "entries").exists():
        return
    for position, entry in _entries(copy, size, found):
        if entry is None or scratch.leaf(position) != leaf_hash(entry):
            found.add(position, "the copy's entry is not that of its leaf")
            return
        if position % WIDTH == 0:
            progress("entries", position, size)


def _entries(copy: TileFolder, size: int, found: Verified) -> Iterator[tuple[int, bytes | None]]:
    for tile, width in tiles_at(size, 0):
        first = tile.number * WIDTH + 1
        try:
            entries = copy.entries(tile.number, width)
        except ValueError as error:
            found.add(first, str(error))
            return
        if entries is None:
            found.add(first, f"bundle {tile.number} of entries of the copy is missing")
            return
        yield from enumerate(entries, first)


def _nth(hashes: bytes, n: int) -> bytes:
    return hashes[n * HASH_BYTES : (n + 1) * HASH_BYTES]
