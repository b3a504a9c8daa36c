"""Phones: a real P-256 key each, whose private part is discarded at once."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric import ec

from domain.device import Device, FaceMatch

from .chance import Chance
from .rates import Rates

PROVIDER = "sample-identity-provider"
_COORDINATE_BYTES = 32
_CURVE = ec.SECP256R1()


def new_phone(chance: Chance) -> Device:
    """A new phone."""
    private = ec.derive_private_key(1 + chance.getrandbits(255), _CURVE)
    point = private.public_key().public_numbers()
    jwk = {"crv": "P-256", "kty": "EC", "x": _coordinate(point.x), "y": _coordinate(point.y)}
    # RFC 7638: the required members in this order, without white space.
    canonical = ",".join(f'"{name}":"{value}"' for name, value in jwk.items())
    return Device(_base64url(hashlib.sha256(f"{{{canonical}}}".encode()).digest()), jwk)


def face_match(chance: Chance, rates: Rates) -> FaceMatch:
    """A live portrait that matched."""
    drawn = chance.gauss(rates.face_score_mean, rates.face_score_deviation)
    score = min(max(drawn, rates.face_score_min), 0.999)
    return FaceMatch.unsigned(PROVIDER, round(score, 3), matched=True)


def _coordinate(number: int) -> str:
    return _base64url(number.to_bytes(_COORDINATE_BYTES, "big"))


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
