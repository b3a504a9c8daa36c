"""stub"""

from ledger.key_encryption import Keyring, KeyStore

from ..settings import Settings
from .folder import KeyFolder


def key_store(settings: Settings) -> KeyStore:
    return KeyFolder(settings.keys_dir / "key-encryption")


def keyring(settings: Settings) -> Keyring:
    return Keyring(key_store(settings).load)
