"""How every command runs: decided on what is stored, appended with its answer, retried if lost."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from domain.aggregate import Aggregate
from domain.context import CommandContext
from domain.errors import DomainError, Refused
from domain.personal import ERASED
from ledger.codec.mapper import EventMapper, is_personal
from ledger.crypto.holder_keys import HolderKey, require
from ledger.crypto.portraits import SealedPortrait
from ledger.errors import (
    AppendConflict,
    Contended,
    HolderTaken,
    KekClosed,
    KeyReused,
    KeyTaken,
    StaleVersion,
    UnknownHolder,
    UnknownLife,
    VersionTaken,
)
from ledger.eventlog.append import Append
from ledger.eventlog.idempotency import Answer, IdempotencyKey, PendingAnswer
from ledger.eventlog.log_access import LogAccess
from ledger.eventlog.registry import HolderChange

ATTEMPTS_MAX = 8
"""How often a command decides anew after losing a race."""


L = TypeVar("L", bound=Aggregate)


class Renderer(Protocol):
    """Puts an outcome into the bytes that the caller gets, now and on every retry."""

    def aggregate(self, aggregate: Any, context: CommandContext) -> bytes:
        """Of whatever lifecycle the commands are that it renders for."""
        ...

    def holder(self, aggregates: Sequence[Aggregate]) -> bytes: ...

    def refusal(self, refusal: Refused) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Command:
    """What comes with every command besides its facts.

    ``expected_versions`` are those that the caller acts on, if it cares which.
    """

    context: CommandContext
    key: IdempotencyKey | None = None
    expected_versions: frozenset[int] | None = None

    def require_expected(self, version: int) -> None:
        """
        Raises:
            StaleVersion: the command is for other versions.
        """
        if self.expected_versions is not None and version not in self.expected_versions:
            raise StaleVersion


class NewHolderData(NamedTuple):
    """What goes with a life's first event: the key that seals it, and the portrait."""

    key: HolderKey | None = None
    portrait: SealedPortrait | None = None


NOTHING_BESIDE = NewHolderData()


class CommandRunner:
    """The way that every command takes."""

    conflict_error: ClassVar[type[Exception]] = HolderTaken
    """What it means that somebody else holds what a change would take."""

    def __init__(
        self,
        log: LogAccess,
        mapper: EventMapper,
        *,
        renderer: Renderer | None = None,
    ) -> None:
        self.log = log
        self._mapper = mapper
        self._renderer = renderer

    async def _change(
        self,
        load: Callable[[], Awaitable[L]],
        command: Command,
        act: Callable[[L], Sequence[HolderChange] | None],
    ) -> Answer:
        """Load a life, let it decide, append."""

        async def attempt() -> Answer:
            aggregate = await load()
            command.require_expected(aggregate.version)
            try:
                return await self._append(aggregate, command, act(aggregate) or ())
            except HolderTaken:
                raise self.conflict_error from None

        return await self._decide(command, attempt)

    async def _decide(self, command: Command, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """Run ``attempt`` until it wins or loses for good.

        A command that was answered before can't win again: its key is taken. Whatever it comes to
        now, it gets that first answer.
        """
        for _ in range(ATTEMPTS_MAX):
            try:
                return await attempt()
            except (
                AppendConflict,
                DomainError,
                UnknownLife,
                UnknownHolder,
                StaleVersion,
            ) as error:
                if answer := await self._kept_answer(command):
                    return answer
                if isinstance(error, KekClosed):
                    await self.log.look_for_keks()
                if isinstance(error, AppendConflict):
                    continue
                if not isinstance(error, Refused) or await self._keep_refusal(error, command):
                    raise
        raise Contended

    async def _kept_answer(self, command: Command) -> Answer | None:
        if (key := command.key) is None:
            return None
        kept = await self.log.answers(key.caller, [key.key])
        if key.key not in kept:
            return None
        fingerprint, answer = kept[key.key]
        if not secrets.compare_digest(fingerprint, key.fingerprint):
            raise KeyReused
        return answer

    async def _append(
        self,
        aggregate: Aggregate,
        command: Command,
        holder_changes: Sequence[HolderChange] = (),
        beside: NewHolderData = NOTHING_BESIDE,
    ) -> Answer:
        body = self._renderer.aggregate(aggregate, command.context) if self._renderer else b""
        return await self._write([aggregate], body, command, holder_changes, beside)

    async def _write(
        self,
        aggregates: Sequence[Aggregate],
        body: bytes,
        command: Command,
        holder_changes: Sequence[HolderChange],
        beside: NewHolderData = NOTHING_BESIDE,
    ) -> Answer:
        """Append what lives of one holder have decided; ``body`` is the answer."""
        version, position = aggregates[-1].version, None
        events = [event for aggregate in aggregates for event in aggregate.collect_events()]
        if not events:
            position = max(
                [await self.log.last_position(aggregate.id) or 0 for aggregate in aggregates]
            )
        pending = None
        if command.key:
            pending = PendingAnswer(
                command.key, accepted=True, body=body, version=version, position=position
            )
        key = beside.key
        if key is None and any(map(is_personal, events)):
            key = await self._key_of(aggregates[-1].holder_id)
        stored = [self._mapper.to_stored_event(event, key) for event in events]
        positions = await self.log.append(Append(stored, holder_changes, pending, beside.portrait))
        return Answer(True, body, version, positions[-1] if positions else position)

    async def _key_of(self, holder_id: str) -> HolderKey:
        """
        Raises:
            KeyUnusable: there is none.
            VersionTaken: it was destroyed, with an event that was not there a moment ago.
        """
        key = require(await self.log.holder_keys([holder_id]), holder_id)
        if key is ERASED:
            raise VersionTaken
        return key

    async def _keep_refusal(self, refusal: Refused, command: Command) -> bool:
        """A refusal is an answer too: the same key gets it again, whatever has changed since.

        ``False`` where the key has an answer by now: the request that this one repeats was faster,
        and may be what this one was refused for.
        """
        if command.key is None:
            return True
        body = self._renderer.refusal(refusal) if self._renderer else b""
        pending = PendingAnswer(command.key, accepted=False, body=body, version=None)
        try:
            await self.log.append(Append([], answer=pending))
        except KeyTaken:
            return False
        return True
