"""``permit-ledger import``: existing permits of another system, from CSV or Excel.

Every good row is appended once, however often the file is imported; every bad row is reported with
its line and reason. Only a chunk of rows is ever held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from pathlib import Path
from time import monotonic
from types import MappingProxyType

from domain.context import CommandContext
from ledger.commands.blocking import BlockingLedger

from .columns import COLUMNS, UnusableFile, template
from .csv_lines import LineReader
from .errors_file import ErrorsFile, ErrorsNotWritten
from .first_occurrences import FirstOccurrences
from .importer import ImportRun
from .rows import read_header
from .sources import ENCODINGS, open_regular, opened

__all__ = [
    "COLUMNS",
    "ENCODINGS",
    "STOPPED",
    "FileChanged",
    "ImportReport",
    "UnusableFile",
    "import_csv",
    "open_regular",
    "template",
]

CHUNK_ROWS_MAX = 500
"""Rows that become durable together; fewer than the bulk appender's batch, so in one
transaction."""


class FileChanged(Exception):
    """The file changed during the import."""

    def __init__(self, imported: int) -> None:
        super().__init__(
            f"The file was changed while it was imported: {imported:,} rows of it are in. Import it"
            " again, once nothing writes to it any more: what was imported is passed over, and what"
            " has changed since is refused."
        )


STOPPED = (UnusableFile, FileChanged, ErrorsNotWritten)
"""The import ended with an error; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Counts of rows by outcome; ``codes`` counts the refused ones by reason."""

    rows_read: int
    imported: int
    already_imported: int
    codes: Mapping[str, int]
    seconds: float
    kept: Path | None = None
    """The new name of an earlier run's errors file."""

    @property
    def refused(self) -> int:
        return sum(self.codes.values())

    def summary(self, errors: Path | None = None) -> str:
        """A few lines for the terminal, without anything personal."""
        lines = [
            f"{self.rows_read:,} rows read, {self.imported:,} imported, {self.already_imported:,}"
            f" already there, {self.refused:,} refused, in {self.seconds:.1f} s"
        ]
        lines += [f"  {code}: {rows:,}" for code, rows in sorted(self.codes.items())]
        if self.refused and errors:
            lines.append(f"refused rows: {errors}")
        if self.kept:
            lines.append(f"refused rows of an earlier run: {self.kept}")
        return "\n".join(lines)


def import_csv(
    ledger: BlockingLedger,
    source: Path,
    *,
    context: CommandContext,
    errors: Path | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> ImportReport:
    """Import the permits of ``source``, CSV or an Excel workbook with the columns of
    :func:`template`.

    ``encoding`` is that of a CSV file (:data:`ENCODINGS`); without one it must be UTF-8, and
    another is detected and refused. ``sheet`` names a sheet of a workbook.

    ``context`` has the actor, the station and the policy of the import; time runs on from its
    instant, and each row's correlation id is the context's with the line number. Refused rows go to
    the file ``errors``. ``progress`` is called with bytes read and bytes in all after each chunk.

    Raises:
        UnusableFile: it is not a file of permits, or can't be read; nothing was imported.
        FileChanged, ErrorsNotWritten: the chunks reported so far are durable; import again.
        OSError: a file can't be read or written.
        ledger.errors.Unavailable: the chunks reported so far are durable; import again.
    """
    started = monotonic()

    def context_of(line: int) -> CommandContext:
        at = context.at + timedelta(seconds=monotonic() - started)
        return replace(context, at=at, correlation_id=f"{context.correlation_id}:{line}")

    if errors and errors.exists() and errors.samefile(source):
        raise UnusableFile("The errors file would overwrite the file to import.")
    with opened(source, encoding=encoding, sheet=sheet, looking=progress) as found:
        reader = LineReader(found)
        lines = iter(reader)
        header = read_header(next(lines, None))
        chunk = list(islice(lines, CHUNK_ROWS_MAX))
        if not chunk:
            raise UnusableFile("There is a header and no row below it.")
        with ErrorsFile(errors, header) as errors_file, FirstOccurrences() as first_occurrences:
            run = ImportRun(ledger, context_of, header, errors_file, first_occurrences)
            while chunk:
                if not found.is_unchanged():
                    raise FileChanged(run.imported)
                run.take(chunk)
                progress(found.before + reader.bytes_read, found.before + found.size)
                chunk = list(islice(lines, CHUNK_ROWS_MAX))
    return ImportReport(
        rows_read=run.rows_read,
        imported=run.imported,
        already_imported=run.already_imported,
        codes=MappingProxyType(dict(errors_file.codes)),
        seconds=monotonic() - started,
        kept=errors_file.kept,
    )
