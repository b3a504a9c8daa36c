"""The rows that were not imported, and why: a CSV file to correct and import again.

Personal data that was refused stays in this file, readable by its owner only, and nowhere else.
"""

from __future__ import annotations

import csv
import os
import stat
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from .columns import COLUMNS, REPORT_COLUMNS, UnusableFile
from .rows import guarded

_LINE, *_WHY = REPORT_COLUMNS
REFUSAL_COLUMNS = (_LINE, COLUMNS[0], *_WHY, *COLUMNS[1:])
"""The line, the reference, code and reason, then the row's other columns."""
_OWNER_ONLY = 0o600
_BEGINS = f"\ufeff{','.join(REFUSAL_COLUMNS[:4])},".encode()


class Refusals:
    """Owns the errors file; without one it only counts.

    The file is created exclusively, for its owner alone, and through no link. One that is there is
    replaced where it is the errors file of an earlier run.

    Raises:
        UnusableFile: something else is there.
    """

    def __init__(self, file: Path | None) -> None:
        self.codes: Counter[str] = Counter()
        """How many rows were refused, by code."""
        self._waiting: list[tuple[int, dict[str, object]]] = []
        self._text: TextIO | None = None
        if file:
            _make_room(file)
            # The BOM is for spreadsheets; the import itself reads it too.
            self._text = open(  # noqa: SIM115  closed on leaving
                file, "x", encoding="utf-8-sig", newline="", opener=_private
            )
            self._writer = csv.DictWriter(self._text, REFUSAL_COLUMNS)
            self._writer.writeheader()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._text:
            self._text.close()

    def add(self, line: int, code: str, reason: str, cells: Mapping[str, str]) -> None:
        """Refuse a row; ``cells`` are as many of its columns as could be read."""
        self.codes[code] += 1
        if self._text:
            about = {"line": line, "code": code, "reason": reason}
            self._waiting.append((line, {**cells, **about}))

    def flush(self) -> None:
        """Write what was refused since the last time, in the order of lines."""
        if self._text:
            self._waiting.sort(key=lambda refused: refused[0])
            self._writer.writerows(
                {name: guarded(str(cell)) for name, cell in cells.items()}
                for _, cells in self._waiting
            )
            self._waiting.clear()
            self._text.flush()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ONLY)


def _make_room(file: Path) -> None:
    """Take away the errors file of an earlier run."""
    try:
        found = file.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(found.st_mode):
        with file.open("rb") as content:
            begins = content.read(len(_BEGINS))
        if found.st_uid == os.geteuid() and (begins == _BEGINS or not found.st_size):
            file.unlink()
            return
    raise UnusableFile(
        f"{file} is there, and is no errors file of an earlier import: move it away, or name"
        " another one with --errors."
    )
