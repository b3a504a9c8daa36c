"""A PKCS#11 module: a shared library, loaded once a process and called by one thread at a time."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

import pkcs11

from ledger.errors import KeyUnusable, Unavailable

if TYPE_CHECKING:
    from pkcs11 import _pkcs11

LOCK_WAIT_S = 10.0


class Library:
    """One for each path and process, from :func:`library`.

    python-pkcs11 initialises a module as for a program of one thread, and yet lets other threads
    run while a call is under way: two sessions at once could meet in a module that does not lock.
    Callers therefore hold it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.starts = 0
        """How often it was initialised: sessions of an earlier time are lost."""
        self._lock = Lock()
        self._handle: _pkcs11.lib | None = None
        self._running = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the module, so that no other thread calls it.

        Raises:
            Unavailable: a call of another thread has not returned within 10 s.
        """
        lock = self._lock
        if not lock.acquire(timeout=LOCK_WAIT_S):
            raise Unavailable(f"The PKCS#11 module {self.path} has not answered for a while.")
        try:
            yield
        finally:
            lock.release()

    def start(self) -> _pkcs11.lib:
        """The module, initialised; call it while it is held.

        Raises:
            KeyUnusable: there is no such file, or it is not a PKCS#11 module.
            Unavailable: it does not start, such as when it doesn't reach its device.
        """
        try:
            ctypes.CDLL(self.path).C_GetFunctionList  # noqa: B018 - raises where there is none
        except OSError as error:
            raise KeyUnusable(f"The PKCS#11 module can't be loaded: {error}") from None
        except AttributeError:
            raise KeyUnusable(f"{self.path} is no PKCS#11 module.") from None
        try:
            if self._handle is not None and not self._running:
                # After a loss, and after a fork: a child does not share its parent's start.
                with suppress(pkcs11.PKCS11Error):
                    self._handle.finalize()
            self._handle = pkcs11.lib(self.path)  # initialises it unless it is already
        except pkcs11.PKCS11Error as error:
            raise Unavailable(
                f"The PKCS#11 module {self.path} does not start: {type(error).__name__}."
            ) from None
        if not self._running:
            self._running = True
            self.starts += 1
        return self._handle

    def stop(self) -> None:
        """Finalise it: every session of this process is lost, and the next start lists tokens
        again."""
        self._running = False
        self.starts += 1

    def _forget(self) -> None:
        self._lock = Lock()
        self.stop()


_libraries: dict[str, Library] = {}


def library(path: str) -> Library:
    """The process's module of that path."""
    return _libraries.setdefault(path, Library(path))


def _forked() -> None:
    for each in _libraries.values():
        each._forget()


os.register_at_fork(after_in_child=_forked)
