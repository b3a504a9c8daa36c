"""Keys in files beside the database, never in it: made on first use, readable by the owner only."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import orjson
from joserfc.jwk import ECKey

from ledger.blind_index import KEY_BYTES, BlindIndex

from .settings import Settings


def blind_index(settings: Settings) -> BlindIndex:
    """The index by which people are found.

    Raises:
        ValueError: the file holds no 32 bytes of hex.
    """
    file = settings.blind_index_key_file or settings.keys_dir / "blind-index.key"
    return BlindIndex(bytes.fromhex(_read_or_make(file, lambda: secrets.token_hex(KEY_BYTES))))


def receipt_key(settings: Settings) -> ECKey:
    """The key that signs receipts of checks."""
    return _ec_key(settings.receipt_key_file or settings.keys_dir / "receipts.jwk")


def development_issuer_key(settings: Settings) -> ECKey:
    """The key that signs tokens in development mode."""
    return _ec_key(settings.keys_dir / "development-issuer.jwk")


def _ec_key(file: Path) -> ECKey:
    key = ECKey.import_key(orjson.loads(_read_or_make(file, _new_ec_key)))
    key.ensure_kid()
    return key


def _new_ec_key() -> str:
    return orjson.dumps(ECKey.generate_key("P-256", private=True).as_dict(private=True)).decode()


def _read_or_make(file: Path, make: Callable[[], str]) -> str:
    """The file's text; where there is none, what ``make`` gives, which only one process writes."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    draft = file.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(make())
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(draft, file)
    except FileExistsError:
        pass  # another process was faster, and its key is the one
    finally:
        draft.unlink()
    return file.read_text(encoding="ascii").strip()
