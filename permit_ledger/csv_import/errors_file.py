"""The errors file: the rows that were not imported, and why, to correct and import again.

Personal data that was refused stays in this file, readable by its owner only, and nowhere else.
"""

from __future__ import annotations

import csv
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from .columns import REPORT_COLUMNS, UnusableFile
from .csv_lines import Line
from .rows import guarded

LINE, *WHY = REPORT_COLUMNS
TO_EMPTY = "correct this row, then empty this cell"
"""A cell added to a row that could not be read though it has one for each column: otherwise it
would be imported as it is here."""
_OWNER_ONLY = 0o600
_KEPT_MAX = 99
_HEAD_BYTES = 4096


class ErrorsFile:
    """Writes the errors file; without one it only counts.

    It has the columns of the imported file in their order, so that it can be corrected and
    imported. A row that could not be read is kept as it was, with as many cells, and is refused
    again until it is corrected.

    The file is created exclusively, for its owner alone, and through no link. An errors file of an
    earlier run, which may have been corrected since, is ``kept`` under another name.

    Raises:
        UnusableFile: the name is taken by something other than an errors file.
        ErrorsNotWritten: of :meth:`flush` and on leaving.
    """

    def __init__(self, file: Path | None, header: Sequence[str]) -> None:
        self.codes: Counter[str] = Counter()
        """How many rows were refused, by code."""
        self.kept: Path | None = None
        self._own = [place for place, name in enumerate(header) if name not in REPORT_COLUMNS]
        self._columns = len(header)
        self._waiting: list[tuple[int, list[str]]] = []
        self._file = file
        self._text: TextIO | None = None
        if file:
            self.kept = _make_room(file)
            # The BOM is for spreadsheets; the import accepts it too.
            self._text = open(  # noqa: SIM115  closed on leaving
                file, "x", encoding="utf-8-sig", newline="", opener=_private
            )
            self._writer = csv.writer(self._text)
            first, *others = (header[place] for place in self._own)
            self._writer.writerow([LINE, first, *WHY, *others])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._text:
            with self._explained():
                self._text.close()

    def add(self, line: int, code: str, reason: str, cells: Mapping[str, str]) -> None:
        """Refuse a row that was read; ``cells`` by column, in the file's order."""
        self._add(line, code, reason, [v for n, v in cells.items() if n not in REPORT_COLUMNS])

    def add_unreadable(self, line: Line, code: str, reason: str) -> None:
        """Refuse a line that is not a row."""
        if not line.cells:
            self._add(line.number, code, reason, [line.text])
            return
        own, beyond = set(self._own), line.cells[self._columns :]
        cells = [cell for place, cell in enumerate(line.cells[: self._columns]) if place in own]
        is_whole = len(line.cells) >= self._columns and not any(c.strip() for c in beyond)
        self._add(line.number, code, reason, [*cells, *([TO_EMPTY] if is_whole else beyond)])

    def _add(self, line: int, code: str, reason: str, cells: Sequence[str]) -> None:
        self.codes[code] += 1
        if self._text:
            first, *others = cells or [""]
            row = [str(line), first, code, reason, *others]
            self._waiting.append((line, [guarded(cell) for cell in row]))

    def flush(self) -> None:
        """Write what was refused since the last time, in the order of lines."""
        if self._text:
            self._waiting.sort(key=lambda refused: refused[0])
            with self._explained():
                self._writer.writerows(cells for _, cells in self._waiting)
                self._text.flush()
            self._waiting.clear()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ErrorsNotWritten(self._file, error) from None


class ErrorsNotWritten(Exception):
    """The errors file lacks rows that were refused; the import has stopped."""

    def __init__(self, file: Path | None, error: OSError) -> None:
        super().__init__(
            f"{file} can't be written ({error.strerror}): refused rows are missing from it. Make"
            " room and import the file again: what was imported is passed over."
        )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ONLY)


def _make_room(file: Path) -> Path | None:
    """Move an earlier run's errors file aside: delete one without rows, rename another one and
    return its new name."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # nor waits for a pipe
    try:
        found = os.open(file, flags)
    except FileNotFoundError:
        return None
    except OSError:
        raise _taken(file) from None
    known = os.fstat(found)
    if not stat.S_ISREG(known.st_mode) or known.st_uid != os.geteuid():
        os.close(found)
        raise _taken(file)
    with open(found, "rb") as content:
        head = content.read(_HEAD_BYTES)
        if not head.partition(b"\n")[2].strip() and (not head or _is_ours(head)):
            file.unlink()
            return None
        if not _is_ours(head):
            raise _taken(file)
        os.fchmod(found, _OWNER_ONLY)
        return _moved(file, known)


def _taken(file: Path) -> UnusableFile:
    return UnusableFile(
        f"{file} is there, and is no errors file of an earlier import: move it away, or name"
        " another one with --errors."
    )


def _is_ours(head: bytes) -> bool:
    names = head.decode("utf-8-sig", "replace").partition("\n")[0].strip().split(",")
    return names[0] == LINE and names[2:4] == WHY


def _moved(file: Path, known: os.stat_result) -> Path:
    """Rename the file that is known; another that was put in its place meanwhile is not taken."""
    for number in range(1, _KEPT_MAX + 1):
        kept = file.with_name(f"{file.name}.{number}")
        try:
            os.link(file, kept, follow_symlinks=False)  # fails if the name is taken
        except FileExistsError:
            continue
        if not os.path.samestat(known, kept.lstat()):
            kept.unlink()
            raise _taken(file)
        file.unlink()
        return kept
    raise UnusableFile(f"There are {_KEPT_MAX} earlier errors files beside {file}: move them away.")
