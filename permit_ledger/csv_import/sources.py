"""Read a file to import, text in some encoding or an Excel workbook, as lines of UTF-8.

The whole file is checked before anything is imported, so that a wrong guess never imports half of
it. Another encoding is detected and suggested, never used automatically: many files in one encoding
can be decoded, wrongly, in another.
"""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO

from domain import text

from .columns import COLUMNS, UnusableFile
from .workbook import is_zip, write_as_lines

UTF_8 = "utf-8"
ENCODINGS = (UTF_8, "gb18030", "utf-16", "utf-16-le", "utf-16-be", "big5")
"""Values of ``--encoding``; gbk, gb2312 and cp936 are read as gb18030, which contains them."""
SEPARATORS = ",;\t|"
_HEAD_BYTES = 4096
_CHUNK_CHARACTERS = 1 << 16
_SAMPLE_BYTES = 1 << 20
_NULS_MIN, _RATHER = 0.2, 10
"""Of the first bytes of UTF-16 with a header in Latin letters half are zero, nearly all of them in
the same places."""
_OF_GB18030 = frozenset({"gbk", "gb2312", "gb18030", "cp936", "hz"})

# Characters that GB 18030-2022 gives code points of their own; Python's codec still puts them where
# the edition of 2000 did, in the private-use area: 14 ideographs and 10 vertical forms.
_GB_18030_2022 = str.maketrans(
    "\ue816\ue817\ue818\ue81e\ue826\ue82b\ue82c\ue831\ue832\ue83b\ue843\ue854\ue855\ue864"
    "\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796",
    "\U00020087\U00020089\U000200cc\u9fb4\u9fb5\u9fb6\u9fb7\U000215d7\u9fb8\U0002298f\u9fb9\u9fba"
    "\U000241fe\u9fbb\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19",
)
_HAN = re.compile(f"[{text.HAN}]")
_PAIR = re.compile(rb"[\x81-\xfe](?:([\x40-\x7e])|[\x80-\xfe])")
_LOW_SHARE = 0.2
"""Of all pairs of bytes, with a second one below 0x80: some 0.4 in Big5, nearly none in mainland
text, since no character of GB 2312 has one."""

_OTHER_FILES = (
    (b"\xd0\xcf\x11\xe0", "an old .xls file, or a workbook with a password"),
    (b"%PDF", "a PDF"),
    (b"<", "HTML or XML, whatever its name says"),
    (b"{\\rtf", "a text document"),
    (b"\x1f\x8b", "a compressed file"),
    (b"Rar!", "a compressed file"),
    (b"7z\xbc\xaf", "a compressed file"),
)
_SAVE_AS = "save it as .xlsx or as CSV in UTF-8"


@dataclass(frozen=True, slots=True)
class Source:
    """``file`` holds lines of UTF-8, of ``size`` bytes; ``problems`` are what was wrong with lines
    before they became text, by number. ``before`` are bytes that had to be read to get there."""

    file: BinaryIO | IO[bytes]
    size: int
    is_unchanged: Callable[[], bool]
    problems: Mapping[int, str] = field(default_factory=dict)
    before: int = 0


@contextmanager
def opened(
    path: Path,
    *,
    encoding: str | None = None,
    sheet: str | None = None,
    looking: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> Iterator[Source]:
    """The file's lines, after all of it was checked; ``looking`` is called with bytes done and
    bytes in all while a workbook is read.

    Raises:
        UnusableFile: another kind of file, or an encoding that has to be named; nothing was
            imported.
        OSError
    """
    with open_regular(path) as file:
        begun = _state(file)

        def is_unchanged() -> bool:
            return _state(file) == begun

        def lines_of(lines: IO[bytes], problems: Mapping[int, str]) -> Source:
            size = lines.tell()
            lines.seek(0)
            if not is_unchanged():
                raise UnusableFile("The file was changed while it was read; nothing was imported.")
            return Source(lines, size, lambda: True, problems, before=size)

        head = file.read(_HEAD_BYTES)
        file.seek(0)
        if is_zip(head):
            if encoding is not None:
                raise UnusableFile("A workbook has no encoding to name: leave out --encoding.")
            with TemporaryFile() as lines:
                size = begun[0]
                problems = write_as_lines(
                    file, lines, sheet, lambda: looking(file.tell(), 2 * size)
                )
                yield lines_of(lines, problems)
            return
        if sheet is not None:
            raise UnusableFile("This is no Excel workbook: leave out --sheet.")
        _require_text(head)
        known = _known(encoding) if encoding is not None else None
        if known in {None, UTF_8}:
            _require_utf_8(file, head, asked=known is not None)
            if not _is_old_mac(head):
                yield Source(file, begun[0], is_unchanged)
                return
        else:
            _require_no_utf_8(file)
        with TemporaryFile() as lines:
            _transcode(file, known or UTF_8, lines)
            yield lines_of(lines, {})


def open_regular(path: Path) -> BinaryIO:
    """
    Raises:
        UnusableFile: it is a pipe or a device.
        OSError
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would block
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        os.close(descriptor)
        raise UnusableFile("This is not a regular file: save what is to be imported to one.")
    try:
        return os.fdopen(descriptor, "rb")
    except IsADirectoryError as error:
        os.close(descriptor)
        error.filename = str(path)
        raise


def separator_of(header: str) -> str:
    """The encoding in which the header has the most known columns."""

    def found(separator: str) -> int:
        return sum(cell.strip(' "\ufeff') in COLUMNS for cell in header.split(separator))

    return max(SEPARATORS, key=found)


def _state(file: BinaryIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns


def _require_text(head: bytes) -> None:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    for magic, what in _OTHER_FILES:
        if start.startswith(magic):
            raise UnusableFile(f"This looks like {what}: {_SAVE_AS}.")


def _known(name: str) -> str:
    try:
        found = codecs.lookup(name).name
    except LookupError:
        found = name
    if found in _OF_GB18030:
        return "gb18030"
    if found == "utf-8-sig":
        return UTF_8
    if found in ENCODINGS:
        return found
    raise UnusableFile(f"--encoding {name!r} is not known; known are {', '.join(ENCODINGS)}.")


def _is_old_mac(head: bytes) -> bool:
    return b"\r" in head and b"\n" not in head


def _require_utf_8(file: BinaryIO, head: bytes, *, asked: bool) -> None:
    """In a file that is UTF-8 otherwise, refuse a damaged line by itself."""
    guess = _guess_of_nuls(head)
    if guess is None:
        good = bad = first_bad = 0
        for number, line in enumerate(_lines(file), 1):
            if line.isascii():
                continue
            try:
                line.decode(UTF_8)
                good += 1
            except UnicodeDecodeError:
                bad += 1
                first_bad = first_bad or number
        file.seek(0)
        if bad <= good:
            return
        guess = _guess_of_text(file)
        if guess is None or asked:
            raise UnusableFile(
                f"Line {first_bad} is not UTF-8; nothing was imported. Save the file as CSV in"
                f" UTF-8, or name its encoding with --encoding ({', '.join(ENCODINGS)})."
            )
    name = {"gb18030": "GBK/GB18030", "big5": "Big5"}.get(guess, guess.upper())
    raise UnusableFile(
        f"This file looks like {name}, not UTF-8; nothing was imported. Run the import again with"
        f" --encoding {guess}."
    )


def _require_no_utf_8(file: BinaryIO) -> None:
    """Many files in UTF-8 can be decoded, wrongly, as GB18030. In a short file of GBK every pair
    may happen to be UTF-8, but none of these is Han."""
    decoder = codecs.getincrementaldecoder(UTF_8)()
    has_han = False
    try:
        while chunk := file.read(_CHUNK_CHARACTERS):
            has_han = bool(_HAN.search(decoder.decode(chunk))) or has_han
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        has_han = False
    file.seek(0)
    if has_han:
        raise UnusableFile("This file is UTF-8: leave out --encoding. Nothing was imported.")


def _guess_of_nuls(head: bytes) -> str | None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = head[::2].count(0), head[1::2].count(0)
    # A few characters have a zero in their other half, U+4E00 among them.
    if odd > _NULS_MIN * len(head) and even * _RATHER < odd:
        return "utf-16-le"
    if even > _NULS_MIN * len(head) and odd * _RATHER < even:
        return "utf-16-be"
    return None


def _guess_of_text(file: BinaryIO) -> str | None:
    """GB18030 or Big5: most text of either can be decoded as the other."""
    seconds = _PAIR.findall(file.read(_SAMPLE_BYTES))
    file.seek(0)
    is_low = sum(map(bool, seconds)) > _LOW_SHARE * len(seconds)
    likely = ("big5", "gb18030") if is_low else ("gb18030", "big5")
    return next((encoding for encoding in likely if _can_be_read(file, encoding)), None)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines of bounded length. A longer one can't be a line of an import; it comes in pieces that
    may cut a character, which is then not counted."""
    while line := file.readline(_CHUNK_CHARACTERS):
        yield line if line.endswith(b"\n") or len(line) < _CHUNK_CHARACTERS else b""


def _can_be_read(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := file.read(_CHUNK_CHARACTERS):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        file.seek(0)
    return True


def _transcode(file: BinaryIO, encoding: str, lines: IO[bytes]) -> None:
    decoded = TextIOWrapper(file, encoding, newline=None)
    number = 1
    try:
        while chunk := decoded.read(_CHUNK_CHARACTERS):
            if encoding == "gb18030":
                chunk = chunk.translate(_GB_18030_2022)
            lines.write(chunk.encode(UTF_8))
            number += chunk.count("\n")
    except UnicodeError:
        raise UnusableFile(
            f"The file is not {encoding}: from about line {number} on it can't be read."
            " Nothing was imported."
        ) from None
    finally:
        decoded.detach()
