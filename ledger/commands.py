"""How every command runs: decided on what is stored, appended with its answer, retried if lost."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from eventsourcing.persistence import Mapper

from domain.context import CommandContext
from domain.errors import AlreadyHoldsPermit, DomainError, Refused
from domain.permit import Permit

from .append import Append
from .errors import (
    AppendConflict,
    Contended,
    HolderTaken,
    KeyReused,
    KeyTaken,
    StaleVersion,
    UnknownPermit,
)
from .holders import HolderChange
from .idempotency import Answer, IdempotencyKey, PendingAnswer
from .log_access import LogAccess
from .portraits import Portrait

ATTEMPTS_MAX = 8
"""How often a command decides anew after losing a race."""


class Renderer(Protocol):
    """Puts an outcome into the bytes that the caller gets, now and on every retry."""

    def permit(self, permit: Permit, context: CommandContext) -> bytes: ...

    def refusal(self, refusal: Refused) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Command:
    """What comes with every command besides its facts.

    ``expected_version`` is the version that the caller saw last, if it cares.
    """

    context: CommandContext
    key: IdempotencyKey | None = None
    expected_version: int | None = None


class CommandRunner:
    """The way that every command takes."""

    def __init__(
        self, log: LogAccess, mapper: Mapper[str], *, renderer: Renderer | None = None
    ) -> None:
        self.log = log
        self._mapper = mapper
        self._renderer = renderer

    async def _change(
        self,
        number: str,
        command: Command,
        act: Callable[[Permit], Sequence[HolderChange] | None],
        *,
        load: Callable[[], Awaitable[Permit]] | None = None,
    ) -> Answer:
        async def attempt() -> Answer:
            permit = await (load() if load else self.log.permit(number))
            if command.expected_version not in {None, permit.version}:
                raise StaleVersion
            try:
                return await self._append(permit, command, act(permit) or ())
            except HolderTaken:
                raise AlreadyHoldsPermit from None

        return await self._decide(command, attempt)

    async def _decide(self, command: Command, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """Run ``attempt`` until it wins or loses for good.

        A command that was answered before can't win again: its key is taken. Whatever it comes to
        now, it gets that first answer.
        """
        for _ in range(ATTEMPTS_MAX):
            try:
                return await attempt()
            except (AppendConflict, DomainError, UnknownPermit, StaleVersion) as error:
                if answer := await self._kept_answer(command):
                    return answer
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
        permit: Permit,
        command: Command,
        holder_changes: Sequence[HolderChange],
        portrait: Portrait | None = None,
    ) -> Answer:
        body = self._renderer.permit(permit, command.context) if self._renderer else b""
        position = None if permit.pending_events else await self.log.last_position(permit.id)
        pending = None
        if command.key:
            pending = PendingAnswer(
                command.key, accepted=True, body=body, version=permit.version, position=position
            )
        events = [self._mapper.to_stored_event(event) for event in permit.collect_events()]
        positions = await self.log.append(Append(events, holder_changes, pending, portrait))
        return Answer(True, body, permit.version, positions[-1] if positions else position)

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
