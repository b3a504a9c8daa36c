"""``permit-ledger rebuild``: build a view again beside the live one."""

from __future__ import annotations

import resource
import time
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from psycopg import Error

from permit_ledger.settings import Settings

from .commandline import DatabaseUrl, DataDir, console, errors_console, explained, settings_of

if TYPE_CHECKING:
    from projections.rebuild.loading import Parts
    from projections.rebuild.rebuild import Rebuilt

SHOWN_MAX = 20


class ViewName(StrEnum):
    PHYSICAL = "physical"
    ELECTRONIC = "electronic"
    SEARCH = "search"
    ID_CARDS = "id_cards"
    ALL = "all"


def parts_of(settings: Settings) -> Parts:
    """Make the views and the decryption, in each process of the rebuild."""
    from ledger.crypto.holder_keys import HolderKeys  # noqa: PLC0415  keeps --help quick
    from permit_ledger.keys import files as keys  # noqa: PLC0415
    from permit_ledger.keys.key_encryption import keyring  # noqa: PLC0415
    from permit_ledger.logging.tracebacks import describe  # noqa: PLC0415
    from projections.projector.pages import EventOpener  # noqa: PLC0415
    from projections.views.registry import all_views  # noqa: PLC0415

    return (
        all_views(keys.blind_index(settings)),
        EventOpener(HolderKeys(keyring(settings)), describe),
    )


def rebuild(
    view: Annotated[ViewName, typer.Argument(help="View to rebuild.")],
    accept_differences: Annotated[
        bool,
        typer.Option("--accept-differences", help="Switch although rows differ; keep the list."),
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Switch back to the previous build.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=0, max=8, metavar="N", help="Processes; 0 is one for each core.")
    ] = 0,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Build a view again beside the live one, prove both equal, and switch without downtime."""
    from ledger.database.connections import connect  # noqa: PLC0415
    from permit_ledger.bootstrap.cli_context import server  # noqa: PLC0415
    from permit_ledger.bootstrap.setup import bring_up_to_date  # noqa: PLC0415
    from permit_ledger.console.progress import stages  # noqa: PLC0415
    from projections.rebuild.rebuild import Rebuild  # noqa: PLC0415

    settings = settings_of(data_dir=data_dir, database_url=database_url)
    names = [each.value for each in ViewName if each is not ViewName.ALL]
    with explained(Error), server(settings) as url:
        for name in names if view is ViewName.ALL else [view.value]:
            with connect(url, application_name="permit-ledger rebuild") as connection:
                bring_up_to_date(connection)
                build = Rebuild(connection, url, partial(parts_of, settings), name)
                if rollback:
                    position = build.roll_back()
                    typer.echo(f"{name}: the previous build serves again, as of {position:,}")
                    continue
                started = time.perf_counter()
                with stages(errors_console, name) as progress:
                    built = build.run(
                        accept_differences=accept_differences, workers=workers, progress=progress
                    )
            _tell(built, time.perf_counter() - started)
            if not built.switched:
                raise typer.Exit(1)


def _tell(built: Rebuilt, seconds: float) -> None:
    rate = built.events / max(seconds, 0.001)
    typer.echo(
        f"{built.view}: {built.permits:,} permits from {built.events:,} events in {seconds:.1f} s"
        f" ({rate:,.0f} events/s), at most {_peak_mib():,} MiB"
    )
    if not built.had_live:
        typer.echo("  the live table was gone: there was nothing to compare with")
    elif not built.differences:
        typer.echo(f"  equal to the live one in all of its {built.buckets:,} buckets")
    for one in built.differences[:SHOWN_MAX]:
        console.print(f"  {one.permit_number}  {one}", markup=False, highlight=False)
    if built.differences:
        typer.echo(
            f"  {built.differing:,} permits differ; all of them are in views.differences,"
            f" build_id {built.build_id}"
        )
    if built.switched:
        typer.echo(
            f"  it serves now, as of {built.position:,};"
            f" `permit-ledger rebuild {built.view} --rollback` goes back"
        )
    else:
        typer.echo(
            "  the live one was left as it is. Where the difference is meant:"
            f" permit-ledger rebuild {built.view} --accept-differences"
        )


def _peak_mib() -> int:
    """Peak memory of the process that needed the most, this one or one of its children."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) // 1024
