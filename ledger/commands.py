"""How every command runs: decided on what is stored, appended with its answer, retried if lost."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import Mapper

from domain.context import CommandContext
from domain.errors import Refused
from domain.permit import Permit

from .errors import (
    Contended,
    HolderTaken,
    KeyReused,
    KeyTaken,
    StaleVersion,
    UnknownPermit,
    VersionTaken,
)
from .holders import HolderChange
from .idempotency import Answer, IdempotencyKey, PendingAnswer
from .mapper import EventMapper, OrjsonTranscoder
from .portraits import Portrait
from .recorder import LedgerRecorder

ATTEMPTS_MAX = 8
"""How often a command decides anew after losing a race."""
CONNECTIONS_MAX = 8


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


class CommandService(Application[str]):
    """The library's application with our parts in it, and the way a command takes through them."""

    name = "permits"

    def __init__(
        self, database_url: str, *, renderer: Renderer | None, connections_max: int
    ) -> None:
        super().__init__(
            {
                "PERSISTENCE_MODULE": "ledger.persistence:LedgerFactory",
                "DATABASE_URL": database_url,
                "DATABASE_CONNECTIONS_MAX": str(connections_max),
            }
        )
        self._renderer = renderer

    def construct_transcoder(self) -> OrjsonTranscoder:
        return OrjsonTranscoder()

    def construct_mapper(self) -> Mapper[str]:
        return EventMapper(self.construct_transcoder())

    @property
    def log(self) -> LedgerRecorder:  # type: ignore[override]  # the library deprecated its own
        return cast("LedgerRecorder", self.recorder)

    def permit(self, number: str) -> Permit:
        """The permit, folded from its events.

        Raises:
            UnknownPermit
        """
        try:
            return self.repository.get(number)
        except AggregateNotFoundError:
            raise UnknownPermit from None

    def _change(
        self,
        number: str,
        command: Command,
        act: Callable[[Permit], Sequence[HolderChange] | None],
        *,
        load: Callable[[], Permit] | None = None,
    ) -> Answer:
        def attempt() -> Answer:
            permit = load() if load else self.permit(number)
            if command.expected_version not in {None, permit.version}:
                raise StaleVersion
            return self._append(permit, command, act(permit) or ())

        return self._decide(command, attempt)

    def _decide(self, command: Command, attempt: Callable[[], Answer]) -> Answer:
        """Run ``attempt`` until it wins or loses for good; a known key is answered at once."""
        for _ in range(ATTEMPTS_MAX):
            if answer := self._kept_answer(command):
                return answer
            try:
                return attempt()
            except Refused as refusal:
                if self._keep_refusal(refusal, command):
                    raise
            except StaleVersion:
                if answer := self._kept_answer(command):
                    return answer
                raise
            except (VersionTaken, HolderTaken, KeyTaken):
                continue
        raise Contended

    def _kept_answer(self, command: Command) -> Answer | None:
        if (key := command.key) is None:
            return None
        kept = self.log.answers(key.caller, [key.key])
        if key.key not in kept:
            return None
        fingerprint, answer = kept[key.key]
        if not secrets.compare_digest(fingerprint, key.fingerprint):
            raise KeyReused
        return answer

    def _append(
        self,
        permit: Permit,
        command: Command,
        holder_changes: Sequence[HolderChange],
        portrait: Portrait | None = None,
    ) -> Answer:
        body = self._renderer.permit(permit, command.context) if self._renderer else b""
        changed = bool(permit.pending_events)
        position = None if changed else self.log.last_position(permit.id)
        pending = command.key and PendingAnswer(
            command.key, accepted=True, body=body, version=permit.version, position=position
        )
        recordings = self.save(
            permit, holder_changes=holder_changes, answer=pending, portrait=portrait
        )
        if recordings:
            position = recordings[-1].notification.id
        return Answer(True, body, permit.version, position)

    def _keep_refusal(self, refusal: Refused, command: Command) -> bool:
        """A refusal is an answer too: the same key gets it again, whatever has changed since.

        ``False`` where the key has an answer by now: the request that this one repeats was faster,
        and may be what this one was refused for.
        """
        if command.key is None:
            return True
        body = self._renderer.refusal(refusal) if self._renderer else b""
        pending = PendingAnswer(command.key, accepted=False, body=body, version=None)
        try:
            self.save(answer=pending)
        except KeyTaken:
            return False
        return True
