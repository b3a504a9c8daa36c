"""What the ledger signs, for whoever keeps it: receipts of checks, certificates of erasures."""

from __future__ import annotations

from typing import Any, Final

import orjson
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

CHECK: Final = "permit-check-receipt+jwt"
ERASURE: Final = "erasure-certificate+jwt"


class ReceiptSigner:
    """``keys`` are those whose receipts are still verified; the first one signs."""

    def __init__(self, keys: list[ECKey], *, issuer: str) -> None:
        self._keys = KeySet(list(keys))
        self._key = keys[0]
        self._issuer = issuer

    def sign(self, claims: dict[str, Any], *, kind: str = CHECK) -> str:
        """A compact JWS over the claims, of the type ``kind``; ``iss`` is added."""
        header = {"alg": "ES256", "typ": kind, "kid": self._key.kid}
        return jws.serialize_compact(
            header, orjson.dumps({"iss": self._issuer, **claims}), self._key
        )

    def jwks(self) -> dict[str, Any]:
        """The public keys, for ``/.well-known/jwks.json``."""
        return dict(self._keys.as_dict(private=False))
