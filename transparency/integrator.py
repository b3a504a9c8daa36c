"""The integrator: adds a log's new entries to its tree, in the log's order, and signs checkpoints.

Leaves, tiles, the tree's size and the checkpoint are one transaction. Before it commits, the
checkpoint is stored outside the database (:mod:`transparency.last_signed`): after a crash, or with
a database from a backup, the tree grows on only if it comes to the same root.
"""

from __future__ import annotations

import structlog

from ledger.database.connections import Connection, translated_errors
from ledger.database.rows import scalars
from ledger.errors import Corrupt, LogBehind, LogGap

from .last_signed import LastSignedStore
from .logs import Log, Row, gap_in, read
from .merkle import Edge
from .notes import Note, NoteSigner, TreeHead
from .predecessors import Predecessors
from .read_ahead import ReadAhead
from .store import TreeStore

BATCH_MAX = 4096
"""Entries of one transaction: it has three flushes to disk and a signature, whatever its size."""

_log = structlog.get_logger(__name__)


class Forked(Corrupt):
    """The log is not the one that was signed."""


class Integrator:
    """The integrator of one log; owns its connection's transactions, not the connection.

    Discard it after any exception; a new one reads everything again.
    """

    def __init__(
        self,
        connection: Connection,
        log: Log,
        origin: str,
        signers: list[NoteSigner],
        memory: LastSignedStore,
        ahead: ReadAhead | None = None,
    ) -> None:
        """Compare the tree with what was signed last.

        Args:
            ahead: reads a backlog's next rows meanwhile; without it, rows are read when needed.

        Raises:
            Forked, LogBehind: nothing must be signed; the message says what to do.
        """
        self._connection = connection
        self._log = log
        self._origin = log.origin(origin)
        self._signers = signers
        self._memory = memory
        self._ahead = ahead
        self._head_seen = 0
        self._predecessors = Predecessors(connection)
        self._store = TreeStore(connection, log.name)
        with translated_errors():
            self._edge = self._read_edge()
            self._promised = self._last_signed()
            self._sign_with_new_keys()

    @property
    def size(self) -> int:
        return self._edge.size

    def step(self) -> int:
        """Integrate up to :data:`BATCH_MAX` entries; returns how many.

        Raises:
            Forked, LogGap, LogBehind, Unavailable
        """
        with translated_errors(), self._connection.transaction():
            until = self._until()
            if until == self.size:
                return 0
            before = (self.size, self._edge.root)
            rows = self._rows(until)
            if gap := gap_in(rows, self.size, until):
                raise LogGap(f"{self._log.name}: nothing is at position {gap}; the head is beyond.")
            self._edge.grow(self._log.leaves(rows, self._predecessors))
            self._keep(before)
        return len(rows)

    def _rows(self, until: int) -> list[Row]:
        """The rows above the tree's size; those of the next full batch are read meanwhile."""
        ahead = self._ahead
        rows = ahead.take(self._log, self.size, until) if ahead else None
        if rows is None:
            rows = read(self._connection, self._log, self.size, until)
        if ahead and self._promised is None and self._head_seen >= until + BATCH_MAX:
            ahead.start(self._log, until, until + BATCH_MAX)
        return rows

    def _keep(self, before: tuple[int, bytes]) -> None:
        head = TreeHead(self._origin, self.size, self._edge.root)
        self._check_promise(head)
        if not self._store.grow(before, (head.size, head.root), self._edge.take_tiles()):
            raise Forked(f"{self._log.name}: another process changed the tree at {before[0]}.")
        if not self._promised:  # until then the signed history is not confirmed
            checkpoint = head.signed(self._signers)
            self._store.keep_checkpoint(checkpoint)
            self._memory.keep(checkpoint)

    def _until(self) -> int:
        """The size after this step: at most what was signed last, until its root is confirmed."""
        self._head_seen = head = self._head()
        if head < self.size:
            raise LogBehind(
                f"{self._log.name}: the log ends at position {head}, its tree has {self.size}."
                f" {_ADVICE}"
            )
        until = min(head, self.size + BATCH_MAX)
        if not self._promised:
            return until
        if head < self._promised.size:
            raise self._is_behind(head)
        return min(until, self._promised.size)

    def _head(self) -> int:
        return next(iter(scalars(self._connection, self._log.head)), 0)

    def _last_signed(self) -> TreeHead | None:
        """The checkpoint that was signed and is not in the tree yet.

        Raises:
            Forked, LogBehind
        """
        signed = self._memory.recall()
        if signed is None:
            return None
        if signed.origin != self._origin:
            raise Forked(
                f"{self._memory.file} is of the log {signed.origin}, not {self._origin}: a log"
                " keeps its origin for ever. Set PERMIT_LEDGER_ORIGIN as it was."
            )
        if signed.size > self.size:
            if (head := self._head()) < signed.size:
                raise self._is_behind(head, signed.size)
            return signed
        if self._store.root_at(signed.size) != signed.root:
            raise self._forked(signed.size)
        return None

    def _check_promise(self, head: TreeHead) -> None:
        if self._promised and head.size == self._promised.size:
            if head.root != self._promised.root:
                raise self._forked(head.size)
            self._promised = None

    def _sign_with_new_keys(self) -> None:
        """Sign the newest checkpoint with new keys too, for verifiers that trust only those."""
        if self._promised:
            return
        head = TreeHead(self._origin, self.size, self._edge.root)
        newest = self._store.newest_checkpoint(self._origin)
        signed = set(newest.signatures) if newest and newest.text == str(head) else set()
        missing = tuple(
            each for each in head.signed(self._signers).signatures if each not in signed
        )
        if missing and not self._store.keep_checkpoint(Note(str(head), missing)):
            # Until the next checkpoint none is signed with this key; verify-log names the line.
            _log.error("another line stands under the log's key", tree=self._log.name)

    def _read_edge(self) -> Edge:
        size, root = self._store.head()
        try:
            edge = self._store.edge()
        except KeyError:
            raise Forked(f"{self._log.name}: a tile of the tree is missing. {_ADVICE}") from None
        if edge.root != root:
            raise Forked(f"{self._log.name}: the tree's edge is not its root's at {size}.")
        return edge

    def _forked(self, size: int) -> Forked:
        return Forked(
            f"{self._log.name}: another history of {size} entries was signed than there is."
            f" {_ADVICE}"
        )

    def _is_behind(self, head: int, size: int | None = None) -> LogBehind:
        signed = size or (self._promised.size if self._promised else self.size)
        return LogBehind(
            f"{self._log.name}: {signed} entries were signed ({self._memory.file}),"
            f" and the log ends at position {head}. {_ADVICE}"
        )


_ADVICE = (
    "Was the database restored from a backup, or changed? Nothing is signed until its lost part is"
    " back; `permit-ledger verify-log` says where it differs."
)
