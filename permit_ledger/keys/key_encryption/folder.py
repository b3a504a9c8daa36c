"""Key-encryption keys as files in a folder, readable by their owner only."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from ledger.crypto.randomness import source
from ledger.errors import KeyUnusable

from . import envelope, names
from .file_key import FileKey

_SUFFIX = ".key"
_DRAFT_SUFFIX = ".draft"
_LOCK = ".lock"
_HEX = re.compile(rb"[0-9a-fA-F]{64}")
_TEXT_BYTES_MAX = 128  # a key with white space around it


class KeyFolder:
    """``<kek_id>.key`` each, 64 hex characters; processes on one machine may share it.

    Creating or destroying a key needs a lock on the file ``.lock``; reading needs none.
    """

    def __init__(self, path: Path, now: Callable[[], datetime] = names.now) -> None:
        self._path = path
        self._now = now

    def __repr__(self) -> str:
        return f"KeyFolder({str(self._path)!r})"

    def load(self) -> Sequence[FileKey]:
        """All of them, oldest first; the first is created if there is none, by one process only.

        Raises:
            KeyUnusable: a file or the folder can't be read, written, or holds something else.
        """
        keys = self._keys()
        if not keys:
            with self._locked():
                keys = self._keys() or [self._made(existing=[])]
        return keys

    def is_empty(self) -> bool:
        """Whether the folder holds no key."""
        return not self._ids()

    def create(self) -> FileKey:
        """Create a key that sorts after all others; durable on return.

        Raises:
            KeyUnusable: the folder can't be written, or holds a file with another kind of name.
        """
        with self._locked():
            return self._made(self._ids())

    def destroy(self, kek_id: str) -> None:
        """Overwrite and remove a key; do nothing if it is missing.

        Copies that a file system or a disk keeps of overwritten blocks, and backups, stay.

        Raises:
            KeyUnusable: the file can't be written.
        """
        with self._locked():
            if kek_id not in self._ids():
                return
            file = self._file(kek_id)
            with _said(file), file.open("r+b") as handle:
                handle.write(bytes(os.fstat(handle.fileno()).st_size))
                handle.flush()
                os.fsync(handle.fileno())
            with _said(file):
                file.unlink()
                _sync(self._path)

    def _keys(self) -> list[FileKey]:
        return [key for kek_id in self._ids() if (key := self._read(kek_id)) is not None]

    def _ids(self) -> list[str]:
        with _said(self._path):
            try:
                entries = os.listdir(self._path)
            except FileNotFoundError:
                return []
        ids = sorted(entry.removesuffix(_SUFFIX) for entry in entries if entry.endswith(_SUFFIX))
        for kek_id in ids:
            if not names.is_id(kek_id):
                raise KeyUnusable(f"{self._file(kek_id)} has no name of a key-encryption key.")
        return ids

    def _read(self, kek_id: str) -> FileKey | None:
        file = self._file(kek_id)
        try:
            with _said(file), file.open("rb") as handle:
                text = handle.read(_TEXT_BYTES_MAX + 1)
        except KeyUnusable as unusable:
            if isinstance(unusable.__cause__, FileNotFoundError):
                return None  # destroyed since the folder was listed
            raise
        if len(text) > _TEXT_BYTES_MAX or not _HEX.fullmatch(text.strip()):
            raise KeyUnusable(f"{file} holds no key: {envelope.KEY_BYTES} bytes in hex.")
        return FileKey(kek_id, bytes.fromhex(text.decode().strip()))

    def _made(self, existing: Sequence[str]) -> FileKey:
        kek_id, secret = names.new_id(existing, self._now()), source.take(envelope.KEY_BYTES)
        draft = self._file(kek_id).with_suffix(_DRAFT_SUFFIX)
        with _said(self._path):
            for left in self._path.glob(f"*{_DRAFT_SUFFIX}"):
                left.unlink()  # of a crash; not overwritten, it may be a key's second name
            try:
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w", encoding="ascii") as handle:
                    handle.write(secret.hex())
                    handle.flush()
                    os.fsync(handle.fileno())
                os.link(draft, self._file(kek_id))
            finally:
                draft.unlink(missing_ok=True)
            _sync(self._path)
        return FileKey(kek_id, secret)

    def _file(self, kek_id: str) -> Path:
        return self._path / f"{kek_id}{_SUFFIX}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock out other processes and threads, while one small file is written."""
        with _said(self._path):
            for folder in (self._path.parent, self._path):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _sync(folder.parent)
            descriptor = os.open(self._path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with _said(self._path):
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # released with the process
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(
                    descriptor, fcntl.LOCK_UN
                )  # a child forked in the meantime holds it too
            os.close(descriptor)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """The system's error, with the file's name."""
    try:
        yield
    except OSError as error:
        raise KeyUnusable(
            f"{path} can't be used as a key-encryption key: {error.strerror}."
        ) from error


def _sync(folder: Path) -> None:
    """Make the file's name durable: it is part of the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
