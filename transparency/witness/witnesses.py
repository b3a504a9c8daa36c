"""Asks witnesses to cosign the newest checkpoints, each on its own.

What each has signed last is looked up in the database; where that knows nothing, or something else
than the witness does, the witness says so, and is asked once more from there. One that fails is
left alone for a while, each time for longer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Container, Iterator
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
STOP_LOOK_S = 0.1

_log = structlog.get_logger(__name__)


@dataclass
class _Sight:
    """What one witness has signed of one log: the tree of ``size`` leaves, at ``at`` in seconds
    since 1970; 0 where nothing is known."""

    witness: Witness
    log: Log
    size: int = 0
    at: int = 0
    failures: int = 0
    rest_until: float = 0.0
    reason: str | None = None


@dataclass(frozen=True)
class _Question:
    """``checkpoint`` with the log's own signatures only, and the tree's size then and before."""

    sight: _Sight
    checkpoint: Note
    size: int
    old: int
    body: bytes


class Witnesses:
    """Those of a policy that have an address. ``origin`` is the ledger's."""

    def __init__(
        self, origin: str, policy: WitnessPolicy, stop: Event, *, interval_s: float
    ) -> None:
        self._origin = origin
        self._witnesses = [witness for witness in policy.witnesses if witness.url]
        self._interval_s = interval_s
        self._stop = stop
        self._sights: dict[tuple[str, str], _Sight] = {}

    async def ask(self, connection: Connection, client: httpx.AsyncClient) -> None:
        """Until ``stop``, each as soon as it has answered and there is something new: nobody waits
        for anybody else.

        Raises:
            Unavailable: the database is out of reach.
        """
        talks: dict[int, asyncio.Task[None]] = {}
        try:
            while not self._stop.is_set():
                with translated_errors():
                    for question in self._all_questions(connection, busy=talks):
                        begun = self._talk(connection, client, question)
                        talks[id(question.sight)] = asyncio.create_task(begun)
                    await self._listen(talks)
        finally:
            for talk in talks.values():
                talk.cancel()
            await asyncio.gather(*talks.values(), return_exceptions=True)

    async def _listen(self, talks: dict[int, asyncio.Task[None]]) -> None:
        """For an interval; those that have ended are taken out."""
        until = time.monotonic() + self._interval_s
        while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
            pause = asyncio.create_task(asyncio.sleep(min(left, STOP_LOOK_S)))
            await asyncio.wait([pause, *talks.values()], return_when=asyncio.FIRST_COMPLETED)
            pause.cancel()
            for key in [key for key, talk in talks.items() if talk.done()]:
                talks.pop(key).result()

    def _all_questions(self, connection: Connection, *, busy: Container[int]) -> list[_Question]:
        return [
            question for log in LOGS.values() for question in self._questions(connection, log, busy)
        ]

    def _questions(
        self, connection: Connection, log: Log, busy: Container[int]
    ) -> Iterator[_Question]:
        """To those who have not cosigned the newest checkpoint. An empty tree has no history."""
        store = TreeStore(connection, log.name)
        origin = log.origin(self._origin)
        try:
            checkpoint = store.newest_checkpoint(origin)
            size = TreeHead.of(checkpoint.text).size if checkpoint else 0
            sights = [self._sight(store, witness, log) for witness in self._witnesses]
        except BadNote as error:
            _log.error("checkpoints can't be read", tree=log.name, reason=str(error))
            return
        if not checkpoint or not size:
            return
        own = tuple(each for each in checkpoint.signatures if each.name == origin)
        for sight in sights:
            is_resting = id(sight) in busy or time.monotonic() < sight.rest_until
            if is_resting or size == sight.size:
                continue
            if size < sight.size:
                reason = "it has cosigned a longer log than there is now"
                self._failed(sight, NotCosigned(reason))
            elif question := self._question(store, sight, Note(checkpoint.text, own), sight.size):
                yield question

    def _question(
        self, store: TreeStore, sight: _Sight, checkpoint: Note, old: int
    ) -> _Question | None:
        size = TreeHead.of(checkpoint.text).size
        try:
            path = store.hashes(consistency_spans(old, size))
        except KeyError:
            self._failed(sight, NotCosigned("a tile of the tree is missing"))
            return None
        return _Question(sight, checkpoint, size, old, request_body(old, path, checkpoint))

    async def _talk(
        self, connection: Connection, client: httpx.AsyncClient, question: _Question
    ) -> None:
        sight = question.sight
        store = TreeStore(connection, sight.log.name)
        try:
            try:
                signature = await _cosignature(client, question)
            except OtherSize as other:
                again = None
                if other.size != question.old and other.size <= question.size:
                    again = self._question(store, sight, question.checkpoint, other.size)
                if again is None:
                    raise
                signature = await _cosignature(client, again)
        except NotCosigned as error:
            self._failed(sight, error)
        else:
            store.keep_cosignatures(question.size, [signature])
            self._succeeded(sight, question.size, signature)

    def _sight(self, store: TreeStore, witness: Witness, log: Log) -> _Sight:
        key = (witness.name, log.name)
        if key not in self._sights:
            size, at = cosigned_last(store, witness.key, log.origin(self._origin))
            self._sights[key] = _Sight(witness, log, size, at)
        return self._sights[key]

    def _succeeded(self, sight: _Sight, size: int, signature: Signature) -> None:
        name, tree = sight.witness.key.name, sight.log.name
        if sight.reason:
            _log.info("witness cosigns again", witness=name, tree=tree)
        sight.size, sight.at = size, cosigned_at(signature)
        sight.failures, sight.rest_until, sight.reason = 0, 0.0, None
        _log.debug("checkpoint cosigned", witness=name, tree=tree, position=size)

    def _failed(self, sight: _Sight, error: NotCosigned) -> None:
        """Told when it begins, when its reason changes, and whenever it has rested for long."""
        rest_s = min(self._interval_s * 2.0 ** min(sight.failures, 20), REST_MAX_S)
        sight.failures += 1
        sight.rest_until = time.monotonic() + rest_s
        if sight.reason == str(error) and rest_s < REST_MAX_S:
            return
        sight.reason = str(error)
        _log.warning(
            "witness does not cosign",
            witness=sight.witness.key.name,
            tree=sight.log.name,
            position=sight.size,
            age_s=round(max(time.time() - sight.at, 0)) if sight.at else None,
            reason=sight.reason,
        )


async def _cosignature(client: httpx.AsyncClient, question: _Question) -> Signature:
    """
    Raises:
        OtherSize, NotCosigned
    """
    witness = question.sight.witness
    try:
        answer = await submit(client, witness.url or "", question.body)
        return cosignature_in(answer, witness.key, question.checkpoint.text, time.time())
    except NotCosigned:
        raise
    except Exception as error:  # noqa: BLE001  whatever a stranger's answer does to a library
        raise NotCosigned(f"its answer can't be read ({type(error).__name__})") from None


def cosigned_last(store: TreeStore, key: NoteVerifier, origin: str) -> tuple[int, int]:
    """The size of the newest tree that a witness has cosigned, as far as the database knows, and
    when, in seconds since 1970; zeros if it has none.

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
