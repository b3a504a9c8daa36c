"""A tree in memory, kept in tiles as the database keeps it."""

from transparency.merkle import Edge, Span, Tile, hash_in, leaf_hash, nodes_of, span_hash


class TiledTree:
    def __init__(self) -> None:
        self.tiles: dict[Tile, bytes] = {}
        self.edge = Edge(0, {})

    def grow(self, entries: list[bytes]) -> None:
        self.edge.grow(map(leaf_hash, entries))
        self.tiles |= self.edge.take_tiles()

    def hashes(self, spans: list[Span]) -> list[bytes]:
        known = {node: hash_in(node, self.tiles) for node in nodes_of(spans)}
        return [span_hash(span, known) for span in spans]


def made_up(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]
