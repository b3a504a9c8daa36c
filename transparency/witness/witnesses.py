"""Requests cosignatures of the newest checkpoints, of each witness independently.

What a witness has signed last is read from the database. Where the witness's own record differs, it
replies with its size, and the request is repeated from there. One that fails is not asked for a
while, each time for longer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from threading import Event

import httpx
import structlog

from ledger.database.connections import Connection, translated_errors
from transparency.logs import LOGS, Log
from transparency.merkle import consistency_spans
from transparency.notes import (
    BadNote,
    Note,
    NoteVerifier,
    Signature,
    TreeHead,
    Unsigned,
    cosigned_at,
)
from transparency.store import TreeStore

from .add_checkpoint import NotCosigned, OtherSize, cosignature_in, request_body, submit
from .policy import Witness, WitnessPolicy

REST_MAX_S = 300.0
STOP_POLL_S = 0.1

_log = structlog.get_logger(__name__)


@dataclass
class _Record:
    """What one witness has signed last of one log: the tree of ``size`` leaves, at ``at`` in
    seconds since 1970; 0 where that is unknown."""

    witness: Witness
    log: Log
    size: int = 0
    at: int = 0
    failures: int = 0
    rest_until: float = 0.0
    reason: str | None = None


@dataclass(frozen=True)
class _Request:
    """``checkpoint`` has the log's own signatures only; ``size`` is its tree's, ``old`` the size
    that the witness signed last."""

    record: _Record
    checkpoint: Note
    size: int
    old: int
    body: bytes


class Witnesses:
    """The witnesses of a policy that have an address. ``origin`` is the ledger's, ``keys`` verify
    its checkpoints."""

    def __init__(
        self,
        origin: str,
        keys: Callable[[], Iterable[NoteVerifier]],
        policy: WitnessPolicy,
        stop: Event,
        *,
        interval_s: float,
    ) -> None:
        self._origin = origin
        self._keys = keys
        self._witnesses = [witness for witness in policy.witnesses if witness.url]
        self._interval_s = interval_s
        self._stop = stop
        self._records: dict[tuple[str, str], _Record] = {}

    async def ask(self, connection: Connection, client: httpx.AsyncClient) -> None:
        """Send requests until ``stop`` is set, to each witness as soon as it has replied and there
        is a new checkpoint; witnesses do not wait for one another.

        Raises:
            Unavailable: the database is out of reach.
        """
        pending: dict[int, asyncio.Task[None]] = {}
        try:
            while not self._stop.is_set():
                with translated_errors():
                    for request in self._all_requests(connection, busy=pending):
                        exchange = self._exchange(connection, client, request)
                        pending[id(request.record)] = asyncio.create_task(exchange)
                    await self._listen(pending)
        finally:
            for task in pending.values():
                task.cancel()
            await asyncio.gather(*pending.values(), return_exceptions=True)

    async def _listen(self, pending: dict[int, asyncio.Task[None]]) -> None:
        """Wait for an interval; remove requests that have ended."""
        until = time.monotonic() + self._interval_s
        while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
            pause = asyncio.create_task(asyncio.sleep(min(left, STOP_POLL_S)))
            await asyncio.wait([pause, *pending.values()], return_when=asyncio.FIRST_COMPLETED)
            pause.cancel()
            for key in [key for key, task in pending.items() if task.done()]:
                pending.pop(key).result()

    def _all_requests(self, connection: Connection, *, busy: Container[int]) -> list[_Request]:
        return [
            request for log in LOGS.values() for request in self._requests(connection, log, busy)
        ]

    def _requests(
        self, connection: Connection, log: Log, busy: Container[int]
    ) -> Iterator[_Request]:
        """Requests to witnesses that have not cosigned the newest checkpoint, unless it is
        empty."""
        store = TreeStore(connection, log.name)
        origin = log.origin(self._origin)
        try:
            checkpoint = store.newest_checkpoint(origin)
            size = TreeHead.of(checkpoint.text).size if checkpoint else 0
            records = [self._record(store, witness, log) for witness in self._witnesses]
        except BadNote as error:
            _log.error("checkpoints can't be read", tree=log.name, reason=str(error))
            return
        if not checkpoint or not size:
            return
        known = {(key.name, key.key_id): key for key in self._keys() if key.name == origin}
        own = tuple(
            each
            for each in checkpoint.signatures
            if (key := known.get((each.name, each.key_id)))
            and key.has_signed(checkpoint.text, each)
        )
        for record in records:
            is_resting = id(record) in busy or time.monotonic() < record.rest_until
            if is_resting or size == record.size:
                continue
            if size < record.size:
                reason = "it has cosigned a longer log than there is now"
                self._failed(record, NotCosigned(reason))
            elif request := self._request(store, record, Note(checkpoint.text, own), record.size):
                yield request

    def _request(
        self, store: TreeStore, record: _Record, checkpoint: Note, old: int
    ) -> _Request | None:
        size = TreeHead.of(checkpoint.text).size
        try:
            path = store.hashes(consistency_spans(old, size))
        except KeyError:
            self._failed(record, NotCosigned("a tile of the tree is missing"))
            return None
        return _Request(record, checkpoint, size, old, request_body(old, path, checkpoint))

    async def _exchange(
        self, connection: Connection, client: httpx.AsyncClient, request: _Request
    ) -> None:
        record = request.record
        store = TreeStore(connection, record.log.name)
        try:
            try:
                signature = await _cosignature(client, request)
            except OtherSize as other:
                again = None
                if other.size != request.old and other.size <= request.size:
                    again = self._request(store, record, request.checkpoint, other.size)
                if again is None:
                    raise
                signature = await _cosignature(client, again)
        except NotCosigned as error:
            self._failed(record, error)
        else:
            if store.keep_cosignatures(request.size, [signature]):
                self._succeeded(record, request.size, signature)
            else:
                self._failed(record, NotCosigned("its cosignature's place is taken by other lines"))

    def _record(self, store: TreeStore, witness: Witness, log: Log) -> _Record:
        key = (witness.name, log.name)
        if key not in self._records:
            size, at = cosigned_last(store, witness.key, log.origin(self._origin))
            self._records[key] = _Record(witness, log, size, at)
        return self._records[key]

    def _succeeded(self, record: _Record, size: int, signature: Signature) -> None:
        name, tree = record.witness.key.name, record.log.name
        if record.reason:
            _log.info("witness cosigns again", witness=name, tree=tree)
        record.size, record.at = size, cosigned_at(signature)
        record.failures, record.rest_until, record.reason = 0, 0.0, None
        _log.debug("checkpoint cosigned", witness=name, tree=tree, position=size)

    def _failed(self, record: _Record, error: NotCosigned) -> None:
        """Log a failure when it begins, when its reason changes, and after each long pause."""
        rest_s = min(self._interval_s * 2.0 ** min(record.failures, 20), REST_MAX_S)
        record.failures += 1
        record.rest_until = time.monotonic() + rest_s
        if record.reason == str(error) and rest_s < REST_MAX_S:
            return
        record.reason = str(error)
        _log.warning(
            "witness does not cosign",
            witness=record.witness.key.name,
            tree=record.log.name,
            position=record.size,
            age_s=round(max(time.time() - record.at, 0)) if record.at else None,
            reason=record.reason,
        )


async def _cosignature(client: httpx.AsyncClient, request: _Request) -> Signature:
    """
    Raises:
        OtherSize, NotCosigned
    """
    witness = request.record.witness
    try:
        answer = await submit(client, witness.url or "", request.body)
        return cosignature_in(answer, witness.key, request.checkpoint.text, time.time())
    except NotCosigned:
        raise
    except Exception as error:  # noqa: BLE001  any error that a reply causes in a library
        raise NotCosigned(f"its answer can't be read ({type(error).__name__})") from None


def cosigned_last(store: TreeStore, key: NoteVerifier, origin: str) -> tuple[int, int]:
    """The size of the newest tree that a witness has cosigned, by the database, and when, in
    seconds since 1970; zeros if it has cosigned none.

    Raises:
        BadNote: a checkpoint can't be read.
    """
    for checkpoint in store.cosigned(origin):
        for signature in checkpoint.signatures:
            if (signature.name, signature.key_id) == (key.name, key.key_id):
                try:
                    key.check(checkpoint.text, signature)
                except Unsigned:
                    continue
                return TreeHead.of(checkpoint.text).size, cosigned_at(signature)
    return 0, 0
