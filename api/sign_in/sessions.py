"""Sessions of browsers, kept in the database and sealed with a key that is not in it.

The browser has a random identifier in a cookie, the database its digest. What a session grants is
sealed to that digest: those who can write to the table can end sessions, but make none, prolong
none, and move none to another browser. A session ends after :data:`IDLE` without a request, and in
any case at its own end, which is part of what is sealed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import orjson
from psycopg import AsyncConnection

from api.http.roles import Role
from api.http.tokens import Authentication, Principal
from ledger.database.connections import translated_errors
from ledger.database.named_sql import Queries
from ledger.eventlog.reads import Pool

from .sealing import Sealer, derived

ID_BYTES = 32
IDLE = timedelta(minutes=30)
LIFETIME = timedelta(hours=10)
"""A working day; then the provider is asked again."""
TOUCHED_AFTER = timedelta(minutes=1)
TIDIED_MAX = 20

_sql = Queries("api", "sql/sessions.sql")


@dataclass(frozen=True, slots=True)
class Session:
    """Who has signed in. ``csrf_token`` is what a page has to send with each write; a script of
    another origin can't read it. ``id_token`` is the hint for signing out at the provider, whose
    claims the browser may see: none is kept of a provider whose ID tokens name a person."""

    principal: Principal
    role: Role
    csrf_token: str
    id_token: str | None
    name: str | None = None

    @property
    def expires_at(self) -> float:
        """POSIX time."""
        return self.principal.expires_at


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """The account at its provider, by ``sub``, and the provider's session, by ``sid``."""

    subject: str
    session: str | None = None


class Sessions:
    """Borrows a connection of the pool for each request. All processes share the ``key``."""

    def __init__(self, pool: Pool, key: bytes) -> None:
        self._pool = pool
        self._sealer = Sealer(key, "session")
        self._digest_key = derived(key, "account")

    async def begin(self, session: Session, account: ProviderAccount) -> str:
        """Store a session and return its identifier, for the cookie.

        Raises:
            Unavailable
        """
        identifier = secrets.token_urlsafe(ID_BYTES)
        digest = _digest(identifier)
        await self._run(
            _sql.begin,
            id_digest=digest,
            sealed=self._sealer.seal(_encoded(session), digest),
            idle=IDLE,
            tidied_max=TIDIED_MAX,
            **self._account(account),
        )
        return identifier

    async def of(self, identifier: str, *, is_use: bool = True) -> Session | None:
        """Return the session that is going on; ``None`` if it has ended or never was. It is not
        prolonged by what is no use of it, such as a stream that a page opens by itself.

        Raises:
            Unavailable
        """
        digest = _digest(identifier)
        async with self._connection() as connection:
            cursor = await connection.execute(_sql.find, {"id_digest": digest, "idle": IDLE})
            row = await cursor.fetchone()
            if row is None:
                return None
            session = self._opened(row["sealed"], digest)
            if session is None or session.expires_at <= time.time():
                return None
            if is_use and row["unused"] > TOUCHED_AFTER:
                await connection.execute(_sql.touch, {"id_digest": digest})
        return session

    async def end(self, identifier: str) -> Session | None:
        """End a session, and return what it was.

        Raises:
            Unavailable
        """
        digest = _digest(identifier)
        async with self._connection() as connection:
            cursor = await connection.execute(_sql.end, {"id_digest": digest})
            row = await cursor.fetchone()
        return self._opened(row["sealed"], digest) if row else None

    async def end_all(self, account: ProviderAccount) -> None:
        """End the sessions of an account, or of one of its sessions at the provider, or of a
        session there whose account is not named (an empty ``subject``).

        Raises:
            Unavailable
        """
        query = _sql.end_of_account if account.subject else _sql.end_of_provider_session
        await self._run(query, **self._account(account))

    async def _run(self, query: str, **parameters: Any) -> None:
        async with self._connection() as connection:
            await connection.execute(query, parameters)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        with translated_errors():
            async with self._pool.connection() as connection:
                yield connection

    def _account(self, account: ProviderAccount) -> dict[str, bytes | None]:
        session = account.session
        return {
            "account_digest": self._keyed(b"account", account.subject),
            "provider_session_digest": self._keyed(b"session", session) if session else None,
        }

    def _keyed(self, purpose: bytes, text: str) -> bytes:
        return hmac.digest(self._digest_key, purpose + b"\0" + text.encode(), "sha256")

    def _opened(self, sealed: bytes, digest: bytes) -> Session | None:
        """Open what this version of the service has sealed; anything else is no session."""
        content = self._sealer.open(sealed, digest)
        try:
            return None if content is None else _decoded(orjson.loads(content))
        except (KeyError, TypeError):
            return None


def _digest(identifier: str) -> bytes:
    return hashlib.sha256(identifier.encode(errors="replace")).digest()


def _encoded(session: Session) -> bytes:
    principal = {
        **asdict(session.principal),
        "scopes": sorted(session.principal.scopes),
        "scenarios": sorted(session.principal.scenarios),
    }
    return orjson.dumps({**asdict(session), "principal": principal})


def _decoded(document: Mapping[str, Any]) -> Session:
    principal = document["principal"]
    authentication = principal["authentication"]
    return Session(
        principal=Principal(
            **{
                **principal,
                "scopes": frozenset(principal["scopes"]),
                "scenarios": frozenset(principal["scenarios"]),
                "authentication": Authentication(
                    **{**authentication, "amr": tuple(authentication["amr"])}
                ),
            }
        ),
        role=Role(document["role"]),
        csrf_token=document["csrf_token"],
        id_token=document["id_token"],
        name=document["name"],
    )
