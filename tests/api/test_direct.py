"""The direct path to an endpoint: its responses equal those of FastAPI's path.

The whole corpus of made up requests is sent both ways in ``test_fuzz.py``; here are those that are
odd in another way.
"""

from contextlib import asynccontextmanager

from api.app import create_app
from tests.api.both_paths import OTHER_TYPE, comparable

LONG_WAY = {"content-type": OTHER_TYPE}
CARD = (
    b'{"scenario": "patrol_inspection", "track": "physical",'
    b' "permit_number": "x", "card_serial": 1}'
)
VARYING = ("check_id", "checked_at", "receipt", "as_of_position")


def said(answer):
    """All but what is each answer's own."""
    body = answer.json()
    own = {"date", "x-correlation-id", "content-length"}
    headers = {name: value for name, value in answer.headers.items() if name not in own}
    return answer.status_code, headers, {k: v for k, v in body.items() if k not in VARYING}


def test_both_paths_return_the_same_response(subtests, verifier):
    """Status, headers, and every word of a problem."""
    for body in [
        CARD,
        CARD.replace(b"physical", b"telepathic"),
        CARD.replace(b"1}", b"0}"),
        CARD.replace(b"1}", b'"one"}'),
        CARD.replace(b"1}", b'1, "more": 2}'),
        CARD.replace(b'"x"', b"null"),
        CARD.replace(b'"x"', b'"a\\u0000b"'),
        b"{}",
    ]:
        with subtests.test(body=body):
            short = verifier.send("/v1/verifications", body)
            long = verifier.send("/v1/verifications", body, **LONG_WAY)

            assert said(long) == said(short)


BOM = b"\xef\xbb\xbf"
ODD = {
    "byte order mark": BOM + CARD,
    "two byte order marks": BOM + BOM + CARD,
    "byte order mark alone": BOM,
    "empty": b"",
    "spaces": b"  ",
    "null": b"null",
    "number": b"7",
    "list": b"[]",
    "text": b'"x"',
    "cut off": b"{",
    "two values": CARD + CARD,
    "trailing comma": CARD.replace(b"1}", b"1,}"),
    "no UTF-8": b"\xff",
    "UTF-16": CARD.decode().encode("utf-16"),
    "UTF-16 without a mark": CARD.decode().encode("utf-16-le"),
    "UTF-32": CARD.decode().encode("utf-32"),
    "no value": b'{"a": nope}',
    "NaN": CARD.replace(b"1}", b"NaN}"),
    "infinity": CARD.replace(b"1}", b"-Infinity}"),
    "overflow": CARD.replace(b"1}", b"1e999}"),
    "64 bits and one": CARD.replace(b"1}", b"18446744073709551616}"),
    "5000 digits": CARD.replace(b"1}", b"9" * 5000 + b"}"),
    "whole number as a fraction": CARD.replace(b"1}", b"1.0}"),
    "lone surrogate": CARD.replace(b'"x"', b'"\\ud800"'),
    "lone surrogate in UTF-8": CARD.replace(b'"x"', b'"\xed\xa0\x80"'),
    "control character": CARD.replace(b'"x"', b'"a\tb"'),
    "member twice": CARD.replace(b"1}", b'1, "card_serial": 1}'),
    "members of an inner object twice": CARD.replace(b"1}", b'{"a": 1, "a": 1}}'),
    "900 deep": b'{"track": ' + b"[" * 900 + b"]" * 900 + b"}",
    "1,010 deep": b'{"track": ' + b"[" * 1010 + b"]" * 1010 + b"}",
    "100,000 deep": b"[" * 100_000,
}


def test_both_paths_return_the_same_response_to_an_unusual_body(subtests, verifier):
    for name, body in ODD.items():
        with subtests.test(name):
            short = verifier.send("/v1/verifications", body)
            long = verifier.send("/v1/verifications", body, **LONG_WAY)

            assert said(long) == said(short)
            if body != ODD["byte order mark"]:
                assert (422, "INVALID_REQUEST") == (short.status_code, short.json()["code"])


def test_a_byte_order_mark_is_ignored_everywhere(subtests, issue, registrar):
    """RFC 8259 §8.1."""
    for body in [BOM + b"{}", b"{}"]:
        with subtests.test(body=body):
            path = f"/v1/permits/{issue()['permit_number']}/loss-reports"
            assert 200 == registrar.send(path, body).status_code


def test_with_a_byte_order_mark_it_is_the_same_request(issue, registrar):
    """Its idempotency key is not used for another one."""
    path = f"/v1/permits/{issue()['permit_number']}/loss-reports"
    first = registrar.send(path, b"{}", idempotency_key="with-a-mark")

    again = registrar.send(path, BOM + b"{}", idempotency_key="with-a-mark")

    assert (200, "true") == (again.status_code, again.headers["Idempotency-Replayed"])
    assert first.content == again.content


def test_parameters_of_the_type_make_no_difference(subtests, verifier):
    """RFC 8259 §11 defines none."""
    for content_type in [
        *("application/json; charset=utf-8", "application/json;charset=UTF-8", "APPLICATION/JSON"),
        *('application/json; charset="utf-8"', "application/json; profile=x", "application/x+json"),
    ]:
        with subtests.test(content_type=content_type):
            other = verifier.send("/v1/verifications", CARD, content_type=content_type)
            assert said(verifier.send("/v1/verifications", CARD)) == said(other)


def test_a_token_is_required(subtests, http):
    """The same 401."""
    for token in [None, "", "x", "Basic abc", "Bearer", "Bearer x.y.z"]:
        with subtests.test(token=token):
            answers = [
                http.post(
                    "/v1/verifications",
                    content=CARD,
                    headers={**headers, **({} if token is None else {"authorization": token})},
                )
                for headers in ({"content-type": "application/json"}, LONG_WAY)
            ]
            assert said(answers[0]) == said(answers[1])
            assert 401 == answers[0].status_code


def test_the_wrong_scope(registrar):
    """The same 403."""
    answers = [registrar.send("/v1/verifications", CARD, **headers) for headers in ({}, LONG_WAY)]
    assert said(answers[0]) == said(answers[1])
    assert 403 == answers[0].status_code


def test_a_body_that_is_too_large(verifier):
    """413 on both."""
    for headers in ({}, LONG_WAY):
        answer = verifier.send("/v1/verifications", b" " * 300_000, **headers)
        assert (413, "TOO_LARGE") == (answer.status_code, answer.json()["code"])


def test_other_methods_are_refused(verifier):
    """405, as everywhere."""
    answer = verifier.http.put("/v1/verifications", json={}, headers=verifier.headers)
    assert 405 == answer.status_code


PERMIT = "/v1/permits/{permit_number}"
EXPECTED_DIRECT = {
    "POST /v1/permits",
    *(
        f"POST {PERMIT}/{what}"
        for what in ("endorsements", "loss-reports", "loss-lifts", "reissues")
    ),
    *(f"GET {PERMIT}{view}" for view in ("", "/physical", "/electronic")),
    *("GET /v1/permits", "GET /v1/me/permit", "POST /v1/permits/searches"),
    *("POST /v1/verifications", "POST /v1/verifications/batches"),
    *("GET /healthz", "GET /v1/id-card-applications/{receipt_number}"),
}


def test_what_is_frequent_is_answered_directly():
    """A dependency of another kind would send an endpoint back to the long path in silence."""

    @asynccontextmanager
    async def nothing(_):
        yield

    app = create_app(nothing, version="1")
    found = {
        f"{method} {endpoint.route.path}"
        for endpoint in app.direct.endpoints
        for method in endpoint.route.methods
    }

    assert set() == EXPECTED_DIRECT - found


def test_headers_and_parameters_are_judged_alike(subtests, issue, read, registrar, verifier, http):
    """Before the endpoint runs, and in the same order."""
    permit = issue()
    read(permit)
    path = f"/v1/permits/{permit['permit_number']}"
    loss, many = f"{path}/loss-reports", [("If-Match", '"7"'), ("If-Match", '"8"')]
    requests = {
        "tags": ("POST", loss, many, b"{}"),
        "malformed tag": ("POST", loss, [("If-Match", "x,")], b"{}"),
        "empty key": ("POST", loss, [("Idempotency-Key", "")], b"{}"),
        "long key": ("POST", loss, [("Idempotency-Key", "k" * 999)], b"{"),
        "two mistakes": ("POST", f"{loss}?a=1&a=2", [("Idempotency-Key", "")], b'{"a": 1}'),
        "no body": ("POST", loss, [], b""),
        "unknown number": ("POST", "/v1/permits/x%0A/loss-reports", [], b"{}"),
        "slash in the number": ("POST", "/v1/permits/a%2Fb/loss-reports", [], b"{}"),
        "braces in the number": ("GET", "/v1/permits/{}", [], b""),
        "empty number": ("GET", "/v1/permits/", [], b""),
        "line feed at the end": ("GET", "/healthz%0A", [], b""),
        "another method": ("DELETE", path, [], b""),
        "head": ("HEAD", path, [], b""),
        "known tag": ("GET", path, [("If-None-Match", '"1"')], b""),
        "parameters": ("GET", f"{path}?consistency=eventual&min_position=1", [], b""),
        "malformed parameter": ("GET", f"{path}?min_position=x&consistency=old", [], b""),
        "repeated parameter": ("GET", f"{path}?min_position=1&min_position=1", [], b""),
        "unknown parameter": ("GET", f"{path}?x=1", [], b""),
        "a literal beside a parameter": ("GET", "/v1/id-card-applications/counts", [], b""),
    }
    callers = {"registrar": registrar.headers, "verifier": verifier.headers, "without a token": {}}
    for name, (method, where, headers, body) in requests.items():
        for caller, token in callers.items():
            with subtests.test(name, caller=caller):
                direct, long = (
                    http.request(
                        method,
                        where,
                        content=body,
                        headers=[*token.items(), *headers, ("Content-Type", kind)],
                    )
                    for kind in ("application/json", OTHER_TYPE)
                )

                assert comparable(long) == comparable(direct)


def test_a_refused_command_is_the_same_and_on_record(issue, act, registrar):
    """Also where its key is used again."""
    path = f"/v1/permits/{issue()['permit_number']}/loss-lifts"
    answers = [
        registrar.send(path, b"{}", idempotency_key="not-lost", **headers)
        for headers in ({}, LONG_WAY, {})
    ]

    assert [409, 409, 409] == [answer.status_code for answer in answers]
    assert 1 == len({answer.content for answer in answers})
    assert [None, "true", "true"] == [
        answer.headers.get("Idempotency-Replayed") for answer in answers
    ]
