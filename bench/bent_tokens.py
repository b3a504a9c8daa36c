"""Tokens that a provider has not signed like that: bent signatures, and claims that are not right.

Each is a valid token of the provider's, with one thing wrong.
"""

from __future__ import annotations

import hmac
import random
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from joserfc import jws
from joserfc.jwk import ECKey

from api.http.jose import base64url

Claims = dict[str, Any]
STRANGER = ECKey.generate_key("P-256", {"kid": "stranger"})


def compact(claims: Mapping[str, Any], key: ECKey, **header: Any) -> str:
    """A token with whatever header is given."""
    named = {"alg": "ES256", "kid": "own", **header}
    registry = jws.JWSRegistry(algorithms=[named["alg"]], strict_check_header=False)
    return jws.serialize_compact(named, orjson.dumps(claims), key, registry=registry)


def unsigned(claims: Mapping[str, Any], signature: bytes = b"", **header: Any) -> str:
    parts = (
        orjson.dumps({"alg": "ES256", "kid": "own", **header}),
        orjson.dumps(claims),
        signature,
    )
    return ".".join(base64url(part) for part in parts)


def bent_signature(chance: random.Random, claims: Claims, key: ECKey) -> str:
    """A token that the provider's key has not signed."""
    return chance.choice(_SIGNATURES)(chance, claims, key)


def bent_claims(chance: random.Random, claims: Claims, own: list[Callable[..., Claims]]) -> Claims:
    """Claims that are wrong in every token, or by one of its ``own`` ways."""
    return chance.choice([*_CLAIMS, *own])(chance, claims)


def without(name: str) -> Callable[..., Claims]:
    return lambda _chance, claims: {k: v for k, v in claims.items() if k != name}


def replaced(name: str, *values: Any) -> Callable[..., Claims]:
    return lambda chance, claims: {**claims, name: chance.choice(values)}


def _flipped(content: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(content))
    changed = content[place] ^ (1 << chance.randrange(8))
    return content[:place] + bytes([changed]) + content[place + 1 :]


def _flip_part(part: int) -> Callable[..., str]:
    def flip(chance: random.Random, claims: Claims, key: ECKey) -> str:
        parts = compact(claims, key).split(".")
        content = urlsafe_b64decode(parts[part] + "==")
        parts[part] = base64url(_flipped(content, chance))
        return ".".join(parts)

    return flip


def _other_claims(chance: random.Random, claims: Claims, key: ECKey) -> str:
    """The signature of one token under the claims of another."""
    head, _, signature = compact(claims, key).split(".")
    other = {**claims, "sub": f"other-{chance.randrange(1000)}"}
    return f"{head}.{base64url(orjson.dumps(other))}.{signature}"


def _public_as_secret(_chance: random.Random, claims: Claims, key: ECKey) -> str:
    """The public key as the secret of an HMAC (RFC 8725 §2.1)."""
    return _by_secret(claims, key.as_pem(private=False))


def _cut(chance: random.Random, claims: Claims, key: ECKey) -> str:
    token = compact(claims, key)
    return token[: chance.randrange(1, len(token) - 1)]


def _own_key_in_header(chance: random.Random, claims: Claims, _key: ECKey) -> str:
    public = STRANGER.as_dict(private=False)
    named: list[dict[str, Any]] = [
        {"jwk": public},
        {"jku": "http://127.0.0.1:9/jwks"},
        {"kid": STRANGER.kid},
        {},
    ]
    return compact(claims, STRANGER, **chance.choice(named))


def _by_known_secret(chance: random.Random, claims: Claims, _key: ECKey) -> str:
    return _by_secret(
        claims, chance.choice((b"a-secret-of-the-client", b"secret", b"", b"\0" * 32))
    )


def _by_secret(claims: Claims, secret: bytes) -> str:
    """By hand, since no library does it with such secrets."""
    signing_input = unsigned(claims, alg="HS256").rpartition(".")[0]
    return f"{signing_input}.{base64url(hmac.digest(secret, signing_input.encode(), 'sha256'))}"


def _critical(chance: random.Random, claims: Claims, key: ECKey) -> str:
    """A header that has to be understood and is not (RFC 7515 §4.1.11)."""
    header = {"crit": ["urn:x"], "urn:x": 1} if chance.random() < 0.5 else {"crit": []}
    signed = compact(claims, key)
    named = base64url(orjson.dumps({"alg": "ES256", "kid": "own", **header}))
    return ".".join([named, *signed.split(".")[1:]])


_SIGNATURES: list[Callable[[random.Random, Claims, ECKey], str]] = [
    lambda _, claims, __: unsigned(claims, alg="none"),
    lambda _, claims, __: unsigned(claims, alg="NONE"),
    lambda _, claims, __: unsigned(claims),
    lambda _, claims, __: unsigned(claims, b"\0" * 64),
    lambda chance, claims, _: unsigned(claims, chance.randbytes(64)),
    lambda chance, claims, _: unsigned(claims, chance.randbytes(chance.randrange(1, 300))),
    lambda _, claims, key: compact(claims, key).rpartition(".")[0],
    lambda _, claims, key: compact(claims, key) + ".e30",
    lambda _, claims, key: compact(claims, key).replace(".", ".."),
    lambda _, claims, key: f'{{"payload": "{compact(claims, key)}"}}',
    _flip_part(0),
    _flip_part(1),
    _flip_part(2),
    _other_claims,
    _public_as_secret,
    _by_known_secret,
    _own_key_in_header,
    _critical,
    _cut,
]
_CLAIMS: list[Callable[..., Claims]] = [
    without("iss"),
    replaced("iss", "", "https://evil.example", ["x"], None, 7, {}),
    lambda _, claims: {**claims, "iss": f"{claims['iss']}/"},
    lambda _, claims: {**claims, "iss": f"{claims['iss']}.evil.example"},
    without("aud"),
    replaced("aud", "", "another", ["another"], [], None, 7, {"permit-ledger": 1}, "permit"),
    lambda _, claims: {**claims, "aud": f"{claims['aud']} "},
    lambda chance, claims: {**claims, "exp": int(time.time()) - chance.randrange(60, 10**6)},
    replaced("exp", "soon", None, [], -1, 0, True, "9999999999"),
]
