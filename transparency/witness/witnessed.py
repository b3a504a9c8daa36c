"""Checkpoints that a quorum of witnesses has cosigned, for coroutines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from transparency.logs import LOGS, Log
from transparency.notes import Note, NoteVerifier, TreeHead
from transparency.reading import SIZE_MAX, TreeReader

from .policy import KnownLog, WitnessPolicy

KNOWN_S = 1.0
"""How long a result is reused."""

FIRST_PAGE, PAGE, READ_MAX = 5, 100, 5_000
"""Of the checkpoints that any witness has signed, so many of the newest are read at most."""


@dataclass
class _Known:
    checkpoint: Note | None = None
    size: int = 0
    until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class WitnessedCheckpoints:
    """Belongs to one event loop. Every method raises ``Unavailable`` while the database is out of
    reach."""

    def __init__(self, trees: TreeReader, policy: WitnessPolicy) -> None:
        self._trees = trees
        self._policy = policy
        self._known = {name: _Known() for name in LOGS}

    @property
    def has_quorum(self) -> bool:
        """Whether the policy requires cosignatures."""
        return self._policy.quorum is not None

    @property
    def keys(self) -> list[NoteVerifier]:
        """The keys of all witnesses."""
        return [witness.key for witness in self._policy.witnesses]

    async def newest(self, log: Log) -> Note | None:
        """The newest checkpoint that the quorum has cosigned; ``None`` without a quorum."""
        if not self.has_quorum:
            return None
        known = self._known[log.name]
        async with known.lock:  # one reads, the others wait for it
            if time.monotonic() >= known.until:
                if found := await self._found(log, known.size):
                    known.checkpoint, known.size = found, TreeHead.of(found.text).size
                known.until = time.monotonic() + KNOWN_S
            return known.checkpoint

    async def covering(self, log: Log, position: int) -> Note | None:
        """The same, if its tree has this position."""
        found = await self.newest(log)
        return found if found and TreeHead.of(found.text).size >= position else None

    def policy_text(self, logs: Iterable[KnownLog]) -> str:
        """The published policy (C2SP tlog-policy) for these logs."""
        return self._policy.of_logs(logs)

    async def _found(self, log: Log, size_min: int) -> Note | None:
        """Read backwards until one is found, or as far as the one that was found before."""
        size_max, limit, seen = SIZE_MAX, FIRST_PAGE, 0
        while seen < READ_MAX and size_max >= size_min:
            page = await self._trees.cosigned(log, size_min, limit, size_max=size_max)
            for checkpoint in page:
                if self._policy.is_witnessed(checkpoint) and (
                    found := self._trees.genuine(log, checkpoint)
                ):
                    return found
            if len(page) < limit:
                return None
            seen += len(page)
            size_max = TreeHead.of(page[-1].text).size - 1
            limit = PAGE
        return None
