"""What a group commit carries, and the one statement that its batches are.

The log of events and the log of checks are both written this way; what they differ in is said here.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, TypeVar

from ledger.database.connections import Connection
from ledger.errors import AppendConflict


class Item(Protocol):
    """One caller's part of a batch."""

    @property
    def claims(self) -> AbstractSet[Hashable]:
        """What it can lose a race for: items that share none of these are independent."""
        ...

    @property
    def size_bytes(self) -> int:
        """What has to be held in memory for it, about."""
        ...

    @property
    def rows(self) -> int:
        """How many rows it adds to the statement, at least 1."""
        ...


I = TypeVar("I", bound=Item)  # noqa: E741  an item
R = TypeVar("R")
I_contra = TypeVar("I_contra", bound=Item, contravariant=True)
R_co = TypeVar("R_co", covariant=True)

Rejected = dict[int, type[AppendConflict]]
"""Which items of a batch met something that is stored already, by their place, and what."""


class Work(Protocol[I_contra, R_co]):
    """How batches of such items are written, and looked up when an answer was lost."""

    def write(self, connection: Connection, items: Sequence[I_contra]) -> Sequence[R_co] | Rejected:
        """All of them with one statement, which is a transaction: what each one came to, durable on
        return; or, with nothing written, the losers."""
        ...

    def settle(self, connection: Connection, items: Sequence[I_contra]) -> Sequence[R_co | None]:
        """What each one came to, or ``None`` if it never happened and is to be sent again. Waits
        for whoever is writing, which may be the lost connection's own server process."""
        ...
