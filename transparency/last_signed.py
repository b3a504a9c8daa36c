"""What was signed last, remembered outside the database: its checkpoint, in a file.

A database that was put back to an earlier state does not know what it has signed since. Were its
log to go on from there, it would sign two histories.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .notes import BadNote, Note, TreeHead


class LastSignedStore:
    """One file a tree; written before what it says is committed, so it is never behind."""

    def __init__(self, folder: Path, tree: str) -> None:
        self._file = folder / f"{tree}.checkpoint"

    @property
    def file(self) -> Path:
        return self._file

    def recall(self) -> TreeHead | None:
        """What was signed last; ``None``: nothing ever was.

        Raises:
            BadNote: the file holds no checkpoint.
            OSError: it is there and can't be read.
        """
        try:
            content = self._file.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return TreeHead.of(Note.of(content).text)
        except BadNote as error:
            raise BadNote(f"{self._file}: {error}") from None

    def keep(self, checkpoint: Note) -> None:
        """Safe on the disk when it returns.

        Raises:
            OSError
        """
        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{self._file.name}.", dir=self._file.parent)
        with os.fdopen(descriptor, "wb") as draft:
            draft.write(str(checkpoint).encode())
            draft.flush()
            os.fsync(draft.fileno())
        Path(name).replace(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
