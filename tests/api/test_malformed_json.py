"""Malformed and hostile JSON values, in every field of every request.

Deeply nested, oversized, non-finite and unprintable values, lone surrogates and injections: each is
understood or refused as a problem document, never a 500, and never repeated in the response.
"""

import json
import operator
from copy import deepcopy
from functools import reduce
from itertools import product
from uuid import uuid4

import pytest

SERIAL = "000000000000"
MARK = "4c0ffee-never-to-be-repeated"
HERE = "@here@"

REQUESTS = {
    ("registrar", f"/v1/permits/{SERIAL}/endorsements"): {"card_presented": "card"},
    ("registrar", f"/v1/permits/{SERIAL}/loss-reports"): {},
    ("registrar", f"/v1/permits/{SERIAL}/replacements"): {
        "reason": "damaged",
        "old_card_returned": True,
    },
    ("registrar", f"/v1/permits/{SERIAL}/address-changes"): {
        "residence": {"division": "320211", "address": "示例路2号"},
        "moved_on": "2026-01-06",
    },
    ("registrar", f"/v1/permits/{SERIAL}/identity-corrections"): {
        "name": "欧阳更正",
        "citizen_id_number": "990000199001010017",
        "hukou_address": "示例街2号",
    },
    ("registrar", f"/v1/permits/{SERIAL}/cancellations"): {"reason": "renounced"},
    ("registrar", f"/v1/permits/{SERIAL}/voidings"): {"finding": "forged lease"},
    ("registrar", "/v1/permits/searches"): {"citizen_id_number": "990000199001010017"},
    ("verifier", "/v1/verifications"): {
        "scenario": "patrol_inspection",
        "track": "physical",
        "permit_number": SERIAL,
        "card_serial": 1,
    },
    ("holder", f"/v1/permits/{SERIAL}/electronic/claims"): {
        "confirmed": True,
        "face_match": {"provider": "test", "score": 0.97, "matched": True},
        "device_key": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
    },
    ("holder", f"/v1/permits/{SERIAL}/electronic/device-revocations"): {"device": "A" * 43},
}
HOSTILE = {
    "lone surrogate": r'"\ud800"',
    "NUL": r'"a\u0000b"',
    "NaN": "NaN",
    "infinity": "-Infinity",
    "overflow": "1e999",
    "huge integer": "9" * 5000,
    "64 bits and one": str(2**64),
    "300 deep": "[" * 300 + "]" * 300,
    "1100 deep": "[" * 1100 + "]" * 1100,
    "10,000 deep": "[" * 10_000 + "]" * 10_000,
    "objects 10,000 deep": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "long": json.dumps("x" * 100_000),
    "controls": r'"\u202e\u200b\u0007\r\nSet-Cookie: a=b"',
    "null": "null",
    "mark": json.dumps(MARK),
    "injection": json.dumps("'; DROP TABLE ledger.events; -- ${jndi:ldap://x} {{7*7}} %s"),
}


@pytest.fixture(scope="module")
def send(caller):
    """``send(role, path, content, …headers)``: the response to a caller in a role."""
    callers = {
        "registrar": caller("registrar"),
        "verifier": caller("verifier"),
        "holder": caller("holder", holder_id="somebody"),
    }
    return lambda role, *request, **headers: callers[role].send(*request, **headers)


def leaves(body, at=()):
    """Yield the paths of all values in a JSON object."""
    for name, value in body.items():
        yield (*at, name)
        if isinstance(value, dict):
            yield from leaves(value, (*at, name))


def planted(body, place, value):
    """Return the body as JSON, with a value at a place."""
    body = deepcopy(body)
    *outer, name = place
    reduce(operator.getitem, outer, body)[name] = HERE
    return json.dumps(body).replace(json.dumps(HERE), value).encode()


def assert_understood_or_refused(answer):
    """The status is below 500, and every refusal is a problem document."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert "application/problem+json" == answer.headers["Content-Type"]
        assert answer.status_code == answer.json()["status"]


@pytest.fixture(scope="module")
def requests(application):
    return {("registrar", "/v1/permits"): application(), **REQUESTS}


@pytest.mark.parametrize("key", [False, True], ids=["", "with a key"])
def test_no_value_in_any_field_is_a_server_error(send, requests, key):
    """Every value in every field of every request, with and without an Idempotency-Key."""
    for (role, path), body in requests.items():
        for place in leaves(body):
            for value in HOSTILE.values():
                content = planted(body, place, value)
                headers = {"idempotency_key": str(uuid4())} if key else {}
                assert_understood_or_refused(send(role, path, content, **headers))


def test_a_value_in_place_of_the_body_is_refused(send, requests):
    """Where an object belongs."""
    for (role, path), value in product(requests, HOSTILE.values()):
        answer = send(role, path, value.encode())
        assert_understood_or_refused(answer)
        assert answer.status_code >= 400, (path, value[:40])


def test_an_unknown_member_is_refused(send, requests):
    """Whatever its name."""
    names = [r'"\ud800"', r'"\u0000"', '""', '"__proto__"', json.dumps("x" * 100_000)]
    for ((role, path), body), name in product(requests.items(), names):
        text = json.dumps(body)[:-1]
        content = f"{text}{', ' if body else ''}{name}: 1}}".encode()
        answer = send(role, path, content, idempotency_key=str(uuid4()))
        assert_understood_or_refused(answer)
        assert answer.status_code >= 400


def test_no_value_is_repeated(send, requests):
    """A problem document does not contain the invalid value, which may be personal."""
    answers = {
        (path, place): send(role, path, planted(body, place, HOSTILE["mark"]))
        for (role, path), body in requests.items()
        for place in leaves(body)
    }
    problems = {asked: answer for asked, answer in answers.items() if answer.is_error}

    assert problems
    assert [] == [asked for asked, problem in problems.items() if MARK in problem.text]


def test_no_name_is_repeated(send, requests):
    """A citizen ID number may be in the place of a field's name."""
    answers = {
        path: send(role, path, planted(body, (MARK,), "1"))
        for (role, path), body in requests.items()
    }

    assert {422} == {answer.status_code for answer in answers.values()}
    assert [] == [path for path, answer in answers.items() if MARK in answer.text]
