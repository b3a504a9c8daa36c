"""The library's application with our parts in it, and its commands for threads."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import Mapper

from domain.permit import Permit

from .blind_index import BlindIndex
from .commands import Renderer
from .errors import UnknownPermit
from .log_access import BlockingLog, complete
from .mapper import EventMapper, OrjsonTranscoder
from .permit_commands import PermitCommands
from .recorder import LedgerRecorder

CONNECTIONS_MAX = 8

P = ParamSpec("P")
R = TypeVar("R")


def _blocking(
    command: Callable[Concatenate[PermitCommands, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[PermitLedger, P], R]:
    """The same command for a thread, which waits in it."""

    def run(ledger: PermitLedger, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return complete(command(ledger.commands, *args, **kwargs))

    run.__doc__ = command.__doc__
    return run


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
        renderer: Renderer | None = None,
        connections_max: int = CONNECTIONS_MAX,
        **sources: Callable[[], str],
    ) -> None:
        super().__init__(
            {
                "PERSISTENCE_MODULE": "ledger.persistence:LedgerFactory",
                "DATABASE_URL": database_url,
                "DATABASE_CONNECTIONS_MAX": str(connections_max),
            }
        )
        self.blind_index = blind_index
        self.commands = PermitCommands(
            BlockingLog(self.log, self.permit),
            self.mapper,
            blind_index=blind_index,
            renderer=renderer,
            **sources,
        )

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

    issue = _blocking(PermitCommands.issue)
    endorse = _blocking(PermitCommands.endorse)
    report_loss = _blocking(PermitCommands.report_loss)
    lift_loss = _blocking(PermitCommands.lift_loss)
    reissue = _blocking(PermitCommands.reissue)
    replace = _blocking(PermitCommands.replace)
    deliver_card = _blocking(PermitCommands.deliver_card)
    change_address = _blocking(PermitCommands.change_address)
    correct_identity = _blocking(PermitCommands.correct_identity)
    cancel = _blocking(PermitCommands.cancel)
    void = _blocking(PermitCommands.void)
    claim = _blocking(PermitCommands.claim)
    revoke_device = _blocking(PermitCommands.revoke_device)
