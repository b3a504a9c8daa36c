"""The checkpoint that was signed last, kept in a file outside the database.

A database that was restored to an earlier state does not know what was signed since. If its log
continued from there, a second history would be signed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .notes import BadNote, Note, TreeHead


class LastSignedStore:
    """One file a tree; written before its transaction commits, so it is never behind."""

    def __init__(self, folder: Path, tree: str) -> None:
        self._file = folder / f"{tree}.checkpoint"

    @property
    def file(self) -> Path:
        return self._file

    def recall(self) -> TreeHead | None:
        """The checkpoint that was signed last; ``None`` where none ever was.

        Raises:
            BadNote: the file does not hold a checkpoint.
            OSError: the file cannot be read.
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
        """Write a checkpoint; it is durable on return.

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
