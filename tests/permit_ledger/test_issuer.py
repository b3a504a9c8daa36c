"""The issuer's public keys: read once to begin with, and kept fresh."""

import asyncio

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey

from permit_ledger import issuer
from permit_ledger.issuer import BYTES_MAX, IssuerKeys

ADDRESS = "https://issuer.example/jwks.json"
BAD = {
    "no JSON": b"secret",
    "nothing": b"",
    "no UTF-8": b"\xff",
    "no object": b"[]",
    "null": b"null",
    "no list of keys": b"{}",
    "a number for a list": b'{"keys": 5}',
    "no key in the list": b'{"keys": []}',
    "a key of no type": b'{"keys": [{}]}',
    "a key of an unknown type": b'{"keys": [{"kty": "none"}]}',
    "no point": b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}]}',
}
bad = pytest.mark.parametrize("content", BAD.values(), ids=BAD)


@pytest.fixture
def key():
    key = ECKey.generate_key("P-256", private=True)
    key.ensure_kid()
    return key


@pytest.fixture
def jwks(key):
    """The issuer's JWKS, as bytes."""
    return orjson.dumps({"keys": [key.as_dict(private=False)]})


@pytest.fixture
def file(tmp_path, jwks):
    file = tmp_path / "jwks.json"
    file.write_bytes(jwks)
    return file


@pytest.fixture
def serve(monkeypatch):
    """``serve(answer)``: what the issuer's address answers."""
    client = httpx.AsyncClient

    def serve(answer):
        def handle(request):
            assert str(request.url) == ADDRESS
            return answer

        transport = httpx.MockTransport(handle)
        monkeypatch.setattr(
            issuer.httpx, "AsyncClient", lambda **options: client(transport=transport, **options)
        )

    return serve


def loaded(source):
    keys = IssuerKeys(str(source))
    asyncio.run(keys.load())
    return keys


def kids(keys):
    return [key.kid for key in keys().keys]


def test_keys_come_from_a_file(file, key):
    """By their ids."""
    assert [key.kid] == kids(loaded(file))


def test_keys_come_from_an_address(serve, jwks, key):
    """Over https."""
    serve(httpx.Response(200, content=jwks))
    assert [key.kid] == kids(loaded(ADDRESS))


def test_there_are_no_keys_before_they_are_loaded(file):
    """Nobody is let in by an empty set."""
    with pytest.raises(RuntimeError, match="not loaded"):
        IssuerKeys(str(file))()


def test_a_missing_file_is_missed(tmp_path):
    """At the start."""
    with pytest.raises(OSError, match=r"none\.json"):
        loaded(tmp_path / "none.json")


def test_a_plain_http_address_is_not_fetched(serve, jwks):
    """Whoever sits in between would choose the keys."""
    serve(httpx.Response(200, content=jwks))
    with pytest.raises(OSError, match="http:"):
        loaded("http://issuer.example/jwks.json")


@bad
def test_a_bad_file_is_refused(file, content):
    """As a bad value, whatever is wrong with it."""
    file.write_bytes(content)
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the reason is the library's
        loaded(file)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404),
        httpx.Response(500),
        httpx.Response(200, content=b" " * (BYTES_MAX + 1)),
    ],
    ids=["not found", "broken", "too large"],
)
def test_a_bad_answer_is_refused(serve, answer):
    """What is too large is not even read as JSON."""
    answer.request = httpx.Request("GET", ADDRESS)
    serve(answer)
    with pytest.raises((httpx.HTTPError, ValueError), match=r"404|500|too large"):
        loaded(ADDRESS)


@pytest.fixture
def refreshed(file, monkeypatch):
    """``refreshed(content)``: the ids of the keys after the file has become this, and then good
    again under another id."""
    monkeypatch.setattr(issuer, "REFRESH_S", 0)

    async def until(condition, task):
        async with asyncio.timeout(30):
            while not condition():
                assert not task.done(), task.exception()
                await asyncio.sleep(0)

    async def refreshing(content):
        keys = IssuerKeys(str(file))
        reads = []
        read = keys._read
        keys._read = lambda: reads.append(1) or read()
        await keys.load()
        task = asyncio.create_task(keys.keep_fresh())
        file.write_bytes(content)
        reads.clear()
        await until(lambda: len(reads) > 2, task)
        meanwhile = kids(keys)
        later = ECKey.generate_key("P-256", private=True)
        later.ensure_kid()
        file.write_bytes(orjson.dumps({"keys": [later.as_dict(private=False)]}))
        await until(lambda: kids(keys) == [later.kid], task)
        task.cancel()
        return meanwhile

    return lambda content: asyncio.run(refreshing(content))


@bad
def test_the_last_good_keys_stay_where_a_refresh_fails(refreshed, key, content):
    """And it goes on trying: the issuer mends its mistake, and nobody has to restart anything."""
    assert [key.kid] == refreshed(content)
