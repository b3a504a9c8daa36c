"""Finding a person by citizen number without storing the number.

A keyed HMAC-SHA-256: equal numbers have equal indexes, and without the key no index can be inverted
by trying all numbers. The key is kept outside the database.
"""

from __future__ import annotations

import hmac

from domain import citizen_id

KEY_BYTES = 32


class BlindIndex:
    """Safe for use by many threads."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a blind-index key has {KEY_BYTES} bytes")
        self._keyed = hmac.new(key, digestmod="sha256")

    def of(self, citizen_id_number: str) -> bytes:
        """32 bytes for a number in any accepted spelling."""
        return self._digest("citizen", citizen_id.normalise(citizen_id_number).encode())

    def of_applicant(self, citizen_id_number: str) -> bytes:
        """32 bytes in the register of applicants for identity cards, which can't be matched with
        those of permit holders."""
        return self._digest("applicant", citizen_id.normalise(citizen_id_number).encode())

    def fingerprint(self, request: bytes) -> bytes:
        """32 bytes for a request, which may hold a person's details."""
        return self._digest("request", request)

    def retry_key(self, caller: str, key: str) -> str:
        """64 hex digits for a caller's idempotency key, whose text may name a person."""
        named = caller.encode()
        # The length first: otherwise a part of a caller's name could be taken for part of a key.
        message = len(named).to_bytes(4, "big") + named + key.encode()
        return self._digest("idempotency-key", message).hex()

    def of_verifier(self, subject: str) -> bytes:
        """32 bytes for a verifier's account, by which its checks are found."""
        return self._digest("verifier", subject.encode())

    def _digest(self, purpose: str, message: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(purpose.encode() + b"\0" + message)
        return mac.digest()
