"""Checks take a short way past the application: it is to answer as the long way does."""

import pytest

LONG_WAY = {"content-type": "application/json; charset=utf-8"}
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


@pytest.mark.parametrize(
    "body",
    [
        CARD,
        CARD.replace(b"physical", b"telepathic"),
        CARD.replace(b"1}", b"0}"),
        CARD.replace(b"1}", b'"one"}'),
        CARD.replace(b"1}", b'1, "more": 2}'),
        CARD.replace(b'"x"', b"null"),
        CARD.replace(b'"x"', b'"a\\u0000b"'),
        b"{}",
    ],
)
def test_the_same_answer_on_both_ways(verifier, body):
    """Status, headers, and every word of a problem."""
    short = verifier.send("/v1/verifications", body)
    long = verifier.send("/v1/verifications", body, **LONG_WAY)

    assert said(long) == said(short)


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a": nope}', b"[]", b"null", b"7", b""])
def test_what_is_no_object_is_bad_input_on_both_ways(verifier, body):
    """Though each says in its own words where."""
    for headers in ({}, LONG_WAY):
        answer = verifier.send("/v1/verifications", body, **headers)
        assert (422, "INVALID_REQUEST") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("token", [None, "", "x", "Basic abc", "Bearer", "Bearer x.y.z"])
def test_nobody_without_a_token(http, token):
    """The same 401."""
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


def test_other_methods_go_the_long_way(verifier):
    """405, as everywhere."""
    assert 405 == verifier.get("/v1/verifications").status_code
