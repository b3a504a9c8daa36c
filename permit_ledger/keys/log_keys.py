"""The keys that sign the trees: in a file, a line each, in the format of :mod:`transparency.notes`.

All private keys sign, so that a new one can be published before an old one is retired; a retired
key keeps its verifier line, for its old signatures. A key has its log's name.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from permit_ledger.settings import Settings
from transparency.logs import LOGS
from transparency.notes import BadNote, NoteSigner, NoteVerifier

from .files import UnusableKey, text_of

SEED_BYTES = 32
LOOK_AGAIN_S = 1.0

Key = NoteSigner | NoteVerifier
K = TypeVar("K")

_log = structlog.get_logger(__name__)


def log_keys(settings: Settings) -> list[Key]:
    """All signing keys, in the file's order; created if there are none.

    Raises:
        UnusableKey: the file holds something else, or one of the logs has no signing key.
        OSError: the operator's own file can't be read.
    """
    keys = _parsed(
        _file(settings), text_of(settings.log_key_file, _file(settings), _made(settings))
    )
    for log in LOGS.values():
        origin = log.origin(settings.origin)
        if not any(isinstance(key, NoteSigner) and key.name == origin for key in keys):
            raise UnusableKey(f"{_file(settings)} holds no key that signs for {origin}")
    return keys


def log_verifiers(settings: Settings) -> list[NoteVerifier]:
    """The verifiers of the trees' checkpoints: of the signing keys first, then of the retired ones.

    Raises:
        UnusableKey, OSError: as :func:`log_keys`.
    """
    if file := settings.log_verifiers_file:
        return [_verifier(key) for key in _parsed(file, file.read_text(encoding="utf-8"))]
    keys = log_keys(settings)
    signing = [key.verifier for key in keys if isinstance(key, NoteSigner)]
    return signing + [key for key in keys if isinstance(key, NoteVerifier)]


def known_verifiers(settings: Settings) -> list[NoteVerifier]:
    """As :func:`log_verifiers`, but creates no keys, for commands that only verify.

    Raises:
        UnusableKey, OSError
    """
    if settings.log_verifiers_file is None and not _file(settings).exists():
        raise UnusableKey(
            f"{_file(settings)} is not there: name a file of verifier keys to verify with"
        )
    return log_verifiers(settings)


def add_keys(settings: Settings) -> list[NoteSigner]:
    """Add a key for every log; running services sign with it soon, besides the others.

    Raises:
        UnusableKey, OSError: as :func:`log_keys`; the file can't be written.
    """
    new = _new_signers(settings)
    _replace(_file(settings), [*log_keys(settings), *new])
    return new


def retire_key(settings: Settings, key_id: str) -> NoteVerifier:
    """Retire the key with this id (hex).

    Raises:
        UnusableKey: no signing key has this id, or it is its log's only one; or as
        :func:`log_keys`. OSError
    """
    keys = log_keys(settings)
    signers = [key for key in keys if isinstance(key, NoteSigner)]
    found = [key for key in signers if key.verifier.key_id.hex() == key_id.lower()]
    if not found:
        raise UnusableKey(f"no key that signs has the id {key_id}")
    retired = found[0]
    if sum(key.name == retired.name for key in signers) == 1:
        raise UnusableKey(f"no other key signs for {retired.name}: add keys first")
    _replace(_file(settings), [key.verifier if key is retired else key for key in keys])
    return retired.verifier


class Watched(Generic[K]):
    """The keys of a file that is read again at intervals; while it can't be read the last ones
    stay."""

    def __init__(self, file: Path, read: Callable[[], list[K]]) -> None:
        self._file = file
        self._read = read
        self._keys = read()
        self._modified_at = self._modified()
        self._look_at = time.monotonic() + LOOK_AGAIN_S

    @property
    def changed_at(self) -> int:
        """A number that changes with the keys."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_AGAIN_S
            self._look()
        return self._modified_at

    @property
    def keys(self) -> list[K]:
        _ = self.changed_at  # reads the file
        return self._keys

    def _look(self) -> None:
        try:
            if (modified_at := self._modified()) != self._modified_at:
                self._keys, self._modified_at = self._read(), modified_at
        except (OSError, UnusableKey) as error:
            _log.error("log keys can't be read", error=type(error).__name__)

    def _modified(self) -> int:
        return self._file.stat().st_mtime_ns


class WatchedSigners:
    """The signing keys, for :class:`transparency.runner.IntegratorRunner`."""

    def __init__(self, settings: Settings) -> None:
        self._origin = settings.origin
        self._watched = Watched(_file(settings), lambda: log_keys(settings))

    @property
    def changed_at(self) -> int:
        return self._watched.changed_at

    def of(self, tree: str) -> list[NoteSigner]:
        origin = LOGS[tree].origin(self._origin)
        keys = self._watched.keys
        return [key for key in keys if isinstance(key, NoteSigner) and key.name == origin]


def watched_verifiers(settings: Settings) -> Callable[[], list[NoteVerifier]]:
    """:func:`log_verifiers`, as they are whenever they are asked for."""
    file = settings.log_verifiers_file or _file(settings)
    watched = Watched(file, lambda: log_verifiers(settings))
    return lambda: watched.keys


def _file(settings: Settings) -> Path:
    return settings.log_key_file or settings.keys_dir / "log.keys"


def _made(settings: Settings) -> Callable[[], str]:
    return lambda: _text(_new_signers(settings))


def _new_signers(settings: Settings) -> list[NoteSigner]:
    origins = [log.origin(settings.origin) for log in LOGS.values()]
    return [NoteSigner(origin, secrets.token_bytes(SEED_BYTES)) for origin in origins]


def _parsed(file: Path, text: str) -> list[Key]:
    try:
        return [_key(line) for line in text.splitlines() if line and not line.startswith("#")]
    except BadNote as error:
        raise UnusableKey(f"{file} holds a line that is no key: {error}") from None


def _key(line: str) -> Key:
    return NoteSigner.of(line) if line.startswith("PRIVATE+") else NoteVerifier.of(line)


def _verifier(key: Key) -> NoteVerifier:
    return key.verifier if isinstance(key, NoteSigner) else key


def _text(keys: Iterable[Key]) -> str:
    return "".join(f"{key}\n" for key in keys)


def _replace(file: Path, keys: Sequence[Key]) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(_text(keys))
        handle.flush()
        os.fsync(handle.fileno())
    Path(name).replace(file)
