"""Bodies that are too large, of another type, or not JSON."""

import json
from uuid import uuid4

BODY_BYTES_MAX = 256 * 1024


def assert_problem(answer):
    """Every refusal is a problem document."""
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert answer.status_code == answer.json()["status"]


def test_a_body_has_a_size_limit(subtests, registrar):
    """256 KiB, with or without a Content-Length."""
    for size_bytes, status in [(BODY_BYTES_MAX, 422), (BODY_BYTES_MAX + 1, 413), (10**7, 413)]:
        for in_chunks in [False, True]:
            with subtests.test(size_bytes=size_bytes, status=status, in_chunks=in_chunks):
                body = b'"' + b"x" * (size_bytes - 2) + b'"'
                chunks = (body[at : at + 65536] for at in range(0, len(body), 65536))

                answer = registrar.send("/v1/permits", chunks if in_chunks else body)

                assert status == answer.status_code
                assert_problem(answer)


def test_another_media_type_is_refused(subtests, registrar, application):
    """Even if the bytes are JSON."""
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/octet-stream",
        "application",
        "",
        "json",
        "application/json-seq",
    ]:
        with subtests.test(content_type=content_type):
            content = json.dumps(application()).encode()

            answer = registrar.send("/v1/permits", content, content_type=content_type)

            assert_problem(answer)
            assert answer.status_code in {415, 422}


def test_a_body_that_is_not_json_is_invalid(subtests, registrar):
    """422, as documented, on every endpoint."""
    for content in [
        b"",
        b" ",
        b"{",
        b"{]",
        b"nul",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1} {"a": 2}',
        b"\xff\xfe\x00",
        b'{"holder": "\xed\xa0\x80"}',
        b'{"holder": "\xff"}',
        b"\x1f\x8b\x08\x00",
        b"// comment\n{}",
    ]:
        with subtests.test(content=content):
            for path in ("/v1/permits", "/v1/permits/000000000000/loss-reports"):
                answer = registrar.send(path, content, idempotency_key=str(uuid4()))

                assert_problem(answer)
                assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])


def test_json_is_utf_8(subtests, registrar, application):
    """RFC 8259 §8.1: nothing else is JSON between systems; a byte order mark does no harm."""
    for encoding, status in [
        ("utf-8", 201),
        ("utf-8-sig", 201),
        ("utf-16", 422),
        ("utf-16-le", 422),
        ("gb18030", 422),
    ]:
        with subtests.test(encoding=encoding, status=status):
            content = json.dumps(application(), ensure_ascii=False).encode(encoding)

            answer = registrar.send("/v1/permits", content)

            assert status == answer.status_code
            if status == 422:
                assert "body: a JSON document in UTF-8 is expected" == answer.json()["detail"]
