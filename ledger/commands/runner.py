"""How every command runs: decided on the stored events, appended with its response, retried after a
conflict."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from domain.aggregate import Aggregate
from domain.context import CommandContext
from domain.errors import DomainError, HolderIsRestricted, Refused
from domain.personal import ERASED
from ledger.codec.mapper import EventMapper, is_personal
from ledger.crypto import randomness
from ledger.crypto.holder_keys import HolderKey, require
from ledger.crypto.portraits import Portrait, SealedPortrait
from ledger.errors import (
    AppendConflict,
    Contended,
    HolderTaken,
    KekClosed,
    KeyReused,
    KeyTaken,
    RegisterDiffers,
    StaleVersion,
    UnknownAggregate,
    UnknownHolder,
    VersionTaken,
)
from ledger.eventlog.append import Append
from ledger.eventlog.idempotency import Answer, IdempotencyKey, PendingAnswer
from ledger.eventlog.log import EventLog
from ledger.eventlog.recognition import require_same_person
from ledger.eventlog.registry import ClaimHolder, Holder, HolderChange, ReleaseHolder

ATTEMPTS_MAX = 8
"""How often a command decides, if its appends are in conflict."""

L = TypeVar("L", bound=Aggregate)


class Renderer(Protocol):
    """Renders an outcome as the bytes that the caller gets, now and on every retry."""

    def aggregate(self, aggregate: Any, context: CommandContext) -> bytes:
        """The response with an aggregate, of the stream type that the commands are for."""
        ...

    def holder(self, aggregates: Sequence[Aggregate], at: datetime) -> bytes: ...

    def refusal(self, refusal: Refused) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Command:
    """What every command has besides its facts.

    ``expected_versions`` are those that the caller accepts; ``None`` accepts any.
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
    """What is stored with a stream's first event: the key that seals it, and the portrait."""

    key: HolderKey | None = None
    portrait: SealedPortrait | None = None


NO_NEW_HOLDER = NewHolderData()


class CommandRunner:
    """Loads, decides and appends, for the commands of a subclass."""

    def __init__(
        self,
        log: EventLog,
        mapper: EventMapper,
        *,
        renderer: Renderer | None = None,
        new_holder_id: Callable[[], str] = lambda: randomness.source.take(16).hex(),
    ) -> None:
        self.log = log
        self._mapper = mapper
        self._renderer = renderer
        self._new_holder_id = new_holder_id

    async def _begin(
        self,
        command: Command,
        begin: Callable[[str], L],
        index_of: Callable[[L], bytes],
        *,
        portrait: Portrait | None = None,
        released: bool = False,
    ) -> Answer:
        """Begin a stream for a person, under the person's holder id and key or under new ones.

        Most people are new. They are looked up only after a conflict.

        Args:
            begin: decides, given the holder id.
            index_of: the person's index, under which the stream claims the person.
            portrait: is stored with the first event.
            released: whether the person is released at once, and may begin another stream.

        Raises:
            HolderIsRestricted: the person is on record, and restricted.
            RegisterDiffers: the record is another person's.
        """
        known: Holder | None = None

        async def attempt() -> Answer:
            nonlocal known
            if known and known.restricted:
                raise HolderIsRestricted().telling_of(*await self._streams_of(known))
            holder_id = known.holder_id if known else self._new_holder_id()
            aggregate = begin(holder_id)
            index = index_of(aggregate)
            try:
                if known:
                    await self._require_same_person(known, index, index_of)
                    key, wrapped = await self._key_of(holder_id), None
                else:
                    key, wrapped = await self.log.new_holder_key(holder_id)
                sealed = portrait.seal(key, aggregate.id, aggregate.version) if portrait else None
                claimed = ClaimHolder(index, holder_id, aggregate.id, wrapped)
                changes: list[HolderChange] = [claimed]
                if released:
                    changes.append(ReleaseHolder(index, aggregate.id))
                return await self._append(aggregate, command, changes, NewHolderData(key, sealed))
            except (HolderTaken, VersionTaken):
                known = (await self.log.holders([index])).get(index)
                if known:
                    self._require_may_begin(known)
                raise

        return await self._decide(command, attempt)

    async def _require_same_person(
        self, holder: Holder, index: bytes, index_of: Callable[[Any], bytes]
    ) -> None:
        """
        Raises:
            RegisterDiffers: the register gives this person another's record.
            HolderTaken: it is another one by now.
        """
        try:
            await require_same_person(self.log, holder.holder_id, index, index_of)
        except RegisterDiffers:
            if (await self.log.holders([index])).get(index) != holder:
                raise HolderTaken from None
            raise

    async def _streams_of(self, holder: Holder) -> tuple[str, ...]:
        """Return the holder's streams, of all types."""
        record = await self.log.holder(holder.holder_id)
        return record.permit_numbers if record else ()

    def _require_may_begin(self, holder: Holder) -> None:
        """Raise the refusal of a person who may have no further stream."""

    async def _change(
        self,
        load: Callable[[], Awaitable[L]],
        command: Command,
        act: Callable[[L], Sequence[HolderChange] | None],
    ) -> Answer:
        """Load an aggregate, let it decide, append."""

        async def attempt() -> Answer:
            aggregate = await load()
            command.require_expected(aggregate.version)
            try:
                return await self._append(aggregate, command, act(aggregate) or ())
            except HolderTaken as conflict:
                raise await self._refusal_of(conflict, aggregate) from None

        return await self._decide(command, attempt)

    async def _refusal_of(self, conflict: HolderTaken, aggregate: Any) -> Exception:  # noqa: ARG002
        """Return why a change that claims a person is refused; ``aggregate`` has decided it."""
        return conflict

    async def _decide(self, command: Command, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """Run ``attempt`` until it succeeds or is refused.

        A retry of a command that has a response can't succeed again, since its key is taken.
        Whatever it fails with, it gets that first response.
        """
        for _ in range(ATTEMPTS_MAX):
            try:
                return await attempt()
            except (
                AppendConflict,
                DomainError,
                UnknownAggregate,
                UnknownHolder,
                StaleVersion,
            ) as error:
                if answer := await self._kept_answer(command):
                    return answer
                if isinstance(error, KekClosed):
                    await self.log.reload_keks()
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
        new_holder: NewHolderData = NO_NEW_HOLDER,
    ) -> Answer:
        body = self._renderer.aggregate(aggregate, command.context) if self._renderer else b""
        return await self._write([aggregate], body, command, holder_changes, new_holder)

    async def _write(
        self,
        aggregates: Sequence[Aggregate],
        body: bytes,
        command: Command,
        holder_changes: Sequence[HolderChange],
        new_holder: NewHolderData = NO_NEW_HOLDER,
    ) -> Answer:
        """Append the pending events of one holder's aggregates; ``body`` is the response."""
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
        key = new_holder.key
        if key is None and any(map(is_personal, events)):
            key = await self._key_of(aggregates[-1].holder_id)
        stored = [self._mapper.to_stored_event(event, key) for event in events]
        positions = await self.log.append(
            Append(stored, holder_changes, pending, new_holder.portrait)
        )
        last = positions[-1] if positions else position
        return Answer(True, body, version, last, appended=bool(positions))

    async def _key_of(self, holder_id: str) -> HolderKey:
        """
        Raises:
            KeyUnusable: there is none.
            VersionTaken: it was destroyed, together with an event that is not in the aggregate.
        """
        key = require(await self.log.holder_keys([holder_id]), holder_id)
        if key is ERASED:
            raise VersionTaken
        return key

    async def _keep_refusal(self, refusal: Refused, command: Command) -> bool:
        """Keep a refusal as the key's response, whatever changes later.

        ``False`` if the key has a response by now: that of the same request, which was faster and
        may be why this one was refused.
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
