"""The phone that shows the electronic permit, and what the identity provider says of its user."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """A phone, known by the public key it made and never gives away.

    ``thumbprint`` is the key's SHA-256 thumbprint (RFC 7638, base64url); ``public_key`` its JWK.
    """

    thumbprint: str
    public_key: dict[str, str]


@dataclass(frozen=True, slots=True)
class FaceMatch:
    """The provider's comparison of a live portrait with the register."""

    provider: str
    score: float
    matched: bool
