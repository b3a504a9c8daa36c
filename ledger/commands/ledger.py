"""The library's application with our parts in it, and its commands for threads."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from eventsourcing.application import Application
from eventsourcing.persistence import StoredEvent

from domain.aggregate import Aggregate, DomainEvent
from domain.permit import Permit
from ledger.codec.mapper import EventMapper, OrjsonTranscoder, holders_of
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.holder_keys import HolderKeys, Keys
from ledger.crypto.key_encryption import Keyring
from ledger.errors import UnknownPermit
from ledger.eventlog.log_access import BlockingLog, complete, folded, was_erased_meanwhile
from ledger.eventlog.recorder import LedgerRecorder

from .holders import HolderCommands
from .permits import PermitCommands
from .runner import Renderer

CONNECTIONS_MAX = 8

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", PermitCommands, HolderCommands)


def _blocking(
    command: Callable[Concatenate[C, P], Coroutine[Any, Any, R]],
    runner: Callable[[PermitLedger], C],
) -> Callable[Concatenate[PermitLedger, P], R]:
    """The same command for a thread, which waits in it."""

    def run(ledger: PermitLedger, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return complete(command(runner(ledger), *args, **kwargs))

    run.__doc__ = command.__doc__
    return run


def _permits(ledger: PermitLedger) -> PermitCommands:
    return ledger.commands


def _holders(ledger: PermitLedger) -> HolderCommands:
    return ledger.holder_commands


class PermitLedger(Application[str]):
    """All commands, each returning when it is done; safe for use by many threads.

    ``new_permit_number`` and ``new_holder_id`` (keywords, passed on) are for tests and samples.
    """

    name = "permits"

    def __init__(
        self,
        database_url: str,
        *,
        blind_index: BlindIndex,
        keyring: Keyring,
        renderer: Renderer | None = None,
        connections_max: int = CONNECTIONS_MAX,
        **sources: Callable[[], str],
    ) -> None:
        super().__init__(
            {
                "PERSISTENCE_MODULE": "ledger.eventlog.persistence:LedgerFactory",
                "DATABASE_URL": database_url,
                "DATABASE_CONNECTIONS_MAX": str(connections_max),
            }
        )
        self.blind_index = blind_index
        self.holder_keys = HolderKeys(keyring)
        self.access = BlockingLog(self.log, self.load, self.holder_keys)
        self.commands = PermitCommands(
            self.access, self.event_mapper, blind_index=blind_index, renderer=renderer, **sources
        )
        self.holder_commands = HolderCommands(self.access, self.event_mapper, renderer=renderer)

    def construct_transcoder(self) -> OrjsonTranscoder:
        return OrjsonTranscoder()

    def construct_mapper(self) -> EventMapper:
        return EventMapper(self.construct_transcoder())

    @property
    def event_mapper(self) -> EventMapper:
        """Between events and what is stored of them."""
        return cast("EventMapper", self.mapper)

    @property
    def log(self) -> LedgerRecorder:  # type: ignore[override]  # the library deprecated its own
        return cast("LedgerRecorder", self.recorder)

    def permit(self, number: str) -> Permit:
        """The permit, folded from its events.

        Raises:
            UnknownPermit
        """
        permit = self.load(number)
        if not isinstance(permit, Permit):
            raise UnknownPermit
        return permit

    def load(self, stream: str) -> Aggregate | None:
        """Whatever lives in a stream, folded from its events; ``None`` where there are none."""
        aggregate = self._folded(stream)
        return self._folded(stream) if was_erased_meanwhile(aggregate) else aggregate

    def _folded(self, stream: str) -> Aggregate | None:
        return folded(self.opened(self.log.select_events(stream)))

    def opened(self, stored_events: Iterable[StoredEvent]) -> list[DomainEvent]:
        """What is stored, read.

        Raises:
            UnreadableEvent
        """
        sealed = [self.event_mapper.parse(event) for event in stored_events]
        return self.event_mapper.open(sealed, self.keys_of(holders_of(sealed)))

    def keys_of(self, holder_ids: Sequence[str]) -> Keys:
        """The keys of those who have or had one."""
        return self.holder_keys.of(holder_ids, self.log.holder_keys)

    issue = _blocking(PermitCommands.issue, _permits)
    endorse = _blocking(PermitCommands.endorse, _permits)
    report_loss = _blocking(PermitCommands.report_loss, _permits)
    lift_loss = _blocking(PermitCommands.lift_loss, _permits)
    reissue = _blocking(PermitCommands.reissue, _permits)
    replace = _blocking(PermitCommands.replace, _permits)
    deliver_card = _blocking(PermitCommands.deliver_card, _permits)
    change_address = _blocking(PermitCommands.change_address, _permits)
    correct_identity = _blocking(PermitCommands.correct_identity, _permits)
    cancel = _blocking(PermitCommands.cancel, _permits)
    void = _blocking(PermitCommands.void, _permits)
    claim = _blocking(PermitCommands.claim, _permits)
    revoke_device = _blocking(PermitCommands.revoke_device, _permits)
    restrict = _blocking(HolderCommands.restrict, _holders)
    lift_restriction = _blocking(HolderCommands.lift_restriction, _holders)
    erase = _blocking(HolderCommands.erase, _holders)
