"""The signatures of the checkpoints that the database keeps."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple, cast

from ledger.database.connections import Connection
from ledger.database.named_sql import Queries
from ledger.database.rows import scalars
from transparency.notes import BadNote, NoteVerifier
from transparency.store import checkpoint_in

from .claims import signature_problem

CHUNK = 2_000

_sql = Queries("transparency", "sql/verifying.sql")


class Sizes(NamedTuple):
    """Checkpoints of trees larger than ``after``, up to ``until``."""

    after: int
    until: int


def ranges(connection: Connection, tree: str) -> list[Sizes]:
    sizes = scalars(connection, _sql.checkpoint_bounds, {"tree": tree, "step": CHUNK})
    bounds = [-1, *sizes, 2**62]
    return [Sizes(after, until) for after, until in pairwise(bounds)]


def unsigned(
    connection: Connection, tree: str, origin: str, keys: Iterable[NoteVerifier], within: Sizes
) -> dict[int, str]:
    """The checkpoints whose signatures are invalid, by size, each with a reason."""
    own = [key for key in keys if key.name == origin]
    rows = connection.execute(_sql.signed_between, {"tree": tree, **within._asdict()}).fetchall()
    found = {}
    for row in rows:
        try:
            problem = signature_problem(checkpoint_in(row, origin), own)
        except BadNote as error:
            problem = str(error)
        if problem:
            found[cast("int", row[0])] = problem
    return found
