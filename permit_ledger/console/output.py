"""Standard output and standard error that tolerate limited encodings and closed pipes.

A character that the encoding lacks is written as ``?``. When the reader of standard output has
closed it (``stats | head -1``), the command ends silently with exit code 141, as a shell reports a
program ended by SIGPIPE; a command that failed before keeps its own code. What can't be written to
standard error is dropped: a role goes on without its log.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

READER_GONE = 128 + signal.SIGPIPE


@contextmanager
def careful_output() -> Iterator[None]:
    """Replace the process's streams while a command runs; other programs' streams are left alone.

    Raises:
        SystemExit: the reader of standard output has closed it.
        OSError: standard output can't be written, say on a full disk.
    """
    sys.stdout = _careful(sys.stdout, READER_GONE)
    sys.stderr = _careful(sys.stderr, None)
    try:
        yield
    except SystemExit as end:
        if not end.code:
            sys.stdout.flush()
        else:
            _flush_quietly(sys.stdout)
        raise
    else:
        sys.stdout.flush()


class _Pipe(io.FileIO):
    """A descriptor of the process; after the first failed write it is redirected to the null
    device."""

    def __init__(self, descriptor: int, exit_code: int | None) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._exit_code = exit_code

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self._discard_from_now_on()  # the buffer is written again at the end
            if self._exit_code is None:
                return memoryview(data).nbytes
            if isinstance(error, BrokenPipeError):
                raise SystemExit(self._exit_code) from None
            raise

    def _discard_from_now_on(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def _careful(stream: TextIO, exit_code: int | None) -> TextIO:
    # A stream of another class belongs to a test or an embedding program.
    if type(stream) is not io.TextIOWrapper or isinstance(stream.buffer, io.BytesIO):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Pipe(stream.fileno(), exit_code)),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _flush_quietly(stream: TextIO) -> None:
    with suppress(SystemExit, OSError):  # the command has failed already and keeps its exit code
        stream.flush()
