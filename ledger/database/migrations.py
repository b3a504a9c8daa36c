"""Migrates a database to the schema that this code expects.

Numbered ``.sql`` files are applied in order, under one lock, each in a transaction of its own, and
recorded with their digest. A file that was applied is never edited: its digest would differ.
Finding that nothing is missing takes reads only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import LiteralString

import psycopg
from psycopg.errors import InsufficientPrivilege, ObjectNotInPrerequisiteState

from ledger.errors import RightsMissing, SchemaBehind, SchemaMismatch

from .connections import Connection
from .named_sql import Queries
from .rows import rows

_LOCK = 0x7065726D6974  # "permit": one migration at a time in this database

_sql = Queries("ledger", "sql/migrations.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file, named ``package/file.sql``."""

    package: str
    file: str
    script: LiteralString

    @property
    def name(self) -> str:
        return f"{self.package}/{self.file}"

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.script.encode()).hexdigest()


def migrate(connection: Connection, *packages: str) -> list[str]:
    """Apply what is missing, package by package; returns the names of the files applied.

    ``connection`` is in autocommit mode. If nothing is missing, nothing is written.

    Raises:
        SchemaMismatch: a file that was applied has changed since, or is gone; or the contents of
            the database prevent a file, which was not applied.
        SchemaBehind: files are missing, and this user may not apply them.
        RightsMissing: a file needs a right that this user lacks; it was not applied.
    """
    if not (absent := missing(connection, *packages)):
        return []
    _refuse_strangers(connection, absent)
    applied: list[str] = []
    connection.execute(_sql.lock, [_LOCK])
    try:
        connection.execute(_sql.create)
        for migration in missing(connection, *packages):
            _apply(connection, migration)
            applied.append(migration.name)
    finally:
        connection.execute(_sql.unlock, [_LOCK])
    return applied


def missing(connection: Connection, *packages: str) -> list[Migration]:
    """The files that are not applied yet, in their order.

    Raises:
        SchemaMismatch, RightsMissing: as :func:`migrate`.
    """
    known = _applied(connection, packages)
    absent: list[Migration] = []
    for package in packages:
        ours = migrations_of(package)
        there = {file for owner, file in known if owner == package}
        if gone := there - {migration.file for migration in ours}:
            raise SchemaMismatch(
                f"{package} no longer has the migrations {', '.join(sorted(gone))}"
            )
        for migration in ours:
            if migration.file not in there:
                absent.append(migration)
            elif known[package, migration.file] != migration.digest:
                raise SchemaMismatch(f"{migration.name} was applied with another text")
    return absent


def _applied(connection: Connection, packages: tuple[str, ...]) -> dict[tuple[str, str], str]:
    """The digest of every file that was applied, by package and file."""
    if connection.execute(_sql.exists).fetchone() != (True,):
        return {}
    try:
        found = rows(connection, _sql.applied, [list(packages)])
    except InsufficientPrivilege:
        raise RightsMissing(
            f"The database user {connection.info.user} may not see which migrations were applied:"
            f' run GRANT permit_ledger_service TO "{connection.info.user}" as an administrator.'
        ) from None
    return {(package, file): digest for package, file, digest in found}


def _refuse_strangers(connection: Connection, absent: list[Migration]) -> None:
    """Require the owner: tables of several owners could not be migrated by any of them later."""
    [(user, may_apply)] = rows(connection, _sql.may_apply)
    if not may_apply:
        names = ", ".join(migration.name for migration in absent)
        raise SchemaBehind(
            f"The database lacks {names}, and the database user {user} may not apply them:"
            " run `permit-ledger migrate` as the database's owner."
        )


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.script)
            connection.execute(_sql.record, [migration.package, migration.file, migration.digest])
    except InsufficientPrivilege as error:
        raise RightsMissing(f"{migration.name} was not applied: {_said(error)}") from error
    except ObjectNotInPrerequisiteState as error:
        raise SchemaMismatch(f"{migration.name} was not applied: {_said(error)}") from error


def _said(error: psycopg.Error) -> str:
    return f"{error.diag.message_primary}. {error.diag.message_hint or ''}".strip()


def migrations_of(package: str) -> list[Migration]:
    folder = files(package) / "sql" / "migrations"
    found: list[Traversable] = sorted(folder.iterdir(), key=lambda file: file.name)
    return [
        Migration(package, file.name, file.read_text(encoding="utf-8"))
        for file in found
        if file.name.endswith(".sql")
    ]
