"""Lines of CSV in UTF-8, parsed one by one, so that an error is confined to its line.

One row is one line: no column may hold a line break, so a missing quotation mark affects its own
line and not the rest of the file. With or without BOM; lines end with LF or CRLF; the header
decides which character separates cells.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .sources import Source, separator_of

LINE_BYTES_MAX = 16 * 1024
SHOWN_BYTES_MAX = 1024
"""Of a line that is too long, in the report: its first characters."""
_BOM = b"\xef\xbb\xbf"
_SAYS_SEPARATOR = re.compile(rb"sep=[,;\t|]\r?\n?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Line:
    """A line, counted from 1 for the header, with its cells or the problem with it. ``text`` is the
    whole line if it has no cells, as far as it could be read."""

    number: int
    cells: tuple[str, ...] = ()
    problem: str | None = None
    text: str = ""


class LineReader:
    """Yield every line that is not blank; only one is in memory, of bounded length."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._separator: str | None = None
        self.bytes_read = 0

    def __iter__(self) -> Iterator[Line]:
        number = 0
        while raw := self._read():
            number += 1
            too_long = len(raw) > LINE_BYTES_MAX and not raw.endswith(b"\n")
            if too_long:
                self._skip_rest()
                problem = f"the line is longer than {LINE_BYTES_MAX} bytes: here is its beginning"
                yield Line(number, problem=problem, text=_readable(raw[:SHOWN_BYTES_MAX]))
                continue
            if number == 1:
                raw = raw.removeprefix(_BOM)
                if _SAYS_SEPARATOR.fullmatch(raw):  # for Excel; the header decides
                    continue
            line = self._split(number, raw)
            if line.problem or any(cell.strip() for cell in line.cells):
                yield line

    def _read(self) -> bytes:
        raw = self._source.file.readline(LINE_BYTES_MAX + 1)
        self.bytes_read += len(raw)
        return raw

    def _skip_rest(self) -> None:
        while (rest := self._read()) and not rest.endswith(b"\n"):
            pass

    def _split(self, number: int, raw: bytes) -> Line:
        shown = _readable(raw)
        if b"\0" in raw:
            return Line(number, problem="the line holds a NUL byte", text=shown)
        try:
            text = raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
            if self._separator is None and text.strip():
                self._separator = separator_of(text)
            cells = next(csv.reader([text], delimiter=self._separator or ",", strict=True), [])
        except UnicodeDecodeError:
            return Line(number, problem="the line is not UTF-8", text=shown)
        except csv.Error as error:
            return Line(number, problem=f"the line is not CSV: {error}", text=shown)
        return Line(number, tuple(cells), self._source.problems.get(number))


def _readable(raw: bytes) -> str:
    """A line that is not a row, as text that fits a cell."""
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    return text.translate({0: "\ufffd", ord("\r"): "\ufffd"})
