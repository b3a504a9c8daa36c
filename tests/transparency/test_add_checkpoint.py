"""The request to a witness, and which of its responses are accepted."""

import asyncio
import gzip
import socket
from base64 import b64encode

import pytest

from tests.transparency.cosigning import cosigner
from tests.transparency.misbehaving_witness import answers, drips, says, witness_at
from transparency.notes import NoteSigner, NoteVerifier, TreeHead
from transparency.witness import add_checkpoint
from transparency.witness.add_checkpoint import (
    ANSWER_BYTES_MAX,
    NotCosigned,
    OtherSize,
    cosignature_in,
    request_body,
    submit,
    witness_client,
)

NOW = 1_800_000_000
LOG = NoteSigner("log.example", bytes(32))
CHECKPOINT = TreeHead("log.example", 7, bytes(range(32))).signed([LOG])
TEXT = CHECKPOINT.text
W, V = cosigner(1), cosigner(2)
KEY = NoteVerifier.of(W.vkey)
SIGNED = W.sign(TEXT, NOW)
GOOD = str(SIGNED).encode()
OTHER = str(V.sign(TEXT, NOW)).encode()


def asked(behaviour):
    """The cosignature of a witness that behaves so, or why there is none."""

    async def ask(url):
        async with witness_client() as client:
            answer = await submit(client, url, request_body(0, [], CHECKPOINT))
            return cosignature_in(answer, KEY, TEXT, NOW)

    with witness_at(behaviour) as url:
        return asyncio.run(ask(url))


def test_the_request_has_the_specified_form():
    """Old size, hashes, an empty line, the note."""
    one, two = bytes([1]) * 32, bytes([2]) * 32
    expected = (
        f"old 4\n{b64encode(one).decode()}\n{b64encode(two).decode()}\n\n{CHECKPOINT}"
    ).encode()
    assert expected == request_body(4, [one, two], CHECKPOINT)
    assert f"old 0\n\n{CHECKPOINT}".encode() == request_body(0, [], CHECKPOINT)
    with pytest.raises(ValueError, match="63"):
        request_body(4, [one] * 64, CHECKPOINT)


def test_the_request_is_sent_to_the_submission_prefix():
    """POST, with the body and nothing else."""
    heard = []

    def listen(connection, body):
        heard.append(body)
        answers(200, GOOD)(connection, body)

    assert asked(listen) == W.sign(TEXT, NOW)
    assert [request_body(0, [], CHECKPOINT)] == heard


@pytest.mark.parametrize(
    "content",
    {
        "its own": GOOD,
        "others' too": OTHER + GOOD + OTHER,
        "two of its own": GOOD + str(W.sign(TEXT, NOW + 1)).encode(),
        "a bit ahead": str(W.sign(TEXT, NOW + 300)).encode(),
    }.values(),
)
def test_a_cosignature_is_accepted(content):
    """By the known key, whatever other signatures there are."""
    found = asked(answers(200, content))
    assert (KEY.name, KEY.key_id) == (found.name, found.key_id)
    KEY.check(TEXT, found)


def test_another_size_is_reported():
    """409: what the witness knows."""
    for content_type in ("text/x.tlog.size", "Text/X.Tlog.Size; charset=utf-8"):
        with pytest.raises(OtherSize) as raised:
            asked(answers(409, b"12\n", content_type))
        assert raised.value.size == 12


FALSE = {
    "nothing": b"",
    "a newline": b"\n",
    "others only": OTHER,
    "no newline": GOOD[:-1],
    "an empty line": GOOD + b"\n",
    "no dash": GOOD.replace("—".encode(), b"-"),
    "no UTF-8": b"\xff" + GOOD,
    "of another text": str(W.sign(TEXT + "more\n", NOW)).encode(),
    "of another size": str(W.sign(str(TreeHead("log.example", 8, bytes(32))), NOW)).encode(),
    "another time": str(SIGNED._replace(value=bytes(8) + SIGNED.value[8:])).encode(),
    "no time": str(W.sign(TEXT, 0)).encode(),
    "far ahead": str(W.sign(TEXT, NOW + 100_000)).encode(),
    "beyond 2^63": str(W.sign(TEXT, 2**63)).encode(),
    "cut": f"— {W.name} {b64encode(W.key_id + bytes(20)).decode()}\n".encode(),
    "the key's id alone": f"— {W.name} {b64encode(W.key_id).decode()}\n".encode(),
    "false before true": str(W.sign(TEXT + "more\n", NOW)).encode() + GOOD,
    "too many": OTHER * 64 + GOOD,
    "the whole note": str(CHECKPOINT).encode() + GOOD,
    "a page": b"<html>" + GOOD,
}


@pytest.mark.parametrize("content", FALSE.values(), ids=FALSE)
def test_a_malformed_cosignature_is_refused(content):
    with pytest.raises(NotCosigned):
        asked(answers(200, content))


SIZES = {
    "negative": b"-1\n",
    "zero before": b"07\n",
    "no newline": b"7",
    "two lines": b"7\n8\n",
    "blank": b" 7\n",
    "hexadecimal": b"0x7\n",
    "other digits": "٧\n".encode(),
    "2^63": b"9223372036854775808\n",
    "enormous": b"9" * 5000 + b"\n",
    "empty": b"",
}


@pytest.mark.parametrize("content", SIZES.values(), ids=SIZES)
def test_a_malformed_size_is_refused(content):
    with pytest.raises(NotCosigned) as refused:
        asked(answers(409, content, "text/x.tlog.size"))
    assert not isinstance(refused.value, OtherSize)


def test_a_size_of_another_media_type_is_refused():
    with pytest.raises(NotCosigned) as refused:
        asked(answers(409, b"7\n", "text/plain"))
    assert not isinstance(refused.value, OtherSize)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
LIES = {
    "an error": answers(500, GOOD),
    "unavailable": answers(503, GOOD, more="Retry-After: 100000\r\n"),
    "forbidden": answers(403, GOOD),
    "unknown log": answers(404, GOOD),
    "no proof": answers(422, GOOD),
    "accepted": answers(202, GOOD),
    "moved": answers(302, GOOD, more="Location: http://127.0.0.1:9/\r\n"),
    "packed": answers(200, gzip.compress(GOOD), more="Content-Encoding: gzip\r\n"),
    "too large": answers(200, GOOD * (ANSWER_BYTES_MAX // len(GOOD) + 2)),
    "too large and packed": answers(
        200, gzip.compress(b"\n" * 100_000_000), more="Content-Encoding: gzip\r\n"
    ),
    "hangs up": says(b""),
    "no HTTP": says(b"SSH-2.0-OpenSSH\r\n\r\n"),
    "a head without end": says(HEAD),
    "less than promised": says(HEAD + b"Content-Length: 100000\r\n\r\n" + GOOD),
    "no number": says(HEAD + b"Content-Length: many\r\n\r\n" + GOOD),
    "broken chunks": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + GOOD),
    "header without end": drips(HEAD + b"X: ", b"x" * 1000),
    "headers without end": drips(HEAD, b"X: y\r\n"),
    "body without end": drips(HEAD + b"\r\n", GOOD * 10),
    "body drop by drop": drips(HEAD + b"Content-Length: 100000\r\n\r\n", b"x"),
    "head drop by drop": drips(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "wait, wait": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("behaviour", LIES.values(), ids=LIES)
def test_a_misbehaving_witness_does_no_harm(behaviour, monkeypatch):
    """Whatever it sends, and however long: there is no cosignature, and nothing else fails."""
    monkeypatch.setattr(add_checkpoint, "ANSWER_TIMEOUT_S", 0.5)
    with pytest.raises(NotCosigned):
        asked(behaviour)


def test_an_unreachable_witness():
    """A closed port, and malformed addresses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    async def ask(url):
        async with witness_client() as client:
            await submit(client, url, b"")

    for url in (f"http://127.0.0.1:{port}", "http://[::", "http://a b/", "http://\udcff/"):
        with pytest.raises(NotCosigned):
            asyncio.run(ask(url))
