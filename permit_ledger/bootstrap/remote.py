"""Puts the HTTP service of a remote database together: checks of cards, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from importlib.metadata import version

from fastapi import FastAPI

from api.app import create_remote_app
from api.checks.receipts import ReceiptSigner
from api.checks.remote import RemoteServices
from api.http.dpop import SeenProofs
from api.http.rate_limits import CheckLimits
from api.operations.development import router as development_router
from consumers.relay.records import partition_of
from ledger.database.clock import DevelopmentClock
from permit_ledger.keys import files as keys
from permit_ledger.keys.receipt_keys import WatchedKeys
from permit_ledger.settings import DEVELOPMENT_ISSUER, Settings
from projections.queries.check_batcher import CheckBatcher
from projections.queries.permits import read_pool
from projections.remote.cards import RemoteCards

from .cli_context import policy_in_force, service_clock
from .service import (
    development_issuer,
    follow_clock,
    in_background,
    public_url,
    require_issuer,
    telling,
    token_verifier,
    trusted_keys,
)


def far_http_service(settings: Settings, database_url: str) -> FastAPI:
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

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.enter_context(telling())
            if issuer_keys:
                in_background(stack, issuer_keys.keep_fresh())
            follow_clock(stack, clock)
            pool = await stack.enter_async_context(
                read_pool(database_url, connections_max=settings.database_connections_max)
            )
            app.state.services = RemoteServices(
                cards=RemoteCards(pool, partition_of),
                checks=stack.enter_context(closing(CheckBatcher(database_url))),
                limits=CheckLimits(
                    keys.blind_index(settings),
                    per_verifier_per_minute=settings.checks_per_verifier_per_minute,
                    per_permit_per_minute=settings.checks_per_permit_per_minute,
                ),
                clock=clock,
                policy=policy_in_force(settings),
                tokens=token_verifier(settings, issuer_keys),
                proofs=SeenProofs(),
                public_url=public_url(settings),
                receipts=ReceiptSigner(
                    WatchedKeys(settings), issuer=settings.issuer or DEVELOPMENT_ISSUER
                ),
            )
            yield

    return create_remote_app(lifespan, version=version("permit-ledger"), development=development)
