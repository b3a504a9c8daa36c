"""``permit-ledger keys``: the key encryption keys (KEKs) that wrap holder keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.table import Table

from ledger.database.connections import Connection
from permit_ledger.settings import Settings

from .commandline import DatabaseUrl, DataDir, console, errors_console, explained, settings_of

app = typer.Typer(help="List, rotate and destroy key encryption keys.", no_args_is_help=True)


@app.command("list")
def list_keks(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """List current and former key encryption keys and how many holder keys each one wraps."""
    from ledger.crypto.kek_register import register_of  # noqa: PLC0415  keeps --help quick

    with _owners(settings_of(data_dir=data_dir, database_url=database_url)) as connection:
        keks = register_of(connection)
    table = Table("key-encryption key", "introduced", "closed", "destroyed", "keys", box=None)
    for kek in keks:
        instants = (kek.introduced_at, kek.closed_at, kek.destroyed_at)
        shown = [f"{at:%Y-%m-%d %H:%M}" if at else "" for at in instants]
        table.add_row(kek.kek_id, *shown, f"{kek.keys:,}")
    console.print(table)


@app.command()
def rotate(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Make a new key encryption key and wrap all holder keys with it, while the service runs.

    If it is stopped, run it again to continue.
    """
    from ledger.crypto.kek_rotation import rotate as run  # noqa: PLC0415
    from permit_ledger.console.progress import progress  # noqa: PLC0415
    from permit_ledger.keys.key_encryption import key_store  # noqa: PLC0415

    settings = settings_of(data_dir=data_dir, database_url=database_url)
    with (
        _owners(settings) as connection,
        progress(errors_console, "rewrapping keys", None) as report,
    ):
        rotation = run(connection, key_store(settings), report)
    began = "went on with" if rotation.resumed else "made"
    typer.echo(f"{began} {rotation.kek_id}; {rotation.rewrapped:,} keys wrapped with it")
    typer.echo(
        "Back it up apart from the database. Older ones still open older copies of the database;"
        " permit-ledger keys destroy KEK_ID makes those worthless."
    )


@app.command()
def destroy(
    kek_id: Annotated[str, typer.Argument(help="Id as `keys list` shows it.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Destroy a key encryption key that wraps no holder key any more, for good.

    Personal data in older copies of the database that depend on it can no longer be read.
    """
    from ledger.crypto.kek_register import destroy as run  # noqa: PLC0415
    from permit_ledger.keys.key_encryption import key_store  # noqa: PLC0415

    settings = settings_of(data_dir=data_dir, database_url=database_url)
    with _owners(settings) as connection:
        run(connection, key_store(settings), kek_id)
    typer.echo(f"{kek_id} is destroyed: copies of the database from before can't be opened with it")


@contextmanager
def _owners(settings: Settings) -> Iterator[Connection]:
    """Connect to a migrated database with the rights of the connection's own user."""
    from ledger.database.connections import connect  # noqa: PLC0415
    from permit_ledger.bootstrap.cli_context import server  # noqa: PLC0415
    from permit_ledger.bootstrap.setup import bring_up_to_date  # noqa: PLC0415

    with (
        explained(),
        server(settings) as url,
        connect(url, application_name="permit-ledger keys") as connection,
    ):
        bring_up_to_date(connection)
        yield connection
