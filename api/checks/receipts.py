"""What the ledger signs, for whoever keeps it: receipts of checks, certificates of erasures."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, KeySet

CHECK: Final = "permit-check-receipt+jwt"
ERASURE: Final = "erasure-certificate+jwt"
ALGORITHM: Final = "ES256"
_ECDSA = ec.ECDSA(SHA256())
_PART_BYTES = 32
"""Of the signature's two parts (RFC 7518 §3.4)."""


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """``signs_from`` is in seconds since 1970; a key is published before, so that whoever keeps a
    copy of the JWKS has it by then. What is public only verifies what was signed earlier."""

    key: ECKey
    signs_from: float = 0


class ReceiptSigner:
    """``keys`` is asked each time, so that they may be rotated while the service runs."""

    def __init__(self, keys: Callable[[], Sequence[ReceiptKey]], *, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._signing: ECKey | None = None
        self._headers: dict[str, str] = {}

    def sign(self, claims: dict[str, Any], *, kind: str = CHECK) -> str:
        """A compact JWS over the claims, of the type ``kind``; ``iss`` is added.

        One is signed for every check, so the part that is always the same is made once.
        """
        key = self._key()
        private = key.private_key
        assert private is not None  # noqa: S101  as _key has it
        payload = _base64url(orjson.dumps({"iss": self._issuer, **claims}))
        signed = f"{self._header(key, kind)}.{payload}"
        r, s = decode_dss_signature(private.sign(signed.encode(), _ECDSA))
        return f"{signed}.{_base64url(r.to_bytes(_PART_BYTES) + s.to_bytes(_PART_BYTES))}"

    def jwks(self) -> dict[str, Any]:
        """The public keys, for ``/.well-known/jwks.json``: those that have signed, the one that
        does, and the one that will."""
        return dict(KeySet([each.key for each in self._keys()]).as_dict(private=False))

    def _key(self) -> ECKey:
        """The newest that may sign by now."""
        now = time.time()
        ready = [each for each in self._keys() if each.key.is_private and each.signs_from <= now]
        return max(ready, key=lambda each: each.signs_from).key

    def _header(self, key: ECKey, kind: str) -> str:
        if key is not self._signing:
            self._signing, self._headers = key, {}
        if kind not in self._headers:
            header = {"alg": ALGORITHM, "typ": kind, "kid": key.kid}
            self._headers[kind] = _base64url(orjson.dumps(header))
        return self._headers[kind]


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
