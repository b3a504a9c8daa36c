"""A token's signature is verified once: until it expires, and as long as the keys are the same."""

import time

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from api.http import tokens
from api.http.tokens import BadToken, TokenVerifier

KEY, OTHER = (ECKey.generate_key("P-256", private=True) for _ in range(2))


def token(expires_in_s=600, key=KEY):
    claims = {"iss": "i", "aud": "a", "sub": "s", "exp": int(time.time()) + expires_in_s}
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
    return made


def test_once(verifier, decoded):
    """The same caller each time."""
    one = token()
    assert verifier.verify(one) is verifier.verify(one)
    assert [one] == decoded


def test_not_after_it_has_expired(verifier, decoded):
    """Within the leeway it is verified each time."""
    one = token(expires_in_s=-5)
    verifier.verify(one)
    verifier.verify(one)
    assert [one, one] == decoded


def test_not_with_other_keys(verifier):
    """A key that the issuer has withdrawn is refused at once."""
    one = token()
    verifier.verify(one)
    verifier.rotate(OTHER)
    with pytest.raises(BadToken):
        verifier.verify(one)


def test_a_bad_one_is_bad_each_time(verifier, decoded):
    """Nothing is remembered of it."""
    bad = token(key=OTHER)
    for _ in range(2):
        with pytest.raises(BadToken):
            verifier.verify(bad)
    assert [bad, bad] == decoded


def test_memory_is_bounded(verifier, monkeypatch):
    """By the number of tokens."""
    monkeypatch.setattr(tokens, "KNOWN_MAX", 3)
    for n in range(10):
        verifier.verify(token(600 + n))
    assert 0 < verifier.remembered <= 3
