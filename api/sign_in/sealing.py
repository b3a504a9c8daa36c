"""One key for all that sign-in stores outside this process, with a key of its own for each use."""

from __future__ import annotations

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12


class Sealer:
    """AES-256-GCM under a key that is derived for one ``purpose``."""

    def __init__(self, key: bytes, purpose: str) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a session key has {KEY_BYTES} bytes")
        self._aead = AESGCM(derived(key, purpose))

    def seal(self, content: bytes, bound_to: bytes = b"") -> bytes:
        """Encrypt; it can be opened only with the same ``bound_to``."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, content, bound_to)

    def open(self, sealed: bytes, bound_to: bytes = b"") -> bytes | None:
        """Decrypt; ``None`` for what was not sealed here, or is bound to something else."""
        try:
            return self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound_to)
        except (InvalidTag, ValueError):
            return None


def derived(key: bytes, purpose: str) -> bytes:
    """32 bytes that say nothing about the key, or about those for other purposes."""
    return hmac.digest(key, f"permit-ledger {purpose}".encode(), "sha256")
