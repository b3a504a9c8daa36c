"""Brings a database to the schema that this code expects.

Numbered ``.sql`` files, applied in order under one lock and recorded with their digest; each in a
transaction of its own. A file that was applied is never edited: the digest would not fit any more.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import LiteralString, cast

from .database import Connection
from .errors import SchemaMismatch

_LOCK = 0x7065726D6974  # "permit": one migration at a time in this database

_CREATE = """
CREATE TABLE IF NOT EXISTS public.permit_ledger_migrations (
    package text NOT NULL,
    file text NOT NULL,
    digest text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (package, file)
)"""


def migrate(connection: Connection, *packages: str) -> list[str]:
    """Apply what is missing, package by package; returns the names of the files applied.

    ``connection`` is in autocommit mode.

    Raises:
        SchemaMismatch: a file that was applied reads differently now, or is gone.
    """
    applied: list[str] = []
    connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        connection.execute(_CREATE)
        for package in packages:
            applied += _migrate_package(connection, package)
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    return applied


def _migrate_package(connection: Connection, package: str) -> list[str]:
    rows = connection.execute(
        "SELECT file, digest FROM public.permit_ledger_migrations WHERE package = %s", [package]
    )
    known = dict(cast("list[tuple[str, str]]", rows.fetchall()))
    scripts = _scripts(package)
    if gone := known.keys() - scripts.keys():
        raise SchemaMismatch(f"{package} no longer has the migrations {', '.join(sorted(gone))}")
    applied = []
    for name, script in scripts.items():
        digest = hashlib.sha256(script.encode()).hexdigest()
        if name not in known:
            with connection.transaction():
                connection.execute(script)
                connection.execute(
                    "INSERT INTO public.permit_ledger_migrations (package, file, digest)"
                    " VALUES (%s, %s, %s)",
                    [package, name, digest],
                )
            applied.append(f"{package}/{name}")
        elif known[name] != digest:
            raise SchemaMismatch(f"{package}/{name} was applied with another text")
    return applied


def _scripts(package: str) -> dict[str, LiteralString]:
    folder = files(package) / "sql" / "migrations"
    found: list[Traversable] = sorted(folder.iterdir(), key=lambda file: file.name)
    return {f.name: f.read_text(encoding="utf-8") for f in found if f.name.endswith(".sql")}
