"""What all commands share: common options, consoles, and how they fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from ledger.errors import LedgerError
from permit_ledger.console.failures import DATABASE_FAILURES, CannotStart, sentence_of
from permit_ledger.keys.files import UnusableKey
from permit_ledger.logging import logs
from permit_ledger.logging.redaction import scrub
from permit_ledger.settings import Settings

DataDir = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Folder of the keys and the embedded database; default ./data."
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(metavar="URL", help="PostgreSQL to use; without it, the embedded server."),
]
Kafka = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Kafka brokers, separated by commas."),
]

console = Console()
errors_console = Console(stderr=True)


def settings_of(**given: Any) -> Settings:
    """Read the settings from the environment; options that are given take precedence."""
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        errors_console.print("These settings can't be used:", *lines, sep="\n", markup=False)
        raise typer.Exit(2) from None
    logs.configure(settings)
    if _has_password(given.get("database_url")):
        errors_console.print(
            "permit-ledger: other users of this machine see the password in --database-url: put it"
            " into PERMIT_LEDGER_DATABASE_URL, or into the file that PGPASSFILE names",
            soft_wrap=True,
            highlight=False,
        )
    return settings


def _has_password(database_url: str | None) -> bool:
    try:
        return bool(database_url and conninfo_to_dict(database_url).get("password"))
    except psycopg.ProgrammingError:  # told when it is connected to
        return False


@contextmanager
def explained(*expected: type[Exception]) -> Iterator[None]:
    """End expected failures with a sentence and exit code 1 instead of a traceback.

    The sentence is for the user of the command and may name a file. It is also written to a role's
    log, so anything that looks like a number, a token or a password is removed from it.
    """
    failures: tuple[type[Exception], ...] = (
        *(LedgerError, UnusableKey, CannotStart, OSError, psycopg.ProgrammingError),
        *DATABASE_FAILURES,
        *expected,
    )
    try:
        yield
    except failures as error:
        if (sentence := sentence_of(error)) is None:
            if not isinstance(error, (UnusableKey, *expected)):
                raise
            sentence = str(error)
        fail(sentence)


def fail(sentence: str) -> NoReturn:
    """Print the sentence and exit.

    Raises:
        typer.Exit: always; exit code 1.
    """
    errors_console.print(
        f"[red]permit-ledger:[/red] {escape(scrub(sentence))}", soft_wrap=True, highlight=False
    )
    raise typer.Exit(1)
