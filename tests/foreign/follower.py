"""A log as an auditor has fetched it over HTTP, and the proofs that its tiles give."""

from base64 import b64decode
from dataclasses import dataclass, replace

import httpx

from tests.api.service import Caller
from tests.foreign.claims import Consistency, Inclusion
from transparency.merkle import (
    WIDTH,
    Span,
    Tile,
    TilePath,
    consistency_spans,
    hash_in,
    inclusion_spans,
    nodes_of,
    span_hash,
    tiles_of,
    width_at,
)


@dataclass(frozen=True)
class Fetched:
    note: str
    key: str
    size: int
    root: bytes
    entries: tuple[bytes, ...]
    tiles: dict[Tile, bytes]

    @classmethod
    def at(cls, reader: Caller, under: str) -> "Fetched":
        def get(path: str) -> bytes:
            answer = reader.get(f"{under}/{path}")
            assert answer.status_code == 200, f"{path}: {answer.status_code}"
            return answer.content

        note = get("checkpoint").decode()
        _, size_line, root_line = note.split("\n")[:3]
        size = int(size_line)
        tiles: dict[Tile, bytes] = {}
        entries: list[bytes] = []
        for level in range(8):
            for number in range(-(-(size >> 8 * level) // WIDTH)):
                tile = Tile(level, number)
                tiles[tile] = get(f"tile/{TilePath(level, number, width_at(tile, size))}")
        for number in range(-(-size // WIDTH)):
            width = width_at(Tile(0, number), size)
            entries += _cut(get(f"tile/{TilePath(None, number, width)}"))
        key = get("key").decode().split()[0]
        return cls(note, key, size, b64decode(root_line), tuple(entries), tiles)

    def inclusion(self, index: int) -> Inclusion:
        return Inclusion(
            entry=self.entries[index],
            index=index,
            path=tuple(self._hashes(inclusion_spans(index, self.size))),
            note=self.note,
            key=self.key,
            size=self.size,
            root=self.root,
        )

    def consistency(self, old: int) -> Consistency:
        [old_root] = self._hashes([Span(0, old)])
        path = tuple(self._hashes(consistency_spans(old, self.size)))
        return Consistency(old, old_root, self.size, self.root, path)

    def _hashes(self, spans: list[Span]) -> list[bytes]:
        nodes = nodes_of(spans)
        tiles = {tile: self.tiles[tile] for tile in tiles_of(nodes)}
        known = {node: hash_in(node, tiles) for node in nodes}
        return [span_hash(span, known) for span in spans]


def served(http: httpx.Client, under: str, of: Fetched, position: int) -> Inclusion:
    """The service's own proof, under whichever checkpoint it chose."""
    text = http.get(f"{under}/proof/{position}").text
    head, _, note = text.partition("\n\n")
    _, index, *path = head.split("\n")
    _, size, root = note.split("\n")[:3]
    return replace(
        of.inclusion(position - 1),
        index=int(index.removeprefix("index ")),
        path=tuple(map(b64decode, path)),
        note=note,
        size=int(size),
        root=b64decode(root),
    )


def _cut(bundle: bytes) -> list[bytes]:
    found = []
    while bundle:
        length = int.from_bytes(bundle[:2])
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return found
