"""Finding a person by citizen number without storing the number.

A keyed HMAC-SHA-256: equal numbers give equal indexes, and without the key an index can't be turned
back by trying all numbers. The key lies outside the database.
"""

from __future__ import annotations

import hmac

from domain import citizen_id

KEY_BYTES = 32


class BlindIndex:
    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a blind-index key has {KEY_BYTES} bytes")
        self._keyed = hmac.new(key, digestmod="sha256")

    def of(self, citizen_id_number: str) -> bytes:
        """32 bytes for a number in any accepted spelling."""
        return self._digest("citizen", citizen_id.normalise(citizen_id_number).encode())

    def of_applicant(self, citizen_id_number: str) -> bytes:
        """The same in the register of those who apply for an identity card: whoever holds a permit
        as well can't be told to be one of them."""
        return self._digest("applicant", citizen_id.normalise(citizen_id_number).encode())

    def fingerprint(self, request: bytes) -> bytes:
        """32 bytes for a request, which may hold a person's details."""
        return self._digest("request", request)

    def retry_key(self, caller: str, key: str) -> str:
        """64 hex digits for a caller's idempotency key, whose text may name a person."""
        named = caller.encode()
        # The length first: otherwise part of one caller's name could pass for part of a key.
        message = len(named).to_bytes(4, "big") + named + key.encode()
        return self._digest("idempotency-key", message).hex()

    def of_verifier(self, subject: str) -> bytes:
        """32 bytes for a verifier's account, to find its checks by."""
        return self._digest("verifier", subject.encode())

    def _digest(self, purpose: str, message: bytes) -> bytes:
        mac = self._keyed.copy()
        mac.update(purpose.encode() + b"\0" + message)
        return mac.digest()
