"""A token's signature is verified once, until the token expires or the keys change."""

import asyncio
import time

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from api.http import tokens
from api.http.tokens import BadToken, Principal, TokenVerifier

KEY, OTHER = (ECKey.generate_key("P-256", private=True) for _ in range(2))


def token(expires_in_s=600, key=KEY, sub="s"):
    claims = {"iss": "i", "aud": "a", "sub": sub, "exp": int(time.time()) + expires_in_s}
    return jwt.encode({"alg": "ES256"}, claims, key)


@pytest.fixture
def decoded(monkeypatch):
    """Every token whose signature was verified."""
    seen = []
    decode = jwt.decode

    def counted(value, *args, **how):
        seen.append(value)
        return decode(value, *args, **how)

    monkeypatch.setattr(tokens.jwt, "decode", counted)
    return seen


@pytest.fixture
def verifier():
    keys = [KeySet([KEY])]
    made = TokenVerifier(lambda: keys[0], issuer="i", audience="a")
    made.rotate = lambda key: keys.__setitem__(0, KeySet([key]))
    made.verify = lambda token: asyncio.run(made.principal(token))
    return made


def test_a_signature_is_verified_once(verifier, decoded):
    """Each request gets the same caller."""
    one = token()
    assert verifier.verify(one) is verifier.verify(one)
    assert [one] == decoded


def test_a_token_in_its_leeway_is_verified_each_time(verifier, decoded):
    """After its expiry nothing is cached."""
    one = token(expires_in_s=-5)
    verifier.verify(one)
    verifier.verify(one)
    assert [one, one] == decoded


def test_a_token_is_verified_again_after_the_keys_change(verifier):
    """A key that the issuer has withdrawn is refused at once."""
    one = token()
    verifier.verify(one)
    verifier.rotate(OTHER)
    with pytest.raises(BadToken):
        verifier.verify(one)


def test_a_token_is_not_remembered_under_keys_that_came_meanwhile():
    """Its key was withdrawn while its claims were looked up, and another request has begun with the
    new keys."""
    keys, looked_up = [KeySet([KEY])], asyncio.Event()

    async def principal_of(claims):
        if claims["sub"] == "s":
            await looked_up.wait()
        return Principal(claims["sub"], frozenset())

    verifier = TokenVerifier(lambda: keys[0], issuer="i", audience="a", principal_of=principal_of)

    async def scenario():
        slow = asyncio.create_task(verifier.principal(token()))
        await asyncio.sleep(0)
        keys[0] = KeySet([OTHER])
        await verifier.principal(token(key=OTHER, sub="t"))
        looked_up.set()
        await slow

    asyncio.run(scenario())
    assert 1 == verifier.remembered


def test_an_invalid_token_is_not_cached(verifier, decoded):
    """It is refused each time."""
    bad = token(key=OTHER)
    for _ in range(2):
        with pytest.raises(BadToken):
            verifier.verify(bad)
    assert [bad, bad] == decoded


def test_the_number_of_cached_tokens_is_bounded(verifier, monkeypatch):
    """By the number of tokens."""
    monkeypatch.setattr(tokens, "KNOWN_MAX", 3)
    for n in range(10):
        verifier.verify(token(600 + n))
    assert 0 < verifier.remembered <= 3
