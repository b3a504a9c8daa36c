"""``permit-ledger log-keys``: the keys that sign the transparency log."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from .commandline import DataDir, console, explained, settings_of

app = typer.Typer(
    help="Keys that sign the transparency log: list, add, retire.", no_args_is_help=True
)


@app.command("list")
def list_keys(data_dir: DataDir = None) -> None:
    """Which there are, those that sign and those that have signed."""
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
    """Make a further key for every log; checkpoints bear its signature besides the others'."""
    from permit_ledger.keys.log_keys import add_keys  # noqa: PLC0415

    with explained(OSError):
        new = add_keys(settings_of(data_dir=data_dir))
    for key in new:
        typer.echo(f"{key.verifier}")
    typer.echo("Publish these to all verifiers of the log, then retire the old ones.")


@app.command()
def retire(
    key_id: Annotated[str, typer.Argument(help="As `log-keys list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """Let a key sign no more; what it has signed can still be verified."""
    from permit_ledger.keys.log_keys import retire_key  # noqa: PLC0415

    with explained(OSError):
        retired = retire_key(settings_of(data_dir=data_dir), key_id)
    typer.echo(f"{retired.key_id.hex()} signs no more for {retired.name}")
