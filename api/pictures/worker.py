"""The process that decodes pictures: one at a time, asked over its standard input.

A request is a kind (one byte), the length of a picture (four bytes) and the picture; the answer is
a status, a length and as many bytes. The process ends when its input does, so with its parent.

Its limits are the kernel's. At a picture that needs more time it is killed, whatever the decoder is
doing; at one that needs more memory, decoding fails. Either way only this picture is lost. It can
open no file and no connection (:mod:`.confinement`).
"""

from __future__ import annotations

import resource
import signal
import sys
from io import BytesIO

from PIL import Image

from .codes import read_codes
from .confinement import confine
from .messages import (
    DONE,
    HEAD,
    JPEG_FRAME,
    PNG_FRAME,
    PORTRAIT,
    PORTRAIT_BYTES_MAX,
    REFUSED,
    NotAPicture,
)
from .portraits import pixels_only

PICTURE_CPU_S_MAX = 3


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the service ends it
    _load_everything()
    confine()
    asked, answered = sys.stdin.buffer, sys.stdout.buffer
    while len(head := asked.read(HEAD.size)) == HEAD.size:
        kind, size = HEAD.unpack(head)
        _limit_next_picture()
        status, answer = _answer(kind, asked.read(size))
        answered.write(HEAD.pack(status, len(answer)) + answer)
        answered.flush()


def _answer(kind: bytes, content: bytes) -> tuple[bytes, bytes]:
    try:
        if kind == PORTRAIT:
            return DONE, pixels_only(content, PORTRAIT_BYTES_MAX)
        return DONE, read_codes(content, "JPEG" if kind == JPEG_FRAME else "PNG")
    except NotAPicture as error:
        return REFUSED, str(error).encode()
    except MemoryError:
        return REFUSED, b"a picture that takes less memory is expected"


def _limit_next_picture() -> None:
    """The limit is of the whole process's time, and in whole seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + PICTURE_CPU_S_MAX
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def _load_everything() -> None:
    """Decode one picture of each kind: some modules are loaded when they are first needed."""
    for mode in ("L", "RGBA"):
        for form, kind in (("JPEG", JPEG_FRAME), ("PNG", PNG_FRAME)):
            content = BytesIO()
            Image.new("L" if form == "JPEG" else mode, (8, 8)).save(content, form)
            _answer(kind, content.getvalue())
            _answer(PORTRAIT, content.getvalue())


if __name__ == "__main__":
    main()
