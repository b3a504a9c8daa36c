"""``permit-ledger verify-log`` and ``copy-log``: verify the transparency log, and copy it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from psycopg import Error

from permit_ledger.settings import Settings

from .commandline import DatabaseUrl, DataDir, console, errors_console, explained, settings_of

if TYPE_CHECKING:
    from transparency.notes import NoteVerifier
    from transparency.verify.claims import Claim
    from transparency.verify.findings import Verified
    from transparency.verify.scratch import Scratch
    from transparency.verify.tile_folder import TileFolder

REGISTER = "register of holders"

Progress = Callable[[str, int, int | None], None]

Verifiers = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Verifier keys, one on each line; default those of the settings."
    ),
]


def verify_log(
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CHECKPOINT", help="A checkpoint that was kept elsewhere; may be repeated."
        ),
    ] = None,
    tiles: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A copy of the log; the only input unless a database is named.",
        ),
    ] = None,
    verifiers: Verifiers = None,
    every_manifest: Annotated[
        bool,
        typer.Option(
            "--every-manifest", help="Recompute all manifests of a large log, not only the newest."
        ),
    ] = False,
    workers: Annotated[
        int, typer.Option(min=0, max=64, metavar="N", help="Processes; 0 is one for each core.")
    ] = 0,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Verify the transparency log: recompute its trees from the rows and compare.

    Compares with the stored tiles, the signed checkpoints, and the copies that are given. Exits
    with code 1 and the first position that differs; see docs/transparency.md.
    """
    from permit_ledger.console.progress import stages  # noqa: PLC0415
    from transparency.verify.findings import in_order  # noqa: PLC0415  keeps --help quick

    settings = settings_of(
        data_dir=data_dir, database_url=database_url, log_verifiers_file=verifiers
    )
    started = time.perf_counter()
    with (
        explained(Error, ValueError, BrokenExecutor),
        stages(errors_console, "verify-log") as progress,
    ):
        found = _verified(
            settings, against or [], tiles, workers, progress, every_manifest=every_manifest
        )
    seconds = time.perf_counter() - started
    findings = in_order(found)
    for finding in findings:
        console.print(f"  {finding}", markup=False, highlight=False, soft_wrap=True)
    for each in found:
        pending = f", {each.pending:,} not yet signed" if each.pending else ""
        typer.echo(f"{each.tree}: {each.size:,} entries, {each.claims:,} roots compared{pending}")
        if each.skipped:
            typer.echo(f"{each.skipped:,} older manifests not recomputed: --every-manifest does")
    rows = sum(each.head for each in found)
    typer.echo(f"{rows:,} rows in {seconds:.1f} s ({rows / max(seconds, 0.001):,.0f}/s)")
    if of_register := sum(finding.tree == REGISTER for finding in findings):
        typer.echo(f"NOT the register that the log makes: {of_register:,} rows differ")
    if of_log := len(findings) - of_register:
        typer.echo(f"NOT the log that was signed: {of_log:,} findings")
    if findings:
        raise typer.Exit(1)
    typer.echo("OK: this is the log that was signed")


def copy_log(
    folder: Annotated[
        Path, typer.Argument(help="Folder of the copy; an existing copy is extended.")
    ],
    entries: Annotated[
        bool, typer.Option("--entries", help="Copy the entries too, not only their hashes.")
    ] = False,
    verifiers: Verifiers = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Copy the transparency log's tiles to a folder that is kept elsewhere.

    Each call brings the copy up to date.
    """
    from permit_ledger.bootstrap.cli_context import server  # noqa: PLC0415
    from permit_ledger.console.progress import stages  # noqa: PLC0415
    from permit_ledger.keys.log_keys import known_verifiers  # noqa: PLC0415
    from transparency.logs import LOGS  # noqa: PLC0415  keeps --help quick
    from transparency.verify import copying  # noqa: PLC0415

    settings = settings_of(
        data_dir=data_dir, database_url=database_url, log_verifiers_file=verifiers
    )
    with (
        explained(Error, ValueError),
        server(settings) as url,
        stages(errors_console, "copy-log") as progress,
    ):
        keys = known_verifiers(settings)
        sizes = {
            name: copying.copy_log(
                url,
                log,
                settings.origin,
                keys,
                folder / log.suffix.removeprefix("/"),
                progress,
                with_entries=entries,
            )
            for name, log in LOGS.items()
        }
    for name, size in sizes.items():
        typer.echo(f"{name}: {size:,} entries")


def _verified(
    settings: Settings,
    against: list[Path],
    tiles: Path | None,
    workers: int,
    progress: Progress,
    *,
    every_manifest: bool,
) -> list[Verified]:
    from permit_ledger.bootstrap.cli_context import server  # noqa: PLC0415
    from permit_ledger.keys.log_keys import known_verifiers  # noqa: PLC0415
    from transparency.verify.folder_check import check_folder, folders_in  # noqa: PLC0415
    from transparency.verify.verification import Verification  # noqa: PLC0415

    keys = known_verifiers(settings)
    claims, findings = _claims(settings, against, keys)
    copies = folders_in(tiles) if tiles else {}
    if tiles and not copies:
        raise ValueError(f"{tiles} holds no copy of a log: there is no checkpoint")
    of_copies = []
    for tree, copy in copies.items():
        verified, claim = check_folder(tree, copy, settings.origin, keys, progress)
        of_copies.append(verified)
        if claim:
            claims.setdefault(tree, []).append(claim)
    if tiles and not settings.database_url:
        return [*findings, *of_copies]
    with server(settings) as url:
        of_database = Verification(
            url,
            settings.origin,
            keys,
            claims,
            workers=workers,
            every_manifest=every_manifest,
            progress=progress,
            compare=partial(_compare, copies),
        ).run()
        of_register = _register(settings, url, progress)
    return [*of_database, *of_register, *findings, *(one for one in of_copies if one.findings)]


def _register(settings: Settings, database_url: str, progress: Progress) -> list[Verified]:
    """Compare the register of holders with the log, on a machine that has the keys for it."""
    from ledger.codec.mapper import EventMapper, OrjsonTranscoder  # noqa: PLC0415
    from ledger.crypto.holder_keys import HolderKeys  # noqa: PLC0415
    from ledger.database.connections import connect  # noqa: PLC0415
    from ledger.errors import KeyUnusable, Unavailable  # noqa: PLC0415
    from ledger.eventlog.recognition import RegisterCheck  # noqa: PLC0415
    from permit_ledger.bootstrap.setup import has_this_key  # noqa: PLC0415
    from permit_ledger.keys import files as keys  # noqa: PLC0415
    from permit_ledger.keys.key_encryption import keyring  # noqa: PLC0415
    from transparency.verify.findings import Verified  # noqa: PLC0415

    found = Verified(REGISTER)
    try:
        blind_index = keys.existing_blind_index(settings)
        with connect(database_url, application_name="permit-ledger verify-log") as connection:
            if blind_index is None or not has_this_key(connection, blind_index):
                typer.echo(_NO_KEYS, err=True)
                return []
            check = RegisterCheck(
                blind_index, HolderKeys(keyring(settings)), EventMapper(OrjsonTranscoder())
            )
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                for count, differences in check.whole(connection):
                    found.head += count
                    found.size += count
                    progress("register", found.size, None)
                    for difference in differences:
                        found.add(None, f"{difference}, is not what the log makes of it")
                for position, stream in check.unregistered(connection):
                    found.add(position, f"the stream {stream} is on record for no holder")
    except (KeyUnusable, Unavailable):
        typer.echo(_NO_KEYS, err=True)
        return []
    return [found]


_NO_KEYS = (
    "the register of holders was not compared with the log: that needs the keys of this ledger"
)


def _compare(copies: dict[str, TileFolder], tree: str, scratch: Scratch, found: Verified) -> None:
    from transparency.verify.folder_check import compare_with_copy, head_of  # noqa: PLC0415

    if (copy := copies.get(tree)) and (head := head_of(copy)):
        compare_with_copy(copy, head.size, scratch, found)


def _claims(
    settings: Settings, against: list[Path], keys: list[NoteVerifier]
) -> tuple[dict[str, list[Claim]], list[Verified]]:
    """Compare the trees with the checkpoints kept outside the database; return what is wrong."""
    from transparency.logs import LOGS  # noqa: PLC0415
    from transparency.verify.claims import remembered, shown  # noqa: PLC0415
    from transparency.verify.findings import Verified  # noqa: PLC0415

    claims: dict[str, list[Claim]] = {}
    outside, files = Verified("outside the database"), []
    for tree, log in LOGS.items():
        origin = log.origin(settings.origin)
        files.append(remembered(settings.tree_dir, tree, origin, keys))
    origins = {log.origin(settings.origin): tree for tree, log in LOGS.items()}
    files += [shown(file, origins, keys) for file in against]
    for found in files:
        if found.problem:
            outside.add(None, found.problem)
        if found.claim and found.tree:
            claims.setdefault(found.tree, []).append(found.claim)
    return claims, [outside] if outside.findings else []
