"""Migrate a database to this version, and check that the keys fit it."""

from __future__ import annotations

import hmac
from typing import cast

import structlog
from psycopg.errors import InsufficientPrivilege

from ledger.codec.mapper import EventMapper, OrjsonTranscoder
from ledger.codec.topics import admit_topics, require_readable
from ledger.crypto.blind_index import BlindIndex
from ledger.crypto.kek_register import introduce
from ledger.crypto.key_encryption import Keyring
from ledger.database.connections import Connection, acting_as_service
from ledger.database.migrations import migrate
from ledger.database.named_sql import Queries
from ledger.database.rows import scalar, scalars
from ledger.errors import Corrupt, RightsMissing
from permit_ledger.console.failures import CannotStart
from permit_ledger.settings import DEVELOPMENT_ISSUER

PACKAGES = ("ledger", "projections")

_sql = Queries("permit_ledger", "sql/setup.sql")
_log = structlog.get_logger(__name__)


class WrongKey(Corrupt):
    """The blind-index key is not the one this ledger was written with."""


class OtherIssuer(CannotStart):
    """The database serves another issuer; the message says what to do."""


def bring_up_to_date(connection: Connection) -> list[str]:
    """Apply missing migrations, and admit this version's topics; returns the migrations' names.

    Raises:
        SchemaMismatch: the database was set up by other migrations, or holds data that can't
            be migrated; as SchemaBehind, migrations or topics are missing that only its owner may
            add.
        RightsMissing: a migration needs a right that this user lacks.
    """
    applied = migrate(connection, *PACKAGES)
    admit_topics(connection, EventMapper(OrjsonTranscoder()).topics)
    return applied


def prepare(connection: Connection, blind_index: BlindIndex, keyring: Keyring) -> list[str]:
    """Bring the database up to date, check the log's topics and the keys; returns what was applied.

    ``connection`` has the rights of its own user: the owner's if migrations are missing, otherwise
    those of a member of the service's role.

    Raises:
        SchemaMismatch, SchemaBehind: as :func:`bring_up_to_date`.
        RightsMissing: likewise; or this user may not act as the service's role.
        UnreadableTopics: the log holds events of a version that is newer than this one.
        WrongKey: the blind-index key is another one: no holder would be found.
        KeyUnusable: a holder's details could not be decrypted.
    """
    applied = bring_up_to_date(connection)
    expected = blind_index.fingerprint(b"key check")
    with acting_as_service(connection):
        require_readable(connection, EventMapper(OrjsonTranscoder()).topics)
        found = _key_check(connection)
        if found is None:
            connection.execute(_sql.insert_key_check, [expected])
            found = _key_check(connection)  # another process's, if two started at the same instant
        introduce(connection, keyring)
    if found is None or not hmac.compare_digest(found, expected):
        raise WrongKey
    return applied


def has_this_key(connection: Connection, blind_index: BlindIndex) -> bool:
    """Whether the ledger was written with this blind-index key."""
    found = _key_check(connection)
    return found is not None and hmac.compare_digest(found, blind_index.fingerprint(b"key check"))


def require_issuer(connection: Connection, issuer: str | None) -> None:
    """Remember whose tokens this database's service believes, or compare with what is remembered.

    ``None`` for a command that believes no one: it may run on any database.

    Raises:
        OtherIssuer
    """
    if issuer is None:
        return
    with acting_as_service(connection):
        remembered = scalar(connection, _sql.remember_issuer, [issuer])
    if remembered == issuer:
        return
    if issuer == DEVELOPMENT_ISSUER:
        raise OtherIssuer(
            f"this database serves the issuer {remembered}, and this start is in development mode,"
            " which gives a token to anybody: set PERMIT_LEDGER_ISSUER and PERMIT_LEDGER_JWKS, or"
            f" choose another database or --data-dir. {_TO_CHANGE}"
        )
    raise OtherIssuer(
        f"this database serves the issuer {remembered}, and PERMIT_LEDGER_ISSUER is {issuer}:"
        f" set it as it was. {_TO_CHANGE}"
    )


def report_own_settings(connection: Connection) -> None:
    """Warn of settings that the database user's own sessions begin with: a user may change them
    itself. Those that this program relies on are set for each connection."""
    if names := scalars(connection, _sql.own_settings):
        _log.warning(
            "the database user has settings of its own",
            reason=f"its sessions begin with {', '.join(names)}; if no administrator meant that,"
            " run ALTER ROLE with RESET ALL, and look for who has its password",
        )


def change_issuer(connection: Connection, issuer: str) -> None:
    """Let the database serve this issuer from the next start on; as its owner.

    Raises:
        RightsMissing
    """
    try:
        connection.execute(_sql.change_issuer, [issuer])
    except InsufficientPrivilege:
        raise RightsMissing(
            f"The database user {connection.info.user} may not change the issuer:"
            " run `permit-ledger migrate --issuer` as the database's owner."
        ) from None


_TO_CHANGE = (
    "If that is meant, the database's owner runs `permit-ledger migrate --issuer NAME`, with"
    f" {DEVELOPMENT_ISSUER} as the name for development mode"
)


def _key_check(connection: Connection) -> bytes | None:
    row = cast("tuple[bytes] | None", connection.execute(_sql.key_check).fetchone())
    return row[0] if row else None
