"""Many appends in few transactions, through the same order as every other append."""

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

from .ledger import PermitLedger
from .runner import ATTEMPTS_MAX

BATCH_EVENTS_MAX = 1000
BATCH_BYTES_MAX = 8 * 1024 * 1024


class BulkAppender:
    """Collects what permits have decided and writes it batch by batch; the last on leaving.

    One batch is written while the next is collected: no more than these two are in memory. What
    comes after a batch that failed is not written. Not safe for several threads.

    ``keeps_keys``: for whoever comes back to permits that it has added, the keys of their holders
    are kept (some 200 bytes each) instead of being asked for.
    """

    def __init__(self, ledger: PermitLedger, *, keeps_keys: bool = False) -> None:
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
        """Take the permit's pending events, in the order in which they are to stand in the log.

        A ``new_holder``, who takes the permit with these changes, gets a key; one who is on record
        has one. A portrait is of the first event.

        Raises:
            VersionTaken, HolderTaken, KeyTaken: of an earlier batch; nothing of it was written,
                nor of what was collected since.
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
        """Write what is collected, and return when it is; afterwards nothing is collected.

        Raises:
            VersionTaken, HolderTaken, KeyTaken: as :meth:`add`, and of what is collected now.
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
        self.flush()  # it may be in what is collected
        key = require(self._ledger.keys_of([holder_id]), holder_id)
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
        """A rotation that closes the KEK in the middle is no conflict: nothing was written, and the
        new holders' keys are wrapped anew."""
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return self._ledger.log.append_all(batch)
            except KekClosed:
                batch = [self._renewed(append) for append in batch]
        return self._ledger.log.append_all(batch)

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
