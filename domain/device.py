"""The phone that shows the electronic permit, and the identity provider's match of its user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Device:
    """A phone, identified by its public key; the private key never leaves the phone.

    ``thumbprint`` is the key's SHA-256 thumbprint (RFC 7638, base64url); ``public_key`` its JWK.
    """

    thumbprint: str
    public_key: dict[str, str]


class FaceMatchProof(StrEnum):
    """What the service relied on. [P19]"""

    STEP_UP = "step_up"
    """The sign-in's own claims (RFC 9470)."""
    ASSERTION = "assertion"
    """A statement that the face provider has signed."""
    UNSIGNED = "unsigned"
    """The caller's word: in development mode, and in events of version 1."""


@dataclass(frozen=True, slots=True)
class FaceMatch:
    """The provider's comparison of a live portrait with the register; no picture is kept.

    ``reference`` is the sign-in's ``acr`` or ``amr``, or the statement's ``jti``. ``score`` and
    ``compared_at`` are ``None`` where they were not stated.
    """

    provider: str
    score: float | None
    matched: bool
    proof: FaceMatchProof
    reference: str | None
    compared_at: datetime | None

    @classmethod
    def unsigned(cls, provider: str, score: float, *, matched: bool) -> FaceMatch:
        return cls(provider, score, matched, FaceMatchProof.UNSIGNED, None, None)
