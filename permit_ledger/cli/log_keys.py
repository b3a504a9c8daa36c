"""``permit-ledger log-keys``: the keys that sign the transparency log."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from .commandline import DataDir, console, explained, settings_of

app = typer.Typer(
    help="List, add and retire the keys that sign the transparency log.", no_args_is_help=True
)


@app.command("list")
def list_keys(data_dir: DataDir = None) -> None:
    """List the keys that sign the transparency log and those that are retired."""
    from permit_ledger.keys.log_keys import log_keys  # noqa: PLC0415
    from transparency.notes import NoteSigner  # noqa: PLC0415  keeps --help quick

    with explained(OSError):
        keys = log_keys(settings_of(data_dir=data_dir))
    table = Table("key", "signs", "verifier key", box=None)
    for key in keys:
        signs = isinstance(key, NoteSigner)
        verifier = key.verifier if isinstance(key, NoteSigner) else key
        table.add_row(verifier.key_id.hex(), "yes" if signs else "no more", str(verifier))
    console.print(table, soft_wrap=True)


@app.command()
def add(data_dir: DataDir = None) -> None:
    """Make another key for every log; it signs beside the old ones until they are retired."""
    from permit_ledger.keys.log_keys import add_keys  # noqa: PLC0415

    with explained(OSError):
        new = add_keys(settings_of(data_dir=data_dir))
    for key in new:
        typer.echo(f"{key.verifier}")
    typer.echo("Publish these to everyone who verifies the log, then retire the old ones.")


@app.command()
def retire(
    key_id: Annotated[str, typer.Argument(help="Id as `log-keys list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """Stop signing with a key; its earlier signatures can still be verified."""
    from permit_ledger.keys.log_keys import retire_key  # noqa: PLC0415

    with explained(OSError):
        retired = retire_key(settings_of(data_dir=data_dir), key_id)
    typer.echo(f"{retired.key_id.hex()} signs no more for {retired.name}")
