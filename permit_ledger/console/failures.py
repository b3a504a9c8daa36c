"""Expected failures of a command, each as a sentence that says what to do."""

from __future__ import annotations

import errno

import psycopg
from psycopg.errors import InsufficientPrivilege

from ledger.errors import LedgerError, Unavailable


class CannotStart(Exception):
    """The command can't start; the message names the reason and the remedy."""


class DatabaseNotStarted(CannotStart):
    """The embedded PostgreSQL does not start."""


DATABASE_FAILURES = (psycopg.OperationalError, psycopg.InterfaceError, InsufficientPrivilege)
"""Unreachable, out of a resource, or refused: not faults of the program."""

_HINTS = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "choose a place that can be written",
    errno.EACCES: "change its rights, or choose another place",
    errno.EPERM: "change its rights, or choose another place",
    errno.ENOTDIR: "a part of this path is a file: choose another place",
    errno.EEXIST: "a file is there already: choose another place",
    errno.EISDIR: "name a file",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its symbolic links lead in a circle",
}
_CHECK_DATABASE = "check that PostgreSQL runs, and the database URL"


def sentence_of(error: BaseException) -> str | None:
    """The sentence for an expected failure; ``None`` for a fault of the program.

    PostgreSQL's messages are included only where they can't hold a value of a row.
    """
    if isinstance(error, Unavailable) and isinstance(error.__cause__, DATABASE_FAILURES):
        error = error.__cause__
    if isinstance(error, LedgerError | CannotStart):
        return str(error)
    if isinstance(error, DATABASE_FAILURES):
        return _of_database(error)
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return "The database URL can't be read: it looks like postgresql://USER@HOST:PORT/DATABASE"
    if isinstance(error, OSError):
        return _of_system(error)
    return None


def _of_database(error: psycopg.Error) -> str:
    if error.sqlstate:
        said = error.diag.message_primary or type(error).__name__
        return f"The database says: {said} ({error.sqlstate})"
    said = str(error).partition("\n")[0]
    for prefix in ("connection failed: ", "connection is bad: "):
        said = said.removeprefix(prefix)
    return f"The database can't be reached: {said}: {_CHECK_DATABASE}"


def _of_system(error: OSError) -> str:
    if error.strerror is None:
        return str(error)
    parts = [str(error.filename)] if error.filename is not None else []
    parts += [error.strerror, *([hint] if (hint := _HINTS.get(error.errno or 0)) else [])]
    return ": ".join(parts)
