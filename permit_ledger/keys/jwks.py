"""A JWK Set whose unusable keys are ignored, since its publisher may add new kinds.

RFC 7517 §5: an implementation ignores keys of a kty that it does not know, that lack members, or
whose values it does not support.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet, RSAKey
from joserfc.jws import JWSRegistry

from api.http.jose import PRIVATE_MEMBERS
from api.http.json_bodies import without_mark

KEYS_MAX = 50
RSA_BITS_MIN = 2048


class UnusableKeys(ValueError):
    """No key of the set can be used; the message has the reason for each, without the keys."""


class _Unusable(Exception):
    """Why one key is ignored."""


class _ForEncryption(_Unusable):
    """It is published to encrypt with, as providers do (RFC 7517 §4.2): nothing is wrong."""


class Found(NamedTuple):
    """The keys that can verify; and of the others, each with its reason, those that were to be
    expected and those that can't be used."""

    usable: KeySet
    for_encryption: list[str]
    passed_over: list[str]


def usable_keys(content: bytes, algorithms: Sequence[str]) -> Found:
    """The keys that can verify with one of ``algorithms``, and why the others are ignored.

    Raises:
        UnusableKeys: there are none, or it is not a JWK Set.
    """
    keys: list[Key] = []
    for_encryption: list[str] = []
    passed_over: list[str] = []
    for place, member in enumerate(_members(content), start=1):
        try:
            if len(keys) >= KEYS_MAX:
                raise _Unusable(f"it comes after {KEYS_MAX} others")
            keys.append(_usable(member, algorithms))
        except _Unusable as reason:
            others = for_encryption if isinstance(reason, _ForEncryption) else passed_over
            others.append(f"key {place}{_name(member)}: {reason}")
    if not keys:
        why = "; ".join([*passed_over, *for_encryption][:KEYS_MAX]) or "it is empty"
        raise UnusableKeys(f"it has no key for {', '.join(algorithms)} ({why})")
    return Found(KeySet(keys), for_encryption, passed_over)


def _members(content: bytes) -> Iterator[Any]:
    try:
        value = orjson.loads(without_mark(content))
    except orjson.JSONDecodeError:
        raise UnusableKeys("it is no JSON") from None
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(members, list):
        raise UnusableKeys("it is no JWK Set: an object with a list 'keys' (RFC 7517, section 5)")
    yield from members


def _usable(member: Any, algorithms: Sequence[str]) -> Key:
    if not isinstance(member, Mapping):
        raise _Unusable("it is no object")
    if member.get("kty") not in list(JWKRegistry.key_types):
        raise _Unusable("its kty is missing or unknown")
    if PRIVATE_MEMBERS & member.keys():
        raise _Unusable("it is not public: it has private members")
    if member.get("use") == "enc":
        raise _ForEncryption("it is for encryption")
    if member.get("use", "sig") != "sig":
        raise _Unusable("its use is not sig")
    if "alg" in member and member["alg"] not in algorithms:
        raise _Unusable("its alg is not accepted")
    try:
        key = JWKRegistry.import_key(dict(member))
        key.check_key_op("verify")
        _ = key.public_key
        key.ensure_kid()
        fitting = JWSRegistry.filter_algorithms(key, list(algorithms))
    except JoseError as error:
        raise _Unusable(f"it can't be read ({error.error or 'malformed'})") from None
    except Exception:  # noqa: BLE001  libraries raise all kinds of things at members of other kinds
        raise _Unusable("a member is missing or wrong, or its curve is unknown") from None
    if not fitting or not hasattr(key.public_key, "verify"):  # X25519 agrees on keys
        raise _Unusable("no accepted algorithm fits it")
    if isinstance(key, RSAKey) and key.public_key.key_size < RSA_BITS_MIN:
        raise _Unusable(f"it has less than {RSA_BITS_MIN} bits")
    return key


def _name(member: Any) -> str:
    name = member.get("kid") if isinstance(member, Mapping) else None
    return f" (kid {ascii(name)[:60]})" if isinstance(name, str) else ""
