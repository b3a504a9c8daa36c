"""``permit-ledger receipt-keys``: the keys that sign receipts."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from .commandline import DataDir, console, explained, settings_of

OVERLAP_S = 600.0

app = typer.Typer(help="List and rotate the keys that sign receipts.", no_args_is_help=True)


@app.command("list")
def list_keys(data_dir: DataDir = None) -> None:
    """List the keys that sign receipts: former, current and next."""
    from permit_ledger.keys.receipt_keys import receipt_keys  # noqa: PLC0415  keeps --help quick

    with explained(OSError):
        keys = receipt_keys(settings_of(data_dir=data_dir))
    table = Table("receipt key", "signs from", "can sign", box=None)
    for each in keys:
        since = f"{datetime.fromtimestamp(each.signs_from, UTC):%Y-%m-%d %H:%M}"
        signs = "yes" if each.key.is_private else "no, verifies only"
        table.add_row(each.key.kid, since if each.signs_from else "", signs)
    console.print(table)


@app.command()
def rotate(
    data_dir: DataDir = None,
    after_s: Annotated[
        float,
        typer.Option(
            min=0,
            max=30 * 86_400,
            metavar="SECONDS",
            help="How long it is published before it signs.",
        ),
    ] = OVERLAP_S,
) -> None:
    """Make a new key, which running services publish at once and sign with later."""
    from permit_ledger.keys.receipt_keys import rotate as run  # noqa: PLC0415

    with explained(OSError):
        new = run(settings_of(data_dir=data_dir), after_s)
    at = datetime.fromtimestamp(max(new.signs_from, time.time()), UTC)
    typer.echo(f"made {new.key.kid}; it signs from {at:%Y-%m-%d %H:%M:%S} UTC")
    typer.echo("Copy the file to the other machines that sign receipts before then.")
