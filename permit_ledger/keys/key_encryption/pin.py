"""The file of a token's pin, which is also the lock between processes that use the token."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from ledger.errors import KeyUnusable


class PinFile:
    """The pin is read when it is used and never stored in a field."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._refused: bytes | None = None

    def pin(self) -> str:
        """Read the pin, without the end of the line.

        Raises:
            KeyUnusable: the file can't be read or holds none, or still the one that was refused.
        """
        if self._digest() == self._refused:
            raise KeyUnusable(f"{self.path} still holds the pin that was refused.")
        return self._text()

    def refuse(self) -> None:
        """Never try this pin again in this process: tokens lock after a few wrong ones."""
        self._refused = self._digest()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Lock out other processes, if the file system supports locks.

        Raises:
            KeyUnusable: the file can't be read.
        """
        with self._said():
            handle = self.path.open("rb")
        with handle:
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)  # released with the process
            try:
                yield
            finally:
                with suppress(OSError):
                    fcntl.flock(
                        handle, fcntl.LOCK_UN
                    )  # a child forked in the meantime holds it too

    def _digest(self) -> bytes:
        return sha256(self._text().encode()).digest()

    def _text(self) -> str:
        try:
            with self._said():
                text = self.path.read_text(encoding="utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise KeyUnusable(f"The pin in {self.path} is no UTF-8.") from None
        if not text:
            raise KeyUnusable(f"There is no pin in {self.path}.")
        return text

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise KeyUnusable(f"The pin in {self.path} can't be read: {error.strerror}.") from None
