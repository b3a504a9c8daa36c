"""A provider that answers oddly, slowly or not at all: each sign-in ends in words and in bounded
time, and strangers can't multiply what it is asked."""

import asyncio
import gzip
import json
import time

import pytest
from joserfc import jws

from api.sign_in import provider as module
from api.sign_in.provider import Client, Provider, ProviderUnavailable, SignInRefused
from bench.willing_provider import WillingProvider
from permit_ledger.keys.issuer import FAILURES, IssuerKeys

ASKED = {"state": "s", "nonce": "n", "verifier": "v" * 43}
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class OddProvider(WillingProvider):
    """Answers with ``changes`` to its metadata, or with ``content``; counts how often it was
    asked."""

    changes, content, tokens, asked, pause_s = {}, None, None, 0, 0.0

    def metadata(self):
        self.asked += 1
        time.sleep(self.pause_s)
        return {**super().metadata(), **self.changes} if self.content is None else self.content

    def exchange(self, _form):
        return 200, self.tokens

    def signed(self, claims):
        """Also claims that can't be written as UTF-8."""
        header = {"alg": "ES256", "kid": self.key.kid}
        return jws.serialize_compact(header, json.dumps(claims).encode(), self.key)


@pytest.fixture
def odd():
    with OddProvider() as odd:
        yield odd


@pytest.fixture
def signing_in(odd):
    """``signing_in(work)``: run it with a client of that provider."""

    def signing_in(work):
        async def within():
            client = Client(odd.issuer, "pages", "secret", "http://127.0.0.1/auth/callback")
            return await work(Provider(client, IssuerKeys, FAILURES))

        return asyncio.run(within())

    return signing_in


def addressed(provider):
    return provider.address(**ASKED)


def test_an_honest_provider_is_asked_once_for_all(odd, signing_in):
    """Twenty sign-ins at a time share one reading."""
    odd.pause_s = 0.2

    async def many(provider):
        return await asyncio.gather(*(addressed(provider) for _ in range(20)))

    addresses = signing_in(many)

    assert 1 == odd.asked
    assert all(address.startswith(f"{odd.issuer}/authorize?") for address in addresses)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "address", ["https://[x", "file:///etc/passwd", "/jwks", "http:", "", 7, None]
)
def test_an_endpoint_is_an_address(odd, signing_in, endpoint, address):
    odd.changes = {endpoint: address}

    with pytest.raises(ProviderUnavailable):
        signing_in(addressed)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"[" * 60_000, b"{" + b" " * 70_000 + b"}", gzip.compress(b"{}", mtime=0)],
    ids=["nothing", "a list", "deep", "large", "packed"],
)
def test_metadata_that_are_none_are_a_failure(odd, signing_in, content):
    odd.content = content

    with pytest.raises(ProviderUnavailable):
        signing_in(addressed)


def test_a_failure_is_remembered(odd, signing_in, monkeypatch):
    """The provider is asked again later, not for each of those who want to sign in."""
    monkeypatch.setattr(module, "FAILED_S", 0.3)
    odd.content = b"nothing"

    async def repeated(provider):
        for _ in range(10):
            with pytest.raises(ProviderUnavailable):
                await addressed(provider)
        before = odd.asked
        await asyncio.sleep(0.3)
        odd.content = None
        return before, await addressed(provider)

    before, address = signing_in(repeated)
    assert 1 == before
    assert address


def test_an_answer_that_does_not_end_is_given_up(odd, signing_in, monkeypatch):
    """The limit is for the answer as a whole; each part may come in time."""
    monkeypatch.setattr(module, "TIMEOUT_S", 0.3)
    odd.pause_s = 5

    with pytest.raises(ProviderUnavailable):
        signing_in(addressed)


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        (b'"expires_in":[1]', ProviderUnavailable),
        (b'"expires_in":1e999', ProviderUnavailable),
        (b'"x":' + b"[" * 50_000, ProviderUnavailable),
        (b'"x":"' + b"x" * 70_000 + b'"', ProviderUnavailable),
        (b'"id_token":7,"access_token":"a"', SignInRefused),
        (b'"id_token":"a.b.c","access_token":"a"', SignInRefused),
        (b'"error":"invalid_grant"', SignInRefused),
        (b'"error":["invalid_grant"]', SignInRefused),
    ],
)
def test_an_odd_answer_to_the_exchange_is_refused(odd, signing_in, more, refusal):
    odd.tokens = b"{" + more + b"}"

    with pytest.raises(refusal):
        signing_in(lambda provider: provider.exchange("code", nonce="n", verifier="v" * 43))


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "n\ud800"},
        {"nonce": ["n"]},
        {"sub": "\ud800"},
        {"sub": ["a"]},
        {"sub": ""},
        {"sub": "a" * 300},
        {"exp": "soon"},
        {"aud": [["pages"]]},
        {"iat": 10**400},
    ],
    ids=lambda claims: next(iter(claims)),
)
def test_odd_claims_of_an_id_token_are_refused(odd, signing_in, claims):
    now = int(time.time())
    honest = {"iss": odd.issuer, "aud": "pages", "sub": "a", "nonce": "n", "iat": now}

    def exchange(**changes):
        token = odd.signed({**honest, "exp": now + 60, **changes})
        odd.tokens = json.dumps({"id_token": token, "access_token": "a"}).encode()
        return signing_in(lambda provider: provider.exchange("c", nonce="n", verifier="v" * 43))

    assert "a" == exchange().claims["sub"]
    with pytest.raises(SignInRefused):
        exchange(**claims)


@pytest.mark.parametrize(
    "claims", [{"sid": "\ud800"}, {"sub": 7}, {"jti": "x" * 300}, {"jti": None}, {"sub": None}]
)
def test_odd_logout_tokens_are_refused(odd, signing_in, claims):
    now = int(time.time())
    event = {"http://schemas.openid.net/event/backchannel-logout": {}}
    honest = {
        "iss": odd.issuer,
        "aud": "pages",
        "iat": now,
        "events": event,
        "sub": "a",
        "jti": "1",
    }
    token = odd.signed({**honest, **claims})

    assert signing_in(lambda provider: provider.ended(odd.signed(honest)))
    with pytest.raises(SignInRefused):
        signing_in(lambda provider: provider.ended(token))
