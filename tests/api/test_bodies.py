"""Bodies that are too large, of another type, or not JSON."""

import json
from uuid import uuid4

import pytest

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


def members(n):
    return b"{" + b",".join(b'"k%d":1' % i for i in range(n)) + b"}"


HOSTILE = {
    "members": members(24_000),
    "members within": b'{"holder":' + members(24_000) + b"}",
    "objects": b'{"materials":[' + b",".join([b"{}"] * 80_000) + b"]}",
    "values": b"[" + b",".join([b"0"] * 120_000) + b"]",
    "lists": b"[" + b",".join([b"[1,1]"] * 40_000) + b"]",
}


def with_json_bodies(http):
    """Every operation that takes one, with a path that fits its pattern."""
    paths = http.get("/openapi.json").json()["paths"]
    return [
        (method, path.replace("{", "").replace("}", ""))
        for path, operations in paths.items()
        for method, operation in operations.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]


@pytest.mark.parametrize("shape", HOSTILE)
def test_a_body_of_many_values_is_refused_before_it_is_validated(shape, http, subtests, caller):
    """One error, not one for each of its values, on every endpoint and both paths to checks."""
    callers = [
        caller(role, **claims)
        for role, claims in (
            ("registrar", {"station": "320211-01"}),
            ("verifier", {}),
            ("investigator", {"case": "2026-DP-17"}),
        )
    ]
    found = with_json_bodies(http)
    assert ("post", "/v1/verifications") in found
    for method, path in found:
        with subtests.test(path=path):
            answers = [
                http.request(
                    method,
                    path,
                    content=HOSTILE[shape],
                    headers={**each.headers, "content-type": "application/json"},
                )
                for each in callers
            ]
            refused = [answer for answer in answers if answer.status_code == 422]

            assert {answer.status_code for answer in answers} <= {403, 422}
            assert refused
            for answer in refused:
                assert "at most 1000 values" in answer.json()["detail"]
                assert len(answer.content) < 500


def test_the_errors_of_one_body_are_few(registrar):
    """The first 20 invalid fields, of as many as a body may have."""
    answer = registrar.send("/v1/permits/searches", members(1000))

    assert (422, 20) == (answer.status_code, len(answer.json()["errors"]))
