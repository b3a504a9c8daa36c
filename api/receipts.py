"""A signed receipt for every check, which the verifier keeps and anyone can verify."""

from __future__ import annotations

from typing import Any, Final

import orjson
from joserfc import jws
from joserfc.jwk import ECKey, KeySet

TYPE: Final = "permit-check-receipt+jwt"


class ReceiptSigner:
    """``keys`` are those whose receipts are still verified; the first one signs."""

    def __init__(self, keys: list[ECKey], *, issuer: str) -> None:
        self._keys = KeySet(list(keys))
        self._key = keys[0]
        self._issuer = issuer

    def sign(self, claims: dict[str, Any]) -> str:
        """A compact JWS over the claims; ``iss`` is added."""
        header = {"alg": "ES256", "typ": TYPE, "kid": self._key.kid}
        return jws.serialize_compact(
            header, orjson.dumps({"iss": self._issuer, **claims}), self._key
        )

    def jwks(self) -> dict[str, Any]:
        """The public keys, for ``/.well-known/jwks.json``."""
        return dict(self._keys.as_dict(private=False))
