"""What the routers work with; made once, by whoever composes the service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from fastapi import Request

from domain.calendar import shanghai_date
from domain.context import CommandContext
from domain.policy import Policy
from domain.standing import Facts, Standing
from ledger.audit_reads import AuditReads
from ledger.check_history import CheckHistory
from ledger.clock import Clock
from ledger.display_codes import DisplayCodes
from ledger.history import StreamHistories
from ledger.holder_commands import HolderCommands
from ledger.id_card_commands import IdCardCommands
from ledger.permit_commands import PermitCommands
from ledger.tree.notes import NoteVerifier
from ledger.tree.reading import TreeReader
from ledger.tree.witnessed import WitnessedCheckpoints
from projections.changes import PermitChanges
from projections.check_line import CheckLine
from projections.desk import QuarantineDesk
from projections.fresh import FreshReader, StreamFolder
from projections.id_card_reading import IdCardReader
from projections.reading import PermitReader
from projections.waiting import ViewPosition

from .decoding import Decoders
from .dpop import SeenProofs
from .published import StatsFeed
from .pulse import PulseFeed
from .rate_limits import CheckLimits, RateLimit
from .receipts import ReceiptSigner
from .streams import Streams
from .tokens import Principal, TokenVerifier
from .waits import Waits


@dataclass(frozen=True, slots=True)
class Services:
    """``public_url`` is the origin by which callers know us; ``None``: what each request says.

    ``min_position_wait_s``, ``check_wait_s`` (also of any read of one permit) and ``list_wait_s``
    bound how long a request waits for the views;
    ``ready_lag_events_max`` is how far they may be behind while the service calls itself ready;
    ``backup_retention_days`` is how long copies of the database are kept."""

    ledger: PermitCommands
    holders: HolderCommands
    id_cards: IdCardCommands
    id_card_reader: IdCardReader
    progress_limit: RateLimit
    reader: PermitReader
    fresh: FreshReader
    folder: StreamFolder
    views: ViewPosition
    checks: CheckLine
    history: CheckHistory
    histories: StreamHistories
    audit_reads: AuditReads
    codes: DisplayCodes
    limits: CheckLimits
    quarantine: QuarantineDesk
    clock: Clock
    policy: Policy
    tokens: TokenVerifier
    proofs: SeenProofs
    receipts: ReceiptSigner
    changes: PermitChanges
    streams: Streams
    public_streams: Streams
    pulse: PulseFeed
    stats: StatsFeed
    decoders: Decoders
    trees: TreeReader
    witnessed: WitnessedCheckpoints
    log_verifiers: Callable[[], Sequence[NoteVerifier]]
    waits: Waits
    public_url: str | None = None
    min_position_wait_s: float = 2.0
    check_wait_s: float = 0.1
    list_wait_s: float = 0.5
    ready_lag_events_max: int = 1000
    backup_retention_days: int = 35

    def stop_streaming(self) -> None:
        """End what would go on by itself, so that a server that stops has nothing to wait for."""
        self.streams.close()
        self.public_streams.close()
        self.stats.listeners.close()
        self.waits.close()

    def standing(self, facts: Facts) -> Standing:
        """Where a permit stands today."""
        return Standing(facts, shanghai_date(self.clock.now()))

    def context(self, principal: Principal, correlation_id: str) -> CommandContext:
        return CommandContext(
            actor=principal.subject,
            station=principal.station,
            correlation_id=correlation_id,
            at=self.clock.now(),
            policy=self.policy,
        )


async def services(request: Request) -> Services:
    return cast("Services", request.app.state.services)
