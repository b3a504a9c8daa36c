"""Stores of key-encryption keys: a folder, or a token behind PKCS#11."""

from __future__ import annotations

from ledger.crypto.key_encryption import Keyring, KeyStore
from permit_ledger.keys.files import UnusableKey
from permit_ledger.settings import Settings

from .folder import KeyFolder
from .moved import MovedStore
from .uri import EXAMPLE, SCHEME, TokenUri


def key_store(settings: Settings) -> KeyStore:
    """The store that the settings name, plus the folder beside a token as long as it holds older
    keys. Nothing is created or connected to yet.

    Raises:
        UnusableKey: the setting names no store, or one whose package is not installed; its value,
            which may hold a pin by mistake, is not repeated.
    """
    where = settings.key_encryption
    folder = KeyFolder(settings.keys_dir / "key-encryption")
    if not where:
        return folder
    if not where.startswith(SCHEME):
        raise UnusableKey(f"PERMIT_LEDGER_KEY_ENCRYPTION is no PKCS#11 URI, such as {EXAMPLE}")
    try:
        uri = TokenUri.parse(where)
    except UnusableKey as unusable:
        raise UnusableKey(f"PERMIT_LEDGER_KEY_ENCRYPTION: {unusable}") from None
    try:
        from .pkcs11 import Pkcs11Store  # noqa: PLC0415 - an optional dependency
    except ModuleNotFoundError as missing:
        if missing.name != "pkcs11":
            raise
        raise UnusableKey(
            "PERMIT_LEDGER_KEY_ENCRYPTION needs python-pkcs11: pip install 'permit-ledger[pkcs11]'"
        ) from None
    token = Pkcs11Store(uri)
    return token if folder.is_empty() else MovedStore(folder, token)


def keyring(settings: Settings) -> Keyring:
    """Load the KEKs of that store.

    Raises:
        UnusableKey: as for key_store.
        KeyUnusable, Unavailable: the store can't be read, or does not answer.
    """
    return Keyring(key_store(settings).load)


__all__ = ["folder", "moved", "pkcs11", "uri"]
