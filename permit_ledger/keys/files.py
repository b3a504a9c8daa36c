"""Keys in files beside the database, never in it: made on first use, readable by the owner only."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from ledger.checks.card_codes import CardCodes
from ledger.checks.display_codes import CodeDigests
from ledger.checks.log import CheckProofs
from ledger.crypto.blind_index import KEY_BYTES, BlindIndex
from permit_ledger.settings import Settings


class UnusableKey(ValueError):
    """A file does not hold a key; the message names the file, never its contents."""


def blind_index(settings: Settings) -> BlindIndex:
    """The blind index, by which holders are found.

    Raises:
        UnusableKey: the file does not hold 32 bytes of hex.
        OSError: the operator's own file can't be read.
    """
    own, default = settings.blind_index_key_file, settings.keys_dir / "blind-index.key"
    return BlindIndex(_secret_key(own, default))


def existing_blind_index(settings: Settings) -> BlindIndex | None:
    """:func:`blind_index`; ``None`` on a machine without it, or without what unwraps holders' keys.
    None is made.

    Raises:
        UnusableKey, OSError
    """
    file = settings.blind_index_key_file or settings.keys_dir / "blind-index.key"
    unwraps = settings.key_encryption or (settings.keys_dir / "key-encryption").exists()
    return blind_index(settings) if file.exists() and unwraps else None


def display_codes(settings: Settings) -> CodeDigests:
    """The keyed digest of live codes.

    Raises:
        UnusableKey: the file does not hold 32 bytes of hex.
        OSError: the operator's own file can't be read.
    """
    return CodeDigests(_display_code_key(settings))


def check_proofs(settings: Settings) -> CheckProofs:
    """What proves that a check on record was made by this service. Its key is derived from that of
    live codes, which is read by the same processes and kept as long.

    Raises:
        UnusableKey, OSError: as :func:`display_codes`.
    """
    return CheckProofs(_display_code_key(settings))


def _display_code_key(settings: Settings) -> bytes:
    own, default = settings.display_code_key_file, settings.keys_dir / "display-codes.key"
    return _secret_key(own, default)


def card_codes(settings: Settings) -> CardCodes:
    """The codes on cards' faces. A changed key would make the codes of all cards wrong.

    Raises:
        UnusableKey: the file does not hold 32 bytes of hex.
        OSError: the operator's own file can't be read.
    """
    own, default = settings.card_code_key_file, settings.keys_dir / "card-codes.key"
    return CardCodes(_secret_key(own, default))


def sessions(settings: Settings) -> bytes:
    """The key that sessions of pages are sealed with.

    Raises:
        UnusableKey: the file does not hold 32 bytes of hex.
        OSError: the operator's own file can't be read.
    """
    return _secret_key(settings.session_key_file, settings.keys_dir / "sessions.key")


def development_issuer_key(settings: Settings) -> ECKey:
    """The key that signs tokens in development mode."""
    return _ec_key(None, settings.keys_dir / "development-issuer.jwk")


def _secret_key(own: Path | None, default: Path) -> bytes:
    """Read or make a key of :data:`KEY_BYTES`."""
    try:
        key = bytes.fromhex(text_of(own, default, lambda: secrets.token_hex(KEY_BYTES)))
        if len(key) != KEY_BYTES:
            raise ValueError("another length")
    except ValueError:
        raise UnusableKey(f"{own or default} holds no key: {KEY_BYTES} bytes in hex") from None
    return key


def _ec_key(own: Path | None, default: Path) -> ECKey:
    try:
        key = ECKey.import_key(orjson.loads(text_of(own, default, new_ec_key)))
        if not key.is_private or key.curve_name != "P-256":
            raise ValueError("another kind of key")
        key.ensure_kid()
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise UnusableKey(f"{own or default} holds no private key on P-256 as a JWK") from None
    return key


def text_of(own: Path | None, default: Path, make: Callable[[], str]) -> str:
    """Read the operator's own file, which must exist, or else the data folder's."""
    return own.read_text(encoding="ascii").strip() if own else _read_or_make(default, make)


def new_ec_key() -> str:
    """A private key on P-256, as a JWK."""
    return orjson.dumps(ECKey.generate_key("P-256", private=True).as_dict(private=True)).decode()


def _read_or_make(file: Path, make: Callable[[], str]) -> str:
    """The file's text; a missing file is written once, by one process, with the result of
    ``make``."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)  # mode 0600
    draft = Path(name)
    with os.fdopen(descriptor, "w", encoding="ascii") as handle:
        handle.write(make())
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(draft, file)
    except FileExistsError:
        pass  # another process was faster; use its key
    finally:
        draft.unlink()
    return file.read_text(encoding="ascii").strip()
