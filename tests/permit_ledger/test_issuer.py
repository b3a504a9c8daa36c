"""The issuer's public keys: read once to begin with, and kept fresh."""

import asyncio
from types import SimpleNamespace

import httpx
import orjson
import pytest
from joserfc.jwk import ECKey
from structlog.testing import capture_logs

from ledger.errors import Unavailable
from permit_ledger.keys import issuer
from permit_ledger.keys.issuer import (
    AGE_MAX_S,
    BYTES_MAX,
    IssuerKeys,
    NoKeys,
    load_at_start,
    read_source,
)

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
    "too large": b" " * (BYTES_MAX + 1),
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


def loaded(source, **seams):
    keys = IssuerKeys(str(source), **seams)
    asyncio.run(keys.load())
    return keys


class Source:
    """A file that counts how often it is read, after a moment each time."""

    def __init__(self, file):
        self.file, self.reads, self.pause_s = file, 0, 0.01

    async def __call__(self):
        self.reads += 1
        await asyncio.sleep(self.pause_s)
        return await read_source(str(self.file))


def kids(keys):
    return [key.kid for key in keys().keys]


def test_keys_come_from_a_file(file, key):
    """By their ids."""
    assert [key.kid] == kids(loaded(file))


def test_keys_that_cannot_be_confirmed_for_a_day_verify_nothing(file, key):
    """The issuer may have revoked one meanwhile. As soon as it answers again, they do."""
    clock = [1000.0]
    keys = loaded(file, now=lambda: clock[0])
    content = file.read_bytes()
    file.unlink()
    clock[0] += AGE_MAX_S
    asyncio.run(keys.refresh())
    assert [key.kid] == kids(keys)

    clock[0] += 10
    with pytest.raises(Unavailable, match="out of date"):
        keys()

    file.write_bytes(content)
    asyncio.run(keys.refresh())
    assert [key.kid] == kids(keys)


def test_an_ignored_key_is_reported_once(file, key):
    """Beside a good one; again only when the set has changed (RFC 7517 §5)."""
    unknown = {**key.as_dict(private=False), "crv": "BP-256", "kid": "b"}
    file.write_bytes(orjson.dumps({"keys": [unknown, key.as_dict(private=False)]}))

    async def twice():
        keys = IssuerKeys(str(file))
        await keys.load()
        await keys.load()
        return keys

    with capture_logs() as lines:
        assert [key.kid] == kids(asyncio.run(twice()))

    [line] = lines
    assert "warning" == line["log_level"]
    assert line["reason"].startswith("key 1 (kid 'b'): ")


def test_keys_come_from_an_address(serve, jwks, key):
    """Over https."""
    serve(httpx.Response(200, content=jwks))
    assert [key.kid] == kids(loaded(ADDRESS))


def test_there_are_no_keys_before_they_are_loaded(file):
    """An empty set verifies no token."""
    with pytest.raises(RuntimeError, match="not loaded"):
        IssuerKeys(str(file))()


def test_a_missing_file_is_missed(tmp_path):
    """At the start."""
    with pytest.raises(OSError, match=r"none\.json"):
        loaded(tmp_path / "none.json")


def test_a_plain_http_address_is_not_fetched(serve, jwks):
    """An attacker on the network could choose the keys."""
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
        source = Source(file)
        keys = IssuerKeys(str(file), read=source)
        await keys.load()
        task = asyncio.create_task(keys.keep_fresh())
        file.write_bytes(content)
        source.reads = 0
        await until(lambda: source.reads > 2, task)
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
    """It keeps trying: once the issuer corrects its mistake, no restart is needed."""
    assert [key.kid] == refreshed(content)


def other_keys(file):
    """The issuer rotates; the id of the new key."""
    later = ECKey.generate_key("P-256", private=True)
    later.ensure_kid()
    file.write_bytes(orjson.dumps({"keys": [later.as_dict(private=False)]}))
    return later.kid


@pytest.fixture
def source(file):
    return Source(file)


@pytest.fixture
def clock():
    """Seconds, which pass only where a test lets them."""
    return SimpleNamespace(now_s=1000.0)


@pytest.fixture
def rotating(file, source, clock):
    """The keys, loaded; ``source.reads`` counts how often they were read since."""
    keys = loaded(file, read=source, now=lambda: clock.now_s)
    source.reads = 0
    return keys


def test_an_unknown_key_is_fetched_once_for_all_callers(rotating, source, file):
    """Sixteen tokens of the new key cause one read, and its result is for all of them."""
    kid = other_keys(file)

    async def ask():
        return await asyncio.gather(*(rotating.refresh() for _ in range(16)))

    assert [True] * 16 == asyncio.run(ask())
    assert (1, [kid]) == (source.reads, kids(rotating))


def test_made_up_keys_cause_no_storm(rotating, source, clock, file):
    """At most one read in a while; then the issuer's newer key is found again."""

    async def storm():
        return [await rotating.refresh() for _ in range(100)]

    assert [False] * 100 == asyncio.run(storm())
    assert 1 == source.reads

    other_keys(file)
    assert not asyncio.run(rotating.refresh())
    clock.now_s += issuer.UNKNOWN_KEY_REFRESH_S
    assert asyncio.run(rotating.refresh())
    assert 2 == source.reads


def test_the_same_set_stays_the_same(rotating):
    """Cached verifications stay valid."""
    before = rotating()
    assert not asyncio.run(rotating.refresh())
    assert before is rotating()


def test_a_cancelled_caller_does_not_end_the_read_for_the_others(rotating, file):
    """They share it."""
    kid = other_keys(file)

    async def ask():
        first = asyncio.create_task(rotating.refresh())
        await asyncio.sleep(0)
        second = asyncio.create_task(rotating.refresh())
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(ask())
    assert [kid] == kids(rotating)


@bad
def test_a_bad_answer_for_an_unknown_key_leaves_the_keys(rotating, file, key, content):
    """The request that asked gets this error and no other."""
    file.write_bytes(content)
    assert not asyncio.run(rotating.refresh())
    assert [key.kid] == kids(rotating)


def test_a_source_that_does_not_answer_is_given_up(rotating, source, key, monkeypatch):
    """After a bound, and the keys stay."""
    monkeypatch.setattr(issuer, "FETCH_TIMEOUT_S", 0.05)
    source.pause_s = 60
    assert not asyncio.run(rotating.refresh())
    assert [key.kid] == kids(rotating)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("none.json", r"none\.json: No such file"),
        ("http://issuer.example/jwks.json", "https"),
        (".", "Is a directory"),
    ],
)
def test_a_refused_start_says_what_to_do(tmp_path, monkeypatch, source, said):
    """The setting, what is wrong with it, and what it should be."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoKeys, match=rf"PERMIT_LEDGER_JWKS can't be used: .*{said}.*JWK Set"):
        load_at_start(source)
