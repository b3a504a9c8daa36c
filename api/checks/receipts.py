"""Signs what callers keep as proof: receipts of checks and appends, certificates of erasures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, KeySet

from api.http.jose import base64url

CHECK: Final = "permit-check-receipt+jwt"
ERASURE: Final = "erasure-certificate+jwt"
ALGORITHM: Final = "ES256"
_ECDSA = ec.ECDSA(SHA256())
_PART_BYTES = 32
"""Of each of the signature's two parts (RFC 7518 §3.4)."""


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """``signs_from`` is in seconds since 1970; a key is published before that, so that copies of
    the JWKS have it by then. A public key only verifies what was signed earlier."""

    key: ECKey
    signs_from: float = 0


class ReceiptSigner:
    """Calls ``keys`` for each signature, so that they can be rotated while the service runs."""

    def __init__(self, keys: Callable[[], Sequence[ReceiptKey]], *, issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._signing: ECKey | None = None
        self._headers: dict[str, str] = {}

    def sign(self, claims: dict[str, Any], *, kind: str = CHECK) -> str:
        """Sign the claims and ``iss`` as a compact JWS of the type ``kind``.

        Every check is signed, so the header, which is always the same, is encoded once.
        """
        key = self._key()
        private = key.private_key
        assert private is not None  # noqa: S101  as _key has it
        payload = base64url(orjson.dumps({"iss": self._issuer, **claims}))
        signed = f"{self._header(key, kind)}.{payload}"
        r, s = decode_dss_signature(private.sign(signed.encode(), _ECDSA))
        return f"{signed}.{base64url(r.to_bytes(_PART_BYTES) + s.to_bytes(_PART_BYTES))}"

    def jwks(self) -> dict[str, Any]:
        """Return the public keys, for ``/.well-known/jwks.json``: past, present and next."""
        return dict(KeySet([each.key for each in self._keys()]).as_dict(private=False))

    def _key(self) -> ECKey:
        """Return the newest key that may sign now."""
        now = time.time()
        ready = [each for each in self._keys() if each.key.is_private and each.signs_from <= now]
        return max(ready, key=lambda each: each.signs_from).key

    def _header(self, key: ECKey, kind: str) -> str:
        if key is not self._signing:
            self._signing, self._headers = key, {}
        if kind not in self._headers:
            header = {"alg": ALGORITHM, "typ": kind, "kid": key.kid}
            self._headers[kind] = base64url(orjson.dumps(header))
        return self._headers[kind]
