"""The bytes of a wrapped key: nonce ‖ ciphertext ‖ tag of AES-256-GCM, in every store."""

from __future__ import annotations

from ledger.errors import KeyUnusable

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
SEALED_BYTES = KEY_BYTES + TAG_BYTES
WRAPPED_BYTES = NONCE_BYTES + SEALED_BYTES

_PURPOSE = b"permit-ledger holder key 1"


def associated_data(kek_id: str, holder_id: str) -> bytes:
    """The associated data of a wrapped key; two different pairs never give the same bytes.

    The purpose has a fixed length, the KEK's id is preceded by its own, and the holder's is last.
    """
    kek = kek_id.encode()
    return _PURPOSE + len(kek).to_bytes(2) + kek + holder_id.encode()


def checked(key: bytes) -> bytes:
    """Return the key after a check of its length.

    Raises:
        ValueError: another length, which is a fault of the program.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a holder's key has {KEY_BYTES} bytes, not {len(key)}")
    return key


def opened(wrapped: bytes, kek_id: str) -> tuple[bytes, bytes]:
    """Split into the nonce, and the ciphertext with its tag.

    Raises:
        KeyUnusable: not the length of a wrapped key.
    """
    if len(wrapped) != WRAPPED_BYTES:
        raise damaged(kek_id)
    return wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]


def damaged(kek_id: str) -> KeyUnusable:
    """The error for a failed decryption, whose cause can't be known."""
    return KeyUnusable(
        f"Key-encryption key {kek_id} does not open this holder's key:"
        " it was wrapped with another, for another holder, or is damaged."
    )
