"""Puts the HTTP service together: which settings become which objects, and who closes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from importlib.metadata import version
from threading import Event

import structlog
from fastapi import FastAPI
from joserfc.jwk import KeySet
from psycopg import OperationalError

from api.app import create_app
from api.checks.decoding import Decoders
from api.checks.receipts import ReceiptSigner
from api.http.dpop import SeenProofs
from api.http.rate_limits import CheckLimits, RateLimit
from api.http.services import Services
from api.http.streams import PUBLIC_STREAMS_MAX, Streams
from api.http.tokens import TokenVerifier
from api.http.waits import Waits
from api.id_cards.presentation import IdCardRenderer
from api.operations.development import DevelopmentIssuer
from api.operations.development import router as development_router
from api.operations.live_summary import LiveSummaryFeed
from api.operations.published import Published, StatsFeed
from api.permits.presentation import JsonRenderer
from domain.policy import Policy
from ledger.checks.audit_reads import AuditReads
from ledger.checks.display_codes import DisplayCodes
from ledger.checks.history import CheckHistory
from ledger.commands.holders import HolderCommands
from ledger.commands.id_cards import IdCardCommands
from ledger.commands.ledger import PermitLedger
from ledger.commands.permits import PermitCommands
from ledger.database.clock import Clock, DevelopmentClock
from ledger.errors import Unavailable
from ledger.eventlog.async_log import AsyncLog
from ledger.eventlog.history import StreamHistories
from permit_ledger.keys import files as keys
from permit_ledger.keys.issuer import IssuerKeys, load_at_start
from permit_ledger.keys.key_encryption import keyring
from permit_ledger.keys.log_keys import watched_verifiers
from permit_ledger.keys.receipt_keys import WatchedKeys
from permit_ledger.logging.tracebacks import describe
from permit_ledger.settings import DEVELOPMENT_ISSUER, Settings
from projections.quarantine.admin import QuarantineAdmin
from projections.queries.changes import PermitChanges
from projections.queries.check_batcher import CheckBatcher
from projections.queries.fresh import FreshReader, StreamFolder
from projections.queries.id_cards import IdCardReader
from projections.queries.live_summary import LiveSummaryReader
from projections.queries.permits import PermitReader, read_pool
from projections.queries.waiting import ViewPosition
from projections.views.registry import all_views
from transparency.reading import TreeReader
from transparency.witness.witnessed import WitnessedCheckpoints
from web import pages

from .cli_context import policy_in_force, service_clock
from .due_dates import settle_due_dates
from .witness_policy import witness_policy
from .workdays import MainlandWorkdays

DEVELOPMENT_STATION = "320211-01"

_log = structlog.get_logger(__name__)


class NoIssuer(Exception):
    """Nobody is trusted to say who is who."""


def development_issuer(settings: Settings) -> DevelopmentIssuer:
    """Whoever signs tokens in development mode."""
    return DevelopmentIssuer(
        key=keys.development_issuer_key(settings),
        issuer=DEVELOPMENT_ISSUER,
        audience=settings.audience,
        station=DEVELOPMENT_STATION,
        scenarios=tuple(policy_in_force(settings).scenarios),
    )


def http_service(settings: Settings, database_url: str) -> FastAPI:
    """The HTTP application; everything it needs is opened and closed in its lifespan.

    Raises:
        NoIssuer: neither a real issuer nor development mode is set.
        NoKeys: the issuer's keys can't be had.
    """
    require_issuer(settings)
    clock = service_clock(settings, database_url)
    issuer_keys = trusted_keys(settings)
    development = None
    if isinstance(clock, DevelopmentClock):
        development = development_router(development_issuer(settings), clock)

    policy = policy_in_force(settings)
    witnesses = witness_policy(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(telling())
            if issuer_keys:
                in_background(stack, issuer_keys.keep_fresh())
            follow_clock(stack, clock)
            ledger = PermitLedger(
                database_url,
                blind_index=keys.blind_index(settings),
                keyring=keyring(settings),
                connections_max=settings.database_connections_max,
            )
            stack.enter_context(closing(ledger))
            pool = await stack.enter_async_context(
                read_pool(database_url, connections_max=settings.database_connections_max)
            )
            log = AsyncLog(ledger.log.commits, pool, ledger.event_mapper, ledger.holder_keys)
            trees = TreeReader(pool, settings.origin)
            commands = PermitCommands(
                log, ledger.event_mapper, blind_index=ledger.blind_index, renderer=JsonRenderer()
            )
            reader = PermitReader(pool, ledger.holder_keys)
            id_cards = IdCardReader(pool)
            folder = StreamFolder(pool, ledger.event_mapper, ledger.holder_keys)
            views = await stack.enter_async_context(ViewPosition(database_url))
            public_streams = Streams(PUBLIC_STREAMS_MAX, PUBLIC_STREAMS_MAX)
            pulse = LiveSummaryFeed(LiveSummaryReader(pool, reader), views, clock, public_streams)
            in_background(stack, pulse.run())
            stats = StatsFeed(
                Published(settings.published_dir), Streams(PUBLIC_STREAMS_MAX, PUBLIC_STREAMS_MAX)
            )
            in_background(stack, stats.run())
            app.state.services = Services(
                ledger=commands,
                holders=HolderCommands(log, ledger.event_mapper, renderer=JsonRenderer()),
                id_cards=IdCardCommands(
                    log,
                    ledger.event_mapper,
                    blind_index=ledger.blind_index,
                    workdays=MainlandWorkdays(),
                    renderer=IdCardRenderer(),
                ),
                id_card_reader=id_cards,
                progress_limit=RateLimit(
                    settings.progress_per_client_per_minute, what="questions from this address"
                ),
                reader=reader,
                fresh=FreshReader(reader, id_cards, folder, views, wait_s=settings.check_wait_s),
                folder=folder,
                checks=stack.enter_context(closing(CheckBatcher(database_url))),
                history=CheckHistory(pool, ledger.holder_keys),
                histories=StreamHistories(pool, ledger.event_mapper, ledger.holder_keys),
                audit_reads=AuditReads(pool),
                codes=DisplayCodes(pool, keys.display_codes(settings)),
                limits=CheckLimits(
                    ledger.blind_index,
                    per_verifier_per_minute=settings.checks_per_verifier_per_minute,
                    per_permit_per_minute=settings.checks_per_permit_per_minute,
                ),
                views=views,
                quarantine=QuarantineAdmin(
                    database_url, all_views(ledger.blind_index), ledger.holder_keys, describe
                ),
                clock=clock,
                policy=policy,
                tokens=token_verifier(settings, issuer_keys),
                proofs=SeenProofs(),
                receipts=ReceiptSigner(
                    WatchedKeys(settings), issuer=settings.issuer or DEVELOPMENT_ISSUER
                ),
                changes=await stack.enter_async_context(PermitChanges(pool, views)),
                streams=Streams(),
                public_streams=public_streams,
                pulse=pulse,
                stats=stats,
                decoders=Decoders(),
                trees=trees,
                witnessed=WitnessedCheckpoints(trees, witnesses),
                log_verifiers=watched_verifiers(settings),
                waits=Waits(),
                public_url=public_url(settings),
                min_position_wait_s=settings.min_position_wait_s,
                check_wait_s=settings.check_wait_s,
                list_wait_s=settings.list_wait_s,
                ready_lag_events_max=settings.ready_lag_events_max,
                backup_retention_days=settings.backup_retention_days,
            )
            in_background(stack, _settle_due_dates(ledger, database_url, policy, clock))
            yield

    return create_app(
        lifespan,
        version=version("permit-ledger"),
        development=development,
        pages=[pages.router(policy, is_development=settings.development)],
    )


def require_issuer(settings: Settings) -> None:
    """
    Raises:
        NoIssuer
    """
    if not settings.development and not settings.issuer:
        raise NoIssuer(
            "set PERMIT_LEDGER_ISSUER and PERMIT_LEDGER_JWKS, or PERMIT_LEDGER_DEVELOPMENT=true"
        )


def trusted_keys(settings: Settings) -> IssuerKeys | None:
    """Those of the issuer that is configured; ``None`` in development mode.

    Raises:
        NoKeys
    """
    return load_at_start(settings.jwks) if settings.issuer and settings.jwks else None


def public_url(settings: Settings) -> str | None:
    """What a request says of its host is believed in development mode alone."""
    return settings.public_url or (None if settings.development else settings.url)


def token_verifier(settings: Settings, issuer_keys: IssuerKeys | None) -> TokenVerifier:
    """Who believes the issuer that is configured, else that of development mode."""
    if issuer_keys and settings.issuer:
        return TokenVerifier(
            issuer_keys,
            issuer=settings.issuer,
            audience=settings.audience,
            refresh=issuer_keys.refresh,
        )
    own = KeySet([keys.development_issuer_key(settings)])
    return TokenVerifier(lambda: own, issuer=DEVELOPMENT_ISSUER, audience=settings.audience)


@contextmanager
def telling() -> Iterator[None]:
    """The server gets what stops it as a text only, with values in it, which no log may tell."""
    try:
        yield
    except Exception as error:
        _log.critical("service can't run", error=type(error).__name__, exc_info=error)
        raise


def in_background(stack: AsyncExitStack, work: Coroutine[None, None, None]) -> None:
    """Until the stack is left."""
    task = asyncio.create_task(work)
    stack.callback(task.cancel)


def follow_clock(stack: AsyncExitStack, clock: Clock) -> None:
    """In development mode, follow the clock where another process sets it, for the stack's life."""
    if isinstance(clock, DevelopmentClock):
        stopped = Event()
        stack.callback(stopped.set)
        clock.follow(stopped)


async def _settle_due_dates(
    ledger: PermitLedger, database_url: str, policy: Policy, clock: Clock
) -> None:
    """Once at a start: a new release may have brought the next year's calendar."""
    try:
        await asyncio.to_thread(
            settle_due_dates, ledger, database_url, MainlandWorkdays(), policy, clock.now()
        )
    except (Unavailable, OperationalError) as error:
        _log.warning("due dates not looked at", error=type(error).__name__)
