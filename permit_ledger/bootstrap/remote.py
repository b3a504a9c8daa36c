"""Puts the HTTP service of a remote database together: checks of cards, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from importlib.metadata import version

from fastapi import FastAPI

from api.app import create_remote_app
from api.checks.remote import RemoteServices
from api.http.dpop import SeenProofs
from consumers.relay.records import partition_of
from permit_ledger.keys import files as keys
from permit_ledger.settings import Settings
from projections.queries.check_batcher import CheckBatcher
from projections.remote.cards import RemoteCards

from .cli_context import policy_in_force
from .http_basis import HttpBasis
from .sign_in import accounts_without_holders, claims_mapping


def remote_http_service(settings: Settings, database_url: str) -> FastAPI:
    """Make the application; everything it needs is opened and closed in its lifespan.

    Raises:
        NoIssuer: neither a real issuer nor development mode is set.
        NoKeys: the issuer's keys are unavailable.
        BadClaimsMapping
    """
    basis = HttpBasis.of(settings, database_url)
    mapping = claims_mapping(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with basis.opened() as (stack, pool):
            app.state.services = RemoteServices(
                cards=RemoteCards(pool, partition_of),
                checks=stack.enter_context(closing(CheckBatcher(database_url))),
                limits=basis.check_limits(keys.blind_index(settings)),
                fruitless=basis.fruitless_limit(),
                card_codes=keys.card_codes(settings) if settings.card_code_key_file else None,
                clock=basis.clock,
                policy=policy_in_force(settings),
                tokens=basis.tokens(accounts_without_holders(mapping) if mapping else None),
                proofs=SeenProofs(),
                public_url=basis.public_url,
                receipts=basis.receipts(),
                metrics_access=basis.metrics_access(),
            )
            yield

    return create_remote_app(
        lifespan,
        version=version("permit-ledger"),
        development=basis.development(),
        hosts=basis.hosts(),
    )
