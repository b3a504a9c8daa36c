"""What the routers work with; made once, by :mod:`permit_ledger.bootstrap.service`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fastapi import Request

from domain.calendar import shanghai_date
from domain.context import CommandContext
from domain.policy import Policy
from domain.standing import Facts, Standing
from ledger.checks.audit_reads import AuditReads
from ledger.checks.card_codes import CardCodes
from ledger.checks.display_codes import DisplayCodes
from ledger.checks.history import CheckHistory
from ledger.checks.log import CheckProofs
from ledger.checks.registrar_reads import RegistrarReads
from ledger.commands.holders import HolderCommands
from ledger.commands.id_cards import IdCardCommands
from ledger.commands.permits import PermitCommands
from ledger.database.clock import Clock
from ledger.eventlog.history import StreamHistories
from projections.quarantine.admin import QuarantineAdmin
from projections.queries.changes import PermitChanges
from projections.queries.check_batcher import CheckBatcher
from projections.queries.fresh import FreshReader, StreamFolder
from projections.queries.id_cards import IdCardReader
from projections.queries.permits import PermitReader
from projections.queries.waiting import ViewPosition
from projections.queries.work_list import WorkListReader
from transparency.notes import NoteVerifier
from transparency.reading import TreeReader
from transparency.witness.witnessed import WitnessedCheckpoints

from .admission import Admission
from .cookies import SessionLookup
from .dpop import SeenProofs
from .rate_limits import CheckLimits, RateLimit
from .streams import Streams
from .tokens import HolderLookup, Principal, TokenVerifier
from .waits import Waits

if TYPE_CHECKING:  # these packages are built on this one
    from api.checks.receipts import ReceiptSigner
    from api.operations.live_summary import LiveSummaryFeed
    from api.operations.metrics_access import MetricsAccess
    from api.operations.published import StatsFeed
    from api.permits.face_matches import FaceMatches
    from api.pictures.processes import PictureProcesses


@dataclass(frozen=True, slots=True)
class Services:
    """``public_url`` is the origin under which callers know the service; ``None``: each request's.
    ``sessions`` are those of pages, where there is a provider to sign in at. ``holder_numbers``
    are looked up where accounts name the citizen number instead of the holder.
    ``decoders`` read verifiers' pictures, ``portraits`` those of registrars, who need not wait for
    the others.

    ``fruitless`` limits, by the caller's subject, requests that leave a record and nothing else.
    ``whole_histories`` limits the audit's reads that hold and fold all events of a stream.
    ``min_position_wait_s``, ``check_wait_s`` (also for reads of one permit) and ``list_wait_s``
    limit the time that a request waits for the views. The service is ready while they are at most
    ``ready_lag_events_max`` behind. ``waits`` are those of callers with a token, ``public_waits``
    of all others. Backups are kept for ``backup_retention_days``.
    """

    ledger: PermitCommands
    holders: HolderCommands
    id_cards: IdCardCommands
    id_card_reader: IdCardReader
    fruitless: RateLimit
    whole_histories: Admission
    progress_limit: RateLimit
    progress_guesses: RateLimit
    reader: PermitReader
    work_lists: WorkListReader
    fresh: FreshReader
    folder: StreamFolder
    views: ViewPosition
    checks: CheckBatcher
    history: CheckHistory
    check_proofs: CheckProofs
    histories: StreamHistories
    audit_reads: AuditReads
    registrar_reads: RegistrarReads
    codes: DisplayCodes
    card_codes: CardCodes
    limits: CheckLimits
    quarantine: QuarantineAdmin
    clock: Clock
    policy: Policy
    tokens: TokenVerifier
    proofs: SeenProofs
    face_matches: FaceMatches
    receipts: ReceiptSigner
    changes: PermitChanges
    streams: Streams
    live_summary: LiveSummaryFeed
    stats: StatsFeed
    frames_limit: RateLimit
    decoders: PictureProcesses
    portraits: PictureProcesses
    trees: TreeReader
    witnessed: WitnessedCheckpoints
    log_verifiers: Callable[[], Sequence[NoteVerifier]]
    waits: Waits
    public_waits: Waits
    metrics_access: MetricsAccess
    sessions: SessionLookup | None = None
    holder_numbers: HolderLookup | None = None
    public_url: str | None = None
    min_position_wait_s: float = 2.0
    check_wait_s: float = 0.1
    list_wait_s: float = 0.5
    ready_lag_events_max: int = 1000
    backup_retention_days: int = 35

    def stop_streaming(self) -> None:
        """End all streams and waits, so that the server can stop at once."""
        self.streams.close()
        self.live_summary.close()
        self.stats.close()
        self.waits.close()
        self.public_waits.close()

    def standing(self, facts: Facts) -> Standing:
        """Return a permit's state today."""
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
