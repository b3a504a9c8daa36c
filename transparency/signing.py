"""Who signs: the keys of a ledger's trees, each log with its own."""

from __future__ import annotations

from typing import Protocol

from .notes import NoteSigner


class Signers(Protocol):
    """Keys may be added and retired while they are in use; ``changed_at`` tells that they were."""

    @property
    def changed_at(self) -> int: ...

    def of(self, tree: str) -> list[NoteSigner]:
        """Those that sign a log's checkpoints, at least one, the oldest first."""
        ...
