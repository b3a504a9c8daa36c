"""Files that are written whole, and through no link that another user has put in their place."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO


def lock_file(file: Path) -> IO[bytes]:
    """Open an empty file to hold a lock on; no link of that name is followed.

    Raises:
        OSError
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(file, flags, 0o600), "r+b")


def replace_file(file: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file beside the one of this name, and put it in its place at once.

    A link of that name is replaced, not followed; a reader finds the former content or this one.

    Raises:
        OSError
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as draft:
            draft.write(content)
            os.fchmod(draft.fileno(), mode)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
