"""Puts the central HTTP service together from its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from importlib.metadata import version

import structlog
from fastapi import FastAPI

from api.app import create_app
from api.http import cookies
from api.http.admission import Admission
from api.http.dpop import SeenProofs
from api.http.rate_limits import PROGRESS_GUESSES_PER_HOUR, RateLimit
from api.http.services import Services
from api.http.streams import PUBLIC_STREAMS_A_CLIENT_MAX, PUBLIC_STREAMS_MAX, Streams
from api.http.waits import Waits
from api.id_cards.presentation import IdCardRenderer
from api.operations.live_summary import LiveSummaryFeed
from api.operations.published import Published, StatsFeed
from api.permits.presentation import PermitRenderer
from api.pictures.processes import PictureProcesses
from api.sign_in.routes import router as sign_in_router
from domain.policy import Policy
from ledger.checks.audit_reads import AuditReads
from ledger.checks.display_codes import DisplayCodes
from ledger.checks.history import CheckHistory
from ledger.checks.registrar_reads import RegistrarReads
from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.commands.holders import HolderCommands
from ledger.commands.id_cards import IdCardCommands
from ledger.commands.permits import PermitCommands
from ledger.crypto.holder_keys import HolderKeys
from ledger.database.clock import Clock
from ledger.errors import Unavailable
from ledger.eventlog.append import append_commits
from ledger.eventlog.history import StreamHistories
from ledger.eventlog.log import EventLog
from ledger.eventlog.notifier import notifier_at
from ledger.eventlog.reads import Pool
from permit_ledger.keys import files as keys
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.keys.log_keys import watched_verifiers
from permit_ledger.logging.tracebacks import describe
from permit_ledger.settings import Settings
from projections.quarantine.admin import QuarantineAdmin
from projections.queries.changes import PermitChanges
from projections.queries.check_batcher import CheckBatcher
from projections.queries.fresh import FreshReader, StreamFolder
from projections.queries.id_cards import IdCardReader
from projections.queries.live_summary import LiveSummaryReader
from projections.queries.permits import PermitReader
from projections.queries.waiting import ViewPosition
from projections.queries.work_list import WorkListReader
from projections.views.registry import all_views
from transparency.reading import TreeReader
from transparency.witness.witnessed import WitnessedCheckpoints
from web import pages

from .cli_context import policy_in_force
from .due_dates import settle_due_dates
from .face_matches import configured_provider, face_matches, step_up
from .http_basis import HttpBasis, in_background
from .sign_in import accounts, claims_mapping, client_of, holder_numbers, sign_in
from .witness_policy import witness_policy
from .workdays import MainlandWorkdays

WHOLE_HISTORIES_MAX, WHOLE_HISTORIES_A_CLIENT_MAX = 16, 4
"""At once in this process; the longest takes some 300 MB, a usual one nothing to speak of."""

_log = structlog.get_logger(__name__)


def http_service(settings: Settings, database_url: str) -> FastAPI:
    """Make the central application; everything it needs is opened and closed in its lifespan.

    Raises:
        NoIssuer: neither a real issuer nor development mode is set.
        NoKeys: the issuer's keys are unavailable, or the face provider's.
        BadFaceProvider
        BadClaimsMapping, UnusableKey, OSError: of the sign-in.
    """
    basis = HttpBasis.of(settings, database_url)
    policy = policy_in_force(settings)
    witnesses = witness_policy(settings)
    mapping, client = claims_mapping(settings), client_of(settings)
    face_provider = configured_provider(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with basis.opened() as (stack, pool):
            blind_index = keys.blind_index(settings)
            holder_keys = HolderKeys(keyring(settings))
            mapper = EventMapper(OrjsonTranscoder())
            notifier = stack.enter_context(closing(notifier_at(database_url)))
            commits = append_commits(database_url, committed=notifier.notify)
            stack.enter_context(closing(commits))
            log = EventLog(commits, pool, mapper, holder_keys)
            log_verifiers = watched_verifiers(settings)
            trees = TreeReader(
                pool,
                settings.origin,
                lambda: [*log_verifiers(), *(witness.key for witness in witnesses.witnesses)],
            )
            commands = PermitCommands(
                log, mapper, blind_index=blind_index, renderer=PermitRenderer()
            )
            applications = IdCardCommands(
                log,
                mapper,
                blind_index=blind_index,
                workdays=MainlandWorkdays(),
                renderer=IdCardRenderer(),
            )
            reader = PermitReader(pool, holder_keys)
            id_cards = IdCardReader(pool)
            folder = StreamFolder(pool, mapper, holder_keys)
            views = await stack.enter_async_context(ViewPosition(database_url))
            live_summary = LiveSummaryFeed(
                LiveSummaryReader(pool, reader),
                views,
                basis.clock,
                Streams(PUBLIC_STREAMS_MAX, PUBLIC_STREAMS_A_CLIENT_MAX),
            )
            in_background(stack, live_summary.run())
            stats = StatsFeed(
                Published(settings.published_dir),
                Streams(PUBLIC_STREAMS_MAX, PUBLIC_STREAMS_A_CLIENT_MAX),
            )
            in_background(stack, stats.run())
            check_proofs = keys.check_proofs(settings)
            decoders, portraits = PictureProcesses(), PictureProcesses()
            stack.push_async_callback(decoders.close)
            stack.push_async_callback(portraits.close)
            known = accounts(mapping, log, blind_index) if mapping else None
            tokens = basis.tokens(known)
            if face_provider:
                in_background(stack, face_provider.keys.keep_fresh())
            signing_in = None
            if client and known:
                key = keys.sessions(settings)
                signing_in = sign_in(client, key, pool, tokens, known, step_up(settings))
            app.state.sign_in = signing_in
            app.state.services = Services(
                ledger=commands,
                holders=HolderCommands(log, mapper, renderer=PermitRenderer()),
                id_cards=applications,
                id_card_reader=id_cards,
                whole_histories=Admission(
                    WHOLE_HISTORIES_MAX,
                    "Too many histories are being read: try again.",
                    a_client_max=WHOLE_HISTORIES_A_CLIENT_MAX,
                ),
                fruitless=basis.fruitless_limit(),
                progress_limit=RateLimit(
                    settings.progress_per_client_per_minute, what="questions from this address"
                ),
                progress_guesses=RateLimit(
                    PROGRESS_GUESSES_PER_HOUR,
                    what="wrong details for this receipt",
                    period_s=3600,
                ),
                reader=reader,
                work_lists=WorkListReader(pool),
                fresh=FreshReader(reader, id_cards, folder, views, wait_s=settings.check_wait_s),
                folder=folder,
                checks=stack.enter_context(closing(CheckBatcher(database_url))),
                history=CheckHistory(pool, holder_keys, check_proofs),
                check_proofs=check_proofs,
                histories=StreamHistories(pool, mapper, holder_keys),
                audit_reads=AuditReads(pool),
                registrar_reads=stack.enter_context(closing(RegistrarReads(database_url, pool))),
                codes=DisplayCodes(pool, keys.display_codes(settings)),
                card_codes=keys.card_codes(settings),
                limits=basis.check_limits(blind_index),
                views=views,
                quarantine=QuarantineAdmin(
                    database_url, all_views(blind_index), holder_keys, describe
                ),
                clock=basis.clock,
                policy=policy,
                tokens=tokens,
                sessions=signing_in.sessions if signing_in else None,
                holder_numbers=holder_numbers(log) if known else None,
                proofs=SeenProofs(),
                face_matches=face_matches(settings, face_provider, pool),
                receipts=basis.receipts(),
                changes=await stack.enter_async_context(PermitChanges(pool, views)),
                streams=Streams(),
                live_summary=live_summary,
                stats=stats,
                frames_limit=RateLimit(
                    settings.frames_per_verifier_per_minute, what="pictures by this account"
                ),
                decoders=decoders,
                portraits=portraits,
                trees=trees,
                witnessed=WitnessedCheckpoints(trees, witnesses),
                log_verifiers=log_verifiers,
                waits=Waits(),
                public_waits=Waits(),
                metrics_access=basis.metrics_access(),
                public_url=basis.public_url,
                min_position_wait_s=settings.min_position_wait_s,
                check_wait_s=settings.check_wait_s,
                list_wait_s=settings.list_wait_s,
                ready_lag_events_max=settings.ready_lag_events_max,
                backup_retention_days=settings.backup_retention_days,
            )
            in_background(stack, _settle_due_dates(applications, pool, policy, basis.clock))
            yield

    return create_app(
        lifespan,
        version=version("permit-ledger"),
        development=basis.development(),
        pages=[
            pages.router(
                policy,
                is_development=settings.development,
                session_cookie=cookies.COOKIE if client else None,
            ),
            *([sign_in_router] if client else []),
        ],
        hosts=basis.hosts(),
    )


async def _settle_due_dates(
    commands: IdCardCommands, pool: Pool, policy: Policy, clock: Clock
) -> None:
    """Compute due dates at the start: a release may bring the next year's calendar."""
    try:
        await settle_due_dates(commands, pool, MainlandWorkdays(), policy, clock.now())
    except Unavailable as error:
        _log.warning("due dates not settled", error=type(error).__name__)
