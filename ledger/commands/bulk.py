"""Many appends in few transactions, in the same order of positions as every other append."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import Self

from domain.aggregate import Aggregate
from domain.permit import Permit
from domain.personal import ERASED
from ledger.codec.mapper import is_personal
from ledger.crypto.holder_keys import HolderKey, WrappedKey, require
from ledger.crypto.portraits import Portrait
from ledger.errors import KekClosed, KeyUnusable
from ledger.eventlog.append import Append
from ledger.eventlog.idempotency import PendingAnswer
from ledger.eventlog.registry import ClaimHolder, HolderChange

from .blocking import BlockingLedger
from .runner import ATTEMPTS_MAX

BATCH_EVENTS_MAX = 1000
BATCH_BYTES_MAX = 8 * 1024 * 1024


class BulkAppender:
    """Collects pending events and writes them batch by batch; the last batch on leaving.

    One batch is written while the next is collected: at most these two are in memory. Nothing is
    written after a batch that failed. Not safe for several threads.
    """

    def __init__(self, ledger: BlockingLedger, *, keeps_keys: bool = False) -> None:
        """``keeps_keys`` holds the new holders' keys in memory, some 200 bytes each, for a caller
        that adds further events of their permits."""
        self._ledger = ledger
        self._keeps_keys = keeps_keys
        self._secrets: dict[str, bytes] = {}
        self._batch: list[Append] = []
        self._people: set[bytes] = set()
        self._thread = ThreadPoolExecutor(1, "bulk")
        self._writing: Future[list[int]] | None = None
        self._events = 0
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if exc is None:
                self.flush()
        finally:
            self._thread.shutdown()

    def add(
        self,
        permit: Aggregate,
        holder_changes: Sequence[HolderChange] = (),
        *,
        new_holder: bool = False,
        portrait: Portrait | None = None,
        answer: PendingAnswer | None = None,
    ) -> None:
        """Add the permit's pending events, in the order of their future positions.

        A ``new_holder``, who is claimed by these changes, gets a key. A portrait belongs to the
        first event.

        Raises:
            VersionTaken, HolderTaken, KeyTaken: by an earlier batch; nothing of it was written,
                and nothing that was added since.
        """
        people = {person for change in holder_changes for person in change.people}
        if not people.isdisjoint(self._people):
            self._hand_over()
        events = permit.collect_events()
        key = None
        if new_holder:
            key, wrapped = self._new_key(permit.holder_id)
            holder_changes = [_with_key(change, wrapped) for change in holder_changes]
        elif any(map(is_personal, events)):
            key = self._key(permit.holder_id)
        stored = [self._ledger.event_mapper.to_stored_event(event, key) for event in events]
        sealed = portrait.seal(key, permit.id, Permit.INITIAL_VERSION) if portrait and key else None
        append = Append(stored, holder_changes, answer, sealed)
        self._batch.append(append)
        self._people |= people
        self._events += len(stored)
        self._bytes += append.size_bytes
        if self._events >= BATCH_EVENTS_MAX or self._bytes >= BATCH_BYTES_MAX:
            self._hand_over()

    def flush(self) -> None:
        """Write everything that was added; returns when that is done.

        Raises:
            VersionTaken, HolderTaken, KeyTaken: as :meth:`add`.
        """
        self._hand_over()
        self._wait()

    def _new_key(self, holder_id: str) -> tuple[HolderKey, WrappedKey]:
        key, wrapped = self._ledger.holder_keys.new(holder_id)
        if self._keeps_keys:
            self._secrets[holder_id] = key.secret
        return key, wrapped

    def _key(self, holder_id: str) -> HolderKey:
        if secret := self._secrets.get(holder_id):
            return HolderKey(holder_id, secret)
        self.flush()  # the key may be in the current batch
        key = require(self._ledger.log.holder_keys([holder_id]), holder_id)
        if key is ERASED:
            raise KeyUnusable(f"The key of holder {holder_id} is destroyed.")
        return key

    def _hand_over(self) -> None:
        batch, self._batch = self._batch, []
        self._people = set()
        self._events = self._bytes = 0
        self._wait()
        self._writing = self._thread.submit(self._write, batch)

    def _write(self, batch: Sequence[Append]) -> list[int]:
        """Write a batch. If a rotation has closed the KEK meanwhile, nothing was written: the new
        holders' keys are wrapped with the next KEK, and the batch is written again."""
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return self._ledger.append_all(batch)
            except KekClosed:
                batch = [self._renewed(append) for append in batch]
        return self._ledger.append_all(batch)

    def _renewed(self, append: Append) -> Append:
        renewed = self._ledger.holder_keys.renewed
        changes = [
            _with_key(change, renewed(change.key))
            if isinstance(change, ClaimHolder) and change.key
            else change
            for change in append.holder_changes
        ]
        return replace(append, holder_changes=changes)

    def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing:
            writing.result()


def _with_key(change: HolderChange, key: WrappedKey) -> HolderChange:
    return change._replace(key=key) if isinstance(change, ClaimHolder) else change
