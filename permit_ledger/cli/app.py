"""The command line, ``permit-ledger``. README's table of commands is made from these help texts."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.http.correlation import correlation_id
from api.http.roles import Role
from domain.calendar import SHANGHAI, last_midnight
from domain.context import CommandContext
from domain.instants import NotAnInstant, instant_of
from permit_ledger.logging import logs
from permit_ledger.logging.crashes import CarefulGroup, as_role

from . import keys as key_commands
from . import log_keys as log_key_commands
from . import quarantine as quarantine_commands
from . import rebuild as rebuild_command
from . import receipt_keys as receipt_key_commands
from . import stats as stats_command
from . import verify as verify_command
from .commandline import (
    DatabaseUrl,
    DataDir,
    Kafka,
    console,
    errors_console,
    explained,
    settings_of,
)


class Source(StrEnum):
    """Where the events of the views come from."""

    LOG = "log"
    KAFKA = "kafka"


app = typer.Typer(
    help="An event-sourced ledger for residence permits (居住证).",
    no_args_is_help=True,
    cls=CarefulGroup,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
)


def _instant(text: str | None) -> datetime | None:
    """Parse RFC 3339, or an ISO 8601 local time without an offset, taken as Shanghai's."""
    if text is None:
        return None
    try:
        return instant_of(text)
    except NotAnInstant as error:
        with suppress(ValueError):
            if (local := datetime.fromisoformat(text)).tzinfo is None:
                return local.replace(tzinfo=SHANGHAI)
        raise typer.BadParameter(str(error)) from None


@app.command()
def up(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="PORT", help="Port of the API; default 8000."),
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    kafka: Kafka = None,
    empty: Annotated[bool, typer.Option("--empty", help="Start without the sample city.")] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Permits in the sample city.")
    ] = None,
    clock: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT", help="Development mode: start the clock at this instant (RFC 3339)."
        ),
    ] = None,
) -> None:
    """Run the whole service on this machine.

    All roles run in one process group; the relay only with --kafka. Without an issuer the service
    runs in development mode, with a sample city.
    """
    from permit_ledger.roles.supervisor import RoleFailed  # noqa: PLC0415
    from permit_ledger.roles.up import up as run  # noqa: PLC0415
    from permit_ledger.sample.city import SAMPLE_PERMITS  # noqa: PLC0415  keeps the other commands quick to start

    settings = settings_of(port=port, data_dir=data_dir, database_url=database_url, kafka=kafka)
    quiet = {} if "log_level" in settings.model_fields_set else {"log_level": "warning"}
    mode = {} if settings.issuer else {"development": True}
    settings = settings.model_copy(update={**quiet, **mode})
    logs.configure(settings)
    clock_at = _instant(clock)
    if clock_at and not settings.development:
        raise typer.BadParameter("the clock can be set in development mode only")
    permits = 0 if empty or not settings.development else sample or SAMPLE_PERMITS
    with as_role("up"), explained(RoleFailed):
        run(settings, console, sample_permits=permits, clock_at=clock_at)


@app.command()
def api(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="PORT", help="Port of the API; default 8000."),
    ] = None,
    source: Annotated[
        Source, typer.Option(help="`kafka` serves checks of cards from remote views.")
    ] = Source.LOG,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Run the API role: serve HTTP.

    With --source kafka it serves only checks of cards, from the remote views in its database; see
    docs/remote-views.md.
    """
    from permit_ledger.bootstrap.face_matches import BadFaceProvider  # noqa: PLC0415
    from permit_ledger.bootstrap.http_basis import NoIssuer  # noqa: PLC0415
    from permit_ledger.bootstrap.sign_in import BadClaimsMapping  # noqa: PLC0415
    from permit_ledger.keys.issuer import NoKeys  # noqa: PLC0415
    from permit_ledger.roles.api import serve  # noqa: PLC0415

    settings = settings_of(port=port, data_dir=data_dir, database_url=database_url)
    with as_role("api"), explained(NoIssuer, NoKeys, BadClaimsMapping, BadFaceProvider):
        serve(settings, is_far=source is Source.KAFKA)


@app.command()
def project(
    source: Annotated[
        Source, typer.Option(help="`kafka` keeps remote views in another database.")
    ] = Source.LOG,
    kafka: Kafka = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Run the projector role: keep the views in step with the log.

    With --source kafka it keeps remote views, in another PostgreSQL, from the relay's topic; see
    docs/remote-views.md.
    """
    from permit_ledger.roles.project import CannotProject, project_from_kafka  # noqa: PLC0415
    from permit_ledger.roles.project import project as run  # noqa: PLC0415

    settings = settings_of(kafka=kafka, data_dir=data_dir, database_url=database_url)
    with as_role("project"), explained(CannotProject):
        (run if source is Source.LOG else project_from_kafka)(settings)


@app.command()
def integrate(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Run the integrator role: add new entries to the transparency log and sign checkpoints."""
    from permit_ledger.roles.integrate import integrate as run  # noqa: PLC0415

    settings = settings_of(data_dir=data_dir, database_url=database_url)
    with as_role("integrate"), explained():
        run(settings)


@app.command()
def relay(
    kafka: Kafka = None,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Accept the topics as they are after the relay has stopped for a mismatch.",
        ),
    ] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Run the relay role: publish each event of the log to Kafka exactly once."""
    from permit_ledger.roles.relay import CannotRelay  # noqa: PLC0415
    from permit_ledger.roles.relay import relay as run  # noqa: PLC0415
    from permit_ledger.roles.relay import replay as believe_topics  # noqa: PLC0415

    settings = settings_of(kafka=kafka, data_dir=data_dir, database_url=database_url)
    with as_role("relay"), explained(CannotRelay):
        (believe_topics if replay else run)(settings)


@app.command()
def analytics(
    kafka: Kafka = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Run the analytics role: load every event into the statistics and publish the answers."""
    from consumers.analytics.errors import AnalyticsError  # noqa: PLC0415
    from permit_ledger.roles.analytics import analyse  # noqa: PLC0415

    settings = settings_of(kafka=kafka, data_dir=data_dir, database_url=database_url)
    with as_role("analytics"), explained(AnalyticsError):
        analyse(settings)


@app.command()
def migrate(
    issuer: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Issuer that the database is to serve from now on."),
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Apply the migrations of this version, as the database's owner.

    The roles do it themselves when they start, where their database user may. A database remembers
    the issuer of its first start; only --issuer changes it.
    """
    from ledger.database.connections import connect  # noqa: PLC0415
    from permit_ledger.bootstrap.cli_context import server  # noqa: PLC0415
    from permit_ledger.bootstrap.setup import bring_up_to_date, change_issuer  # noqa: PLC0415

    settings = settings_of(data_dir=data_dir, database_url=database_url)
    with (
        explained(),
        server(settings) as found,
        connect(found, application_name="permit-ledger migrate") as connection,
    ):
        applied = bring_up_to_date(connection)
        if issuer:
            change_issuer(connection, issuer)
    for name in applied:
        typer.echo(f"applied {name}")
    if not applied:
        typer.echo("nothing to apply: every migration is there")
    if issuer:
        typer.echo(f"serves the issuer {issuer} from its next start on")


@app.command()
def settle_due_dates(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Make provisional due dates of identity cards final once the holiday calendar covers them.

    The API does it at each start; see docs/id-cards.md.
    """
    from ledger.commands.id_cards import IdCardCommands  # noqa: PLC0415
    from permit_ledger.bootstrap.cli_context import cli_context  # noqa: PLC0415
    from permit_ledger.bootstrap.due_dates import settle_due_dates as run  # noqa: PLC0415
    from permit_ledger.bootstrap.workdays import MainlandWorkdays  # noqa: PLC0415

    settings = settings_of(data_dir=data_dir, database_url=database_url)
    workdays = MainlandWorkdays()
    with explained(), cli_context(settings) as context:
        ledger = context.ledger
        commands = IdCardCommands(
            ledger.event_log,
            ledger.event_mapper,
            blind_index=context.blind_index,
            workdays=workdays,
        )
        settled = ledger.run(
            run(commands, ledger.pool, workdays, context.policy, context.clock.now())
        )
    typer.echo(settled)


@app.command()
def token(
    role: Annotated[Role, typer.Argument(help="Role of the caller.")],
    station: Annotated[
        str | None, typer.Option(metavar="STATION", help="Station of a registrar.")
    ] = None,
    holder: Annotated[str | None, typer.Option(metavar="HOLDER_ID", help="Id of a holder.")] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(metavar="SCENARIO", help="Scenario of a verifier; may be repeated."),
    ] = None,
    case: Annotated[
        str | None, typer.Option(metavar="CASE", help="Case number of an investigator.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Print a bearer token of the development issuer."""
    from permit_ledger.bootstrap.http_basis import development_issuer  # noqa: PLC0415

    settings = settings_of(data_dir=data_dir)
    if settings.issuer:
        raise typer.BadParameter("a real issuer is configured: tokens come from there")
    if role is Role.HOLDER and not holder:
        raise typer.BadParameter("a holder's token needs --holder")
    with explained():
        issuer = development_issuer(settings)
    typer.echo(
        issuer.token(role, station=station, holder_id=holder, scenarios=scenario or None, case=case)
    )


@app.command()
def simulate(
    permits: Annotated[int, typer.Option(min=1, metavar="N", help="Permits issued in the period.")],
    days: Annotated[
        int, typer.Option(min=1, max=36500, metavar="DAYS", help="Length of the period.")
    ],
    seed: Annotated[int, typer.Option(metavar="SEED", help="The same seed gives the same events.")],
    until: Annotated[
        str | None,
        typer.Option(
            metavar="INSTANT", help="Last instant of the period; default the last midnight."
        ),
    ] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Append the simulated events of a district to the log.

    They include applications for first identity cards.
    """
    from permit_ledger.bootstrap.cli_context import cli_context  # noqa: PLC0415
    from permit_ledger.console.progress import progress  # noqa: PLC0415
    from permit_ledger.sample.command import SimulationConflict  # noqa: PLC0415
    from permit_ledger.sample.command import simulate as run  # noqa: PLC0415

    settings = settings_of(data_dir=data_dir, database_url=database_url)
    settings = settings.model_copy(update={} if settings.issuer else {"development": True})
    with (
        explained(SimulationConflict),
        cli_context(settings) as bench,
        progress(errors_console, "simulating", permits) as report,
    ):
        result = run(
            bench.ledger,
            permits=permits,
            days=days,
            seed=seed,
            until=_instant(until) or last_midnight(bench.clock.now()),
            policy=bench.policy,
            progress=report,
        )
    console.print(result.summary())


@app.command("import")
def import_(
    file: Annotated[Path | None, typer.Argument(help="A CSV file or an Excel workbook.")] = None,
    errors: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="File for the refused rows; default FILE.errors.csv."),
    ] = None,
    template: Annotated[
        bool, typer.Option("--template", help="Print an example file and exit.")
    ] = False,
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Encoding of a CSV file that is not UTF-8: gb18030, utf-16 …"
        ),
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(metavar="NAME", help="Sheet of the workbook to read.")
    ] = None,
    station: Annotated[
        str, typer.Option(metavar="STATION", help="Station that takes over the permits.")
    ] = "320211-01",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Import existing permits from another system.

    From CSV or an Excel workbook; rows that are refused are written to a file; see docs/import.md.
    """
    from permit_ledger.bootstrap.cli_context import cli_context  # noqa: PLC0415
    from permit_ledger.console.progress import progress  # noqa: PLC0415
    from permit_ledger.csv_import import command as importing  # noqa: PLC0415

    if template:
        typer.echo(importing.template().encode(), nl=False)  # UTF-8, whatever the terminal has
        return
    if file is None:
        raise typer.BadParameter("name a file, or use --template")
    settings = settings_of(data_dir=data_dir, database_url=database_url)
    settings = settings.model_copy(update={} if settings.issuer else {"development": True})
    errors = errors or file.with_name(f"{file.name}.errors.csv")
    with explained(importing.UnusableFile):
        importing.open_regular(file).close()  # before a database is started for it
    with (
        explained(*importing.STOPPED),
        cli_context(settings) as bench,
        progress(errors_console, "importing", None) as report,
    ):
        context = CommandContext(
            actor="import",
            station=station,
            correlation_id=correlation_id(f"import:{file.name}"[:64]),  # a name may be a person's
            at=bench.clock.now(),
            policy=bench.policy,
        )
        result = importing.import_csv(
            bench.ledger,
            file,
            context=context,
            errors=errors,
            encoding=encoding,
            sheet=sheet,
            progress=report,
        )
    console.print(result.summary(errors))


@app.command()
def demo(
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Service in development mode; default the host and port of the settings.",
        ),
    ] = None,
) -> None:
    """Run one permit through its whole life against a running service."""
    from .demo import Demo, DemoFailed  # noqa: PLC0415

    with explained(DemoFailed):
        Demo(url or settings_of().url, console).play()


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show the state of the log and of everything that follows it.

    Positions of the log, views, relay and statistics, quarantined permits, and what the witnesses
    have cosigned.
    """
    from .status import read_status, status_table  # noqa: PLC0415

    with explained():
        found = read_status(settings_of(data_dir=data_dir, database_url=database_url))
    if as_json:
        typer.echo(json.dumps(found.as_dict()))
    else:
        console.print(status_table(found))


# Registered last: help lists commands in this order.
app.command()(rebuild_command.rebuild)
app.command()(verify_command.verify_log)
app.command()(verify_command.copy_log)
app.command()(stats_command.stats)
app.add_typer(key_commands.app, name="keys")
app.add_typer(receipt_key_commands.app, name="receipt-keys")
app.add_typer(log_key_commands.app, name="log-keys")
app.add_typer(quarantine_commands.app, name="quarantine")
