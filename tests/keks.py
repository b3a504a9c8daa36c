"""The key-encryption key of all tests, in every process of theirs."""

from ledger.crypto.key_encryption import Keyring
from permit_ledger.keys.key_encryption.folder import FileKey

KEK = FileKey("20260101T000000Z-000001", bytes(range(32, 64)))


def keyring() -> Keyring:
    """With that one key."""
    return Keyring(lambda: [KEK])
