"""A JWK Set with keys that can't be used: they are ignored, and the others are used."""

import warnings

import orjson
import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from api.http.tokens import ALGORITHMS
from permit_ledger.keys.jwks import KEYS_MAX, UnusableKeys, usable_keys

GOOD = ECKey.generate_key("P-256", private=True)
PUBLIC = {**GOOD.as_dict(private=False), "kid": "good", "use": "sig"}
RSA = RSAKey.generate_key(2048).as_dict(private=False)
with warnings.catch_warnings(action="ignore"):
    SHORT = RSAKey.generate_key(1024).as_dict(private=False)
UNUSABLE = {
    "an unknown curve": {**PUBLIC, "crv": "BP-256"},
    "a curve without an algorithm here": ECKey.generate_key("P-384").as_dict(private=False),
    "a curve for agreeing on keys": OKPKey.generate_key("X25519").as_dict(private=False),
    "a post-quantum key": {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
    "no kty": {"crv": "P-256", "x": PUBLIC["x"], "y": PUBLIC["y"]},
    "a kty that is no text": {**PUBLIC, "kty": ["EC"]},
    "no x": {name: value for name, value in PUBLIC.items() if name != "x"},
    "no point": {**PUBLIC, "x": "AAAA"},
    "a number for x": {**PUBLIC, "x": 7},
    "letters that are none of base64url": {**PUBLIC, "x": "居住证"},
    "a use that is no text": {**PUBLIC, "use": 1},
    "operations without verifying": {**PUBLIC, "use": None, "key_ops": ["encrypt"]},
    "operations that are no list": {**PUBLIC, "key_ops": 1},
    "another algorithm": {**PUBLIC, "alg": "ES512"},
    "a shared secret's algorithm": {**PUBLIC, "alg": "HS256"},
    "a kid that is no text": {**PUBLIC, "kid": 7},
    "a private key": GOOD.as_dict(private=True),
    "a private RSA key": RSAKey.generate_key(2048).as_dict(private=True),
    "a shared secret": OctKey.generate_key(256).as_dict(),
    "a short RSA key": SHORT,
    "an RSA key without an exponent": {"kty": "RSA", "n": RSA["n"]},
    "an even exponent": {**RSA, "e": "Ag"},
    "an empty object": {},
    "a text": "key",
    "null": None,
    "a list": [PUBLIC],
}
pytestmark = pytest.mark.filterwarnings("ignore:Key size should be")
unusable = pytest.mark.parametrize("key", UNUSABLE.values(), ids=UNUSABLE)


def jwks(*keys):
    return orjson.dumps({"keys": keys})


@unusable
def test_it_is_passed_over(key):
    """RFC 7517 §5; its place is reported, and nothing of its contents but its name."""
    for keys in ([key, PUBLIC], [PUBLIC, key]):
        found, expected, [reason] = usable_keys(jwks(*keys), ALGORITHMS)

        assert (["good"], []) == ([each.kid for each in found], expected)
        assert reason.startswith(f"key {keys.index(key) + 1}")
        assert reason.isascii()
        assert PUBLIC["y"] not in reason


@unusable
def test_alone_it_makes_a_set_that_can_not_be_used(key):
    """The reason names what is expected."""
    with pytest.raises(UnusableKeys, match=r"no key for ES256, .* \(key 1"):
        usable_keys(jwks(key), ALGORITHMS)


def test_a_key_for_encryption_is_no_fault():
    """A provider publishes one beside its others; alone it is not enough."""
    key = {**PUBLIC, "use": "enc", "alg": "RSA-OAEP"}

    found, [reason], passed_over = usable_keys(jwks(key, PUBLIC), ALGORITHMS)

    assert ("key 1 (kid 'good'): it is for encryption", []) == (reason, passed_over)
    assert 1 == len(found.keys)
    with pytest.raises(UnusableKeys, match="it is for encryption"):
        usable_keys(jwks(key), ALGORITHMS)


def test_keys_that_can_be_used():
    """Of every kind, with and without a name, with members that say nothing here."""
    keys = [
        {**PUBLIC, "kid": "same"},
        {**RSA, "kid": "same", "alg": "PS256", "x5t": "AAAA"},
        {**PUBLIC, "key_ops": ["verify"], "exp": 1, "https://issuer.example/": {}},
        OKPKey.generate_key("Ed25519").as_dict(private=False),
    ]

    found, _, passed_over = usable_keys(b"\xef\xbb\xbf" + jwks(*keys), ALGORITHMS)

    assert (4, []) == (len(found.keys), passed_over)
    assert ["same", "same", "good"] == [key.kid for key in found][:3]


@pytest.mark.parametrize(
    "content", [b"", b"x", b"[]", b"null", b"{}", b'{"keys": {}}', b'{"keys": null}', b"\xff"]
)
def test_what_is_no_set(content):
    """It is distinguished from a set without keys."""
    with pytest.raises(UnusableKeys, match=r"no JSON|no JWK Set"):
        usable_keys(content, ALGORITHMS)


def test_so_many_keys_and_no_more():
    """Verification tries several."""
    found, _, passed_over = usable_keys(jwks(*[PUBLIC] * (KEYS_MAX + 2)), ALGORITHMS)

    assert (KEYS_MAX, 2) == (len(found.keys), len(passed_over))
