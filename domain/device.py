"""The phone that shows the electronic permit, and the identity provider's match of its user."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """A phone, identified by its public key; the private key never leaves the phone.

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
