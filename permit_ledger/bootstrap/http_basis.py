"""What the central and the remote HTTP service have in common: who may call, clock, database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter
from joserfc.jwk import KeySet
from psycopg_pool import AsyncConnectionPool

from api.checks.receipts import ReceiptSigner
from api.http.addresses import KnownHosts, is_loopback
from api.http.metrics import measure_loop_lag
from api.http.rate_limits import CheckLimits, RateLimit
from api.http.tokens import TokenVerifier
from api.operations.development import DevelopmentIssuer
from api.operations.development import router as development_router
from api.operations.metrics_access import MetricsAccess
from api.sign_in.accounts import Accounts
from ledger.crypto.blind_index import BlindIndex
from ledger.database.clock import Clock, DevelopmentClock
from permit_ledger.keys import files as keys
from permit_ledger.keys.issuer import IssuerKeys, load_at_start
from permit_ledger.keys.receipt_keys import WatchedKeys
from permit_ledger.settings import DEVELOPMENT_ISSUER, Settings
from projections.queries.permits import read_pool

from .cli_context import policy_in_force, service_clock

DEVELOPMENT_STATION = "320211-01"
METRICS_TOKEN_LENGTH_MIN = 16
PROBED = frozenset({"/healthz", "/readyz", "/metrics"})
"""What load balancers and Prometheus ask by an address of the machine."""

_log = structlog.get_logger(__name__)


class NoIssuer(Exception):
    """No issuer of tokens is configured."""


def development_issuer(settings: Settings) -> DevelopmentIssuer:
    """The issuer of tokens in development mode; a registrar's station is one of the policy's."""
    policy = policy_in_force(settings)
    known = [station for stations in policy.stations.values() for station in stations]
    return DevelopmentIssuer(
        key=keys.development_issuer_key(settings),
        issuer=DEVELOPMENT_ISSUER,
        audience=settings.audience,
        station=DEVELOPMENT_STATION if DEVELOPMENT_STATION in known else known[0],
        scenarios=tuple(policy.scenarios),
    )


@dataclass(frozen=True, slots=True)
class HttpBasis:
    """``issuer_keys`` are those of the configured issuer; ``None`` in development mode."""

    settings: Settings
    database_url: str
    clock: Clock
    issuer_keys: IssuerKeys | None

    @classmethod
    def of(cls, settings: Settings, database_url: str) -> HttpBasis:
        """
        Raises:
            NoIssuer: neither a real issuer nor development mode is set.
            NoKeys: the issuer's keys are unavailable.
        """
        if not settings.development and not settings.issuer:
            raise NoIssuer(
                "set PERMIT_LEDGER_ISSUER and PERMIT_LEDGER_JWKS, or PERMIT_LEDGER_DEVELOPMENT=true"
            )
        clock = service_clock(settings, database_url)
        issuer_keys = load_at_start(settings.jwks) if settings.issuer and settings.jwks else None
        return cls(settings, database_url, clock, issuer_keys)

    def development(self) -> APIRouter | None:
        """The endpoints that exist in development mode only."""
        if not isinstance(self.clock, DevelopmentClock):
            return None
        return development_router(development_issuer(self.settings), self.clock)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[AsyncExitStack, AsyncConnectionPool[Any]]]:
        """A stack for everything that the service opens, and its pool for reads."""
        async with AsyncExitStack() as stack:
            stack.enter_context(_logged())
            in_background(stack, measure_loop_lag())
            if self.issuer_keys:
                in_background(stack, self.issuer_keys.keep_fresh())
            if isinstance(self.clock, DevelopmentClock):
                stopped = Event()
                stack.callback(stopped.set)
                self.clock.follow(stopped)
            connections_max = self.settings.database_connections_max
            pool = await stack.enter_async_context(
                read_pool(self.database_url, connections_max=connections_max)
            )
            yield stack, pool

    def tokens(self, accounts: Accounts | None = None) -> TokenVerifier:
        """Trusts the configured issuer, or that of development mode; ``accounts`` reads claims that
        have other names than here."""
        settings, issuer_keys = self.settings, self.issuer_keys
        if issuer_keys and settings.issuer:
            return TokenVerifier(
                issuer_keys,
                issuer=settings.issuer,
                audience=settings.audience,
                refresh=issuer_keys.refresh,
                principal_of=accounts.principal if accounts else None,
            )
        own = KeySet([keys.development_issuer_key(settings)])
        return TokenVerifier(lambda: own, issuer=DEVELOPMENT_ISSUER, audience=settings.audience)

    def receipts(self) -> ReceiptSigner:
        issuer = self.settings.issuer or DEVELOPMENT_ISSUER
        return ReceiptSigner(WatchedKeys(self.settings), issuer=issuer)

    def hosts(self) -> KnownHosts | None:
        """The names by which the service is asked. In development mode, which gives a token to
        anybody, they are this machine's, so that no web page reaches it under a name of its own;
        elsewhere any, unless there is a public one."""
        settings = self.settings
        named = {urlsplit(settings.public_url).hostname or ""} if settings.public_url else set()
        if settings.development:
            return KnownHosts(frozenset(named | {settings.host.lower()}))
        return KnownHosts(frozenset(named), PROBED) if named else None

    def metrics_access(self) -> MetricsAccess:
        """
        Raises:
            UnusableKey: the token's file holds none.
            OSError: it can't be read.
        """
        if (file := self.settings.metrics_token_file) is None:
            return MetricsAccess(is_proxied=self._is_proxied())
        token = file.read_text(encoding="ascii").strip()
        if len(token) < METRICS_TOKEN_LENGTH_MIN or any(map(str.isspace, token)):
            raise keys.UnusableKey(
                f"{file} holds no token for metrics: {METRICS_TOKEN_LENGTH_MIN} characters or more,"
                " on one line"
            )
        return MetricsAccess(token)

    def _is_proxied(self) -> bool:
        """Whether proxies are configured; a public name says so too."""
        host = urlsplit(self.settings.public_url or "").hostname or "localhost"
        is_elsewhere = host != "localhost" and not is_loopback(host)
        return is_elsewhere or self.settings.trusted_proxies is not None

    def check_limits(self, blind_index: BlindIndex) -> CheckLimits:
        return CheckLimits(
            blind_index,
            per_verifier_per_minute=self.settings.checks_per_verifier_per_minute,
            per_permit_per_minute=self.settings.checks_per_permit_per_minute,
            permits_per_hour=policy_in_force(self.settings).permits_per_hour,
            permits_per_verifier_per_hour=self.settings.permits_per_verifier_per_hour,
        )

    def fruitless_limit(self) -> RateLimit:
        return RateLimit(
            self.settings.fruitless_per_account_per_minute,
            what="requests by this account that came to nothing",
        )

    @property
    def public_url(self) -> str | None:
        """``None`` in development mode: there each request's own host is believed."""
        settings = self.settings
        return settings.public_url or (None if settings.development else settings.url)


def in_background(stack: AsyncExitStack, work: Coroutine[None, None, None]) -> None:
    """Run ``work`` until the stack is left."""
    task = asyncio.create_task(work)
    stack.callback(task.cancel)


@contextmanager
def _logged() -> Iterator[None]:
    """Log what stops the service here: the server would log its text, which may hold values."""
    try:
        yield
    except Exception as error:
        _log.critical("service can't run", error=type(error).__name__, exc_info=error)
        raise
