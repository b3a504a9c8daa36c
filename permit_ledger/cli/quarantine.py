"""``permit-ledger quarantine``: list, show and release quarantined permits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from domain import permit_number as permit_numbers
from domain.id_cards import receipt_number as receipt_numbers
from permit_ledger.settings import Settings

from .commandline import DatabaseUrl, DataDir, console, explained, fail, settings_of

if TYPE_CHECKING:
    from projections.projector.quarantine import QuarantinedPermit
    from projections.quarantine.admin import QuarantineAdmin
    from projections.quarantine.retry import Retried


def _as_typed(number: str | None) -> str | None:
    """Normalize a permit or receipt number; return anything else as it is."""
    if number is None:
        return None
    return permit_numbers.parse(number) or receipt_numbers.parse(number) or number


NUMBER = typer.Argument(metavar="NUMBER", help="Permit or receipt number.", callback=_as_typed)
EMPTY = "No permit is quarantined."

app = typer.Typer(help="List, show and retry quarantined permits.", no_args_is_help=True)


@app.command("list")
def list_permits(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """List quarantined permits with the reason and the number of events that wait."""
    with _desk(settings_of(data_dir=data_dir, database_url=database_url)) as desk:
        position, permits = desk.quarantined()
    if as_json:
        found = {"permits": [_document(one) for one in permits], "as_of_position": position}
        typer.echo(json.dumps(found))
    elif permits:
        console.print(_table(permits))
        typer.echo("permit-ledger quarantine show NUMBER says where in the code it was")
    else:
        typer.echo(EMPTY)


@app.command()
def show(
    permit_number: Annotated[str, NUMBER],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show all details of one quarantined permit, with the traceback."""
    with _desk(settings_of(data_dir=data_dir, database_url=database_url)) as desk:
        _position, permits = desk.quarantined(permit_number)
    for name, value in _document(_only(permits)).items():
        if name != "trace":
            typer.echo(f"{name.replace('_', ' '):16} {'-' if value is None else value}")
    typer.echo(permits[0].trace)
    typer.echo(
        "The permit's rows end before this event, and its checks are undetermined. Once the cause"
        f" is corrected: permit-ledger quarantine retry {permits[0].permit_number}"
    )


@app.command()
def retry(
    permit_number: Annotated[str | None, NUMBER] = None,
    everyone: Annotated[
        bool, typer.Option("--all", help="Retry every quarantined permit.")
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Fold quarantined permits from the log again, after the cause was corrected.

    Exits with code 1 if one of them stays quarantined.
    """
    if everyone == (permit_number is not None):
        raise typer.BadParameter("name a permit, or use --all")
    with _desk(settings_of(data_dir=data_dir, database_url=database_url)) as desk:
        permits = desk.quarantined(permit_number)[1]
        if permit_number is not None:
            _only(permits)
        elif not permits:
            typer.echo(EMPTY)
        in_vain = [one for one in permits if not _retry(desk, one.permit_number)]
    if in_vain:
        raise typer.Exit(1)


def _retry(desk: QuarantineAdmin, permit_number: str) -> bool:
    """Retry one permit; return whether it is released."""
    from projections.quarantine.retry import NotQuarantined  # noqa: PLC0415

    try:
        retried = desk.retry(permit_number)
    except NotQuarantined:
        typer.echo(f"{permit_number}: already released")
        return True
    typer.echo(_sentence(retried), err=not retried.released)
    return retried.released


def _sentence(retried: Retried) -> str:
    if retried.released:
        return f"{retried.permit_number}: released, as of position {retried.as_of_position:,}"
    return (
        f"{retried.permit_number}: quarantined at position {retried.position:,}:"
        f" {retried.reason}. `permit-ledger quarantine show {retried.permit_number}` says where in"
        " the code; retry once the cause is corrected."
    )


def _only(permits: list[QuarantinedPermit]) -> QuarantinedPermit:
    if not permits:
        fail(
            "This permit is not in quarantine; permit-ledger quarantine list names those that are."
        )
    return permits[0]


def _table(permits: list[QuarantinedPermit]) -> Table:
    table = Table(box=None)
    table.add_column("permit", no_wrap=True)
    for name in ("position", "waiting", "retries"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("reason", overflow="fold")
    for one in permits:
        figures = (one.position, one.events_waiting, one.retries)
        table.add_row(one.permit_number, *(f"{n:,}" for n in figures), escape(one.reason))
    return table


def _document(permit: QuarantinedPermit) -> dict[str, object]:
    instants = {
        name: at and at.isoformat()
        for name, at in (("parked_at", permit.parked_at), ("retried_at", permit.retried_at))
    }
    return {**asdict(permit), **instants}


@contextmanager
def _desk(settings: Settings) -> Iterator[QuarantineAdmin]:
    """Open the quarantine of a prepared database, in the service's role."""
    from ledger.crypto.holder_keys import HolderKeys  # noqa: PLC0415  keeps --help quick
    from permit_ledger.bootstrap.cli_context import database  # noqa: PLC0415
    from permit_ledger.keys import files as keys  # noqa: PLC0415
    from permit_ledger.keys.key_encryption import keyring  # noqa: PLC0415
    from permit_ledger.logging.tracebacks import describe  # noqa: PLC0415
    from projections.quarantine.admin import QuarantineAdmin  # noqa: PLC0415
    from projections.views.registry import all_views  # noqa: PLC0415

    with explained(), database(settings) as url:
        views = all_views(keys.blind_index(settings))
        yield QuarantineAdmin(url, views, HolderKeys(keyring(settings)), describe)
