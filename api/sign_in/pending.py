"""A sign-in that has begun: kept by the browser itself, sealed, until it comes back.

The cookie binds the answer of the provider to the browser that asked (RFC 6749 §10.12); nothing is
stored for browsers that never come back.
"""

from __future__ import annotations

import secrets
import time
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from dataclasses import asdict, dataclass

import orjson

from api.http.jose import base64url

from .sealing import Sealer

COOKIE = "__Host-permit-ledger-sign-in"
LIFE_S = 600
LENGTH_MAX = 2048


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """``next`` is the page to go on with; ``verifier`` the secret of RFC 7636 §4.1; ``steps_up``
    where a comparison of the face was asked for."""

    state: str
    nonce: str
    verifier: str
    next: str
    expires_at: float
    steps_up: bool = False

    @classmethod
    def begin(cls, next_page: str, *, steps_up: bool = False) -> PendingSignIn:
        return cls(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            next=next_page,
            expires_at=time.time() + LIFE_S,
            steps_up=steps_up,
        )


class PendingSignIns:
    """Seals and opens the cookie's value."""

    def __init__(self, key: bytes) -> None:
        self._sealer = Sealer(key, "pending sign-in")

    def seal(self, pending: PendingSignIn) -> str:
        return base64url(self._sealer.seal(orjson.dumps(asdict(pending))))

    def open(self, value: str | None) -> PendingSignIn | None:
        """``None`` for what this version of the service has not sealed, or has expired."""
        if not value or len(value) > LENGTH_MAX:
            return None
        try:
            sealed = urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except (NotBase64, ValueError):
            return None
        content = self._sealer.open(sealed)
        if content is None:
            return None
        try:
            pending = PendingSignIn(**orjson.loads(content))
        except TypeError:
            return None
        return pending if pending.expires_at > time.time() else None
