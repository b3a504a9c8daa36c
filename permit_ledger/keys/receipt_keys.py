"""The keys that sign receipts: one at a time, each verified for as long as it is published.

The file holds a JWK, as it was made, or a JWK set once they were rotated. A key of the set may say
``signs_from``; retired ones keep their public part, and may be removed by hand when
their receipts need no verification any more.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from api.checks.receipts import ReceiptKey
from permit_ledger.settings import Settings

from .files import UnusableKey, new_ec_key, text_of

SIGNS_FROM = "signs_from"
LOOK_AGAIN_S = 1.0

_log = structlog.get_logger(__name__)


def receipt_keys(settings: Settings) -> list[ReceiptKey]:
    """All keys, created if there are none.

    Raises:
        UnusableKey: the file holds no P-256 key that can sign now.
        OSError: the operator's own file can't be read.
    """
    file = _file(settings)
    try:
        found = orjson.loads(text_of(settings.receipt_key_file, file, new_ec_key))
        listed = found.get("keys", [found])
        keys = [_key(jwk) for jwk in listed]
        now = time.time()
        if not any(each.key.is_private and each.signs_from <= now for each in keys):
            raise ValueError("none of them signs")
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise UnusableKey(f"{file} holds no private key on P-256 as a JWK") from None
    return keys


def rotate(settings: Settings, after_s: float) -> ReceiptKey:
    """Add a key that is published at once and signs from ``after_s`` seconds on; of the others only
    the one that signs until then keeps its private part.

    Raises:
        UnusableKey, OSError: as :func:`receipt_keys`; the file can't be written.
    """
    now = time.time()
    keys = receipt_keys(settings)
    signing = max(
        (each for each in keys if each.key.is_private and each.signs_from <= now),
        key=lambda each: each.signs_from,
    )
    new = ReceiptKey(_imported(orjson.loads(new_ec_key())), now + after_s)
    listed = [_jwk(each, private=each is signing) for each in keys] + [_jwk(new, private=True)]
    _replace(_file(settings), orjson.dumps({"keys": listed}, option=orjson.OPT_INDENT_2))
    return new


class WatchedKeys:
    """The keys of the file, which is read again at intervals; while it can't be read the last ones
    stay."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = receipt_keys(settings)
        self._changed_at = self._modified()
        self._look_at = time.monotonic() + LOOK_AGAIN_S

    def __call__(self) -> Sequence[ReceiptKey]:
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_AGAIN_S
            self._look()
        return self._keys

    def _look(self) -> None:
        try:
            if (changed_at := self._modified()) != self._changed_at:
                self._keys, self._changed_at = receipt_keys(self._settings), changed_at
        except (OSError, UnusableKey) as error:
            _log.error("receipt keys can't be read", error=type(error).__name__)

    def _modified(self) -> int:
        return _file(self._settings).stat().st_mtime_ns


def _file(settings: Settings) -> Path:
    return settings.receipt_key_file or settings.keys_dir / "receipts.jwk"


def _key(jwk: dict[str, Any]) -> ReceiptKey:
    return ReceiptKey(_imported(jwk), float(jwk.get(SIGNS_FROM, 0)))


def _imported(jwk: dict[str, Any]) -> ECKey:
    """The key without our own member ``signs_from``."""
    key = ECKey.import_key({name: value for name, value in jwk.items() if name != SIGNS_FROM})
    if key.curve_name != "P-256":
        raise ValueError("another curve")
    key.ensure_kid()
    return key


def _jwk(key: ReceiptKey, *, private: bool) -> dict[str, Any]:
    return {**key.key.as_dict(private=private), SIGNS_FROM: key.signs_from}


def _replace(file: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)  # mode 0600
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    Path(name).replace(file)
