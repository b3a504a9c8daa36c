"""Requests made up from /openapi.json, good ones and bad ones: all answers are documented."""

import json
from base64 import urlsafe_b64decode
from collections import Counter

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from tests.api.both_paths import OTHER_TYPE, comparable

SETTINGS = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CONFORMANCE = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
POSITION_THAT_IS_THERE = {"min_position": 1}
"""A position far ahead is an honest 503; waiting for it over and over tells nothing new."""

N = "/v1/permits/{permit_number}"
H = "/v1/audit/holders/{holder_id}"
Q = "/v1/operations/quarantine"
A = "/v1/audit/permits/{permit_number}"
C = "/v1/id-card-applications"
R = f"{C}/{{receipt_number}}"
STEPS = (
    *("dispatches", "approvals", "returns", "productions", "arrivals"),
    *("withdrawals", "collections"),
)
READS = {
    "GET /v1/permits": "registrar",
    f"GET {N}": "registrar",
    f"GET {N}/physical": "holder",
    f"GET {N}/electronic": "registrar",
    f"GET {N}/log-entries": "registrar",
    f"GET {N}/absence": "holder",
    "GET /v1/verifications": "verifier",
    "GET /v1/me/permit": "holder",
    "GET /v1/me/devices": "holder",
    f"GET {A}/events": "investigator",
    f"GET {A}/state": "investigator",
    f"GET {A}/timeline": "investigator",
    f"GET {A}/checks": "investigator",
    f"GET {A}/evidence": "investigator",
    "GET /v1/audit/id-card-applications/{receipt_number}/events": "investigator",
    "GET /v1/audit/reads": "investigator",
    "GET /v1/stats": "registrar",
    "GET /v1/stats/staff": "registrar",
    "GET /v1/stats/supervision": "supervisor",
    "GET /v1/stats/files/{name}": "registrar",
    f"GET {C}": "registrar",
    f"GET {C}/counts": "registrar",
    f"GET {R}": "registrar",
    f"GET {R}/progress": "registrar",
    "GET /tlog/proof/{position}": "registrar",
    "GET /tlog/tile/{tile_path}": "registrar",
    "GET /tlog/tile/entries/{tile_path}": "operator",
}
WRITES = {
    "POST /v1/permits": "registrar",
    "POST /v1/permits/searches": "registrar",
    f"POST {N}/endorsements": "registrar",
    f"POST {N}/loss-reports": "registrar",
    f"POST {N}/loss-lifts": "registrar",
    f"POST {N}/reissues": "registrar",
    f"POST {N}/replacements": "registrar",
    f"POST {N}/deliveries": "registrar",
    f"POST {N}/card-deliveries": "registrar",
    f"POST {N}/address-changes": "registrar",
    f"POST {N}/identity-corrections": "registrar",
    f"POST {N}/cancellations": "registrar",
    f"POST {N}/voidings": "registrar",
    f"POST {C}": "registrar",
    **{f"POST {R}/{step}": "registrar" for step in STEPS},
    f"POST {N}/electronic/claims": "holder",
    f"POST {N}/electronic/device-revocations": "holder",
    f"POST {N}/electronic/display-codes": "holder",
    "POST /v1/verifications": "verifier",
    "POST /v1/verifications/batches": "verifier",
    "POST /v1/verifications/challenges": "verifier",
    "POST /v1/verifications/frames": "verifier",
    "POST /v1/dev/tokens": "registrar",
    f"POST {H}/restrictions": "investigator",
    f"POST {H}/restriction-lifts": "investigator",
    f"POST {H}/erasures": "investigator",
    f"POST {Q}/{{permit_number}}/retries": "operator",
}
"""All that take a body, but for the clock, which all tests share."""
EXPECTED = {
    f"POST {N}/electronic/display-codes": {401},
    f"POST {Q}/{{permit_number}}/retries": {404},
}
"""What is made up here is signed by no phone; a permit that nothing is wrong with is not found in
quarantine."""
NEW = {"POST /v1/permits": {201}, f"POST {C}": {201}}
"""A person has one permit, and one application: the second answer differs."""


@pytest.fixture(scope="module")
def schema(service):
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


@pytest.fixture(scope="module")
def session():
    with requests.Session() as session:
        yield session


@pytest.fixture
def permit(issue, read, accept):
    """A permit that the views have, and in it the number of an application for an identity card."""
    permit = issue()
    read(permit)
    return {**permit, "receipt_number": accept()["receipt_number"]}


@pytest.fixture
def twin(issue, read, accept):
    """Another permit and application, in the same state."""
    permit = issue()
    read(permit)
    return {**permit, "receipt_number": accept()["receipt_number"]}


@pytest.fixture
def send_many(schema, session, permit, caller, holder_of):
    """``send_many(label, mode, role, judge)``: ``judge(case, response)`` for each request.

    Returns how often each status came.
    """
    roles = ("registrar", "verifier", "investigator", "supervisor", "operator")
    callers = {role: caller(role, case="2026-F-1") for role in roles}
    callers["holder"] = holder_of(permit)

    def send(label, mode, role, judge, **fixed):
        method, path = label.split()
        headers, seen = callers[role].headers, Counter()
        strategy = schema[path][method].as_strategy(mode, headers=dict(headers), **fixed)

        @SETTINGS
        @given(strategy)
        def one(case):
            response = case.call(headers=headers, session=session)
            seen[response.status_code] += 1
            judge(case, response)

        one()
        return seen

    return send


def in_path(label, permit):
    """What of the permit names it, or its holder or an application, in this path."""
    names = ("permit_number", "holder_id", "receipt_number")
    return {name: permit[name] for name in names if name in label}


def assert_documented(case, response):
    assert response.status_code < 500, response.text
    case.validate_response(response, checks=CONFORMANCE)


@pytest.fixture
def both_ways(session, caller, holder_of, signed, permit, twin):
    """``both_ways(label, role)``: a judge that sends each request once more, on FastAPI's path, and
    requires the same answer. A write is sent for a twin in the same state, by another account, for
    whom its key is new."""

    def sender_of(label, role):
        if role == "holder":
            return holder_of(permit if label.startswith("GET") else twin)
        sender = caller(role, case="2026-F-1")
        if label.startswith("GET"):
            return sender
        payload = sender.token.split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return signed(**{"station": None, **claims, "sub": "officer-twin"})

    def judging(label, role):
        headers = {**sender_of(label, role).headers, "Content-Type": OTHER_TYPE}
        named, of_twin = in_path(label, permit), in_path(label, twin)
        own, others = (
            {what: each[what] for what in ("permit_number", "holder_id", "receipt_number")}
            for each in (permit, twin)
        )

        def judge(case, response):
            assert_documented(case, response)
            if response.status_code in NEW.get(label, ()):
                return
            if label.startswith("POST") and named.items() <= (case.path_parameters or {}).items():
                case.path_parameters |= of_twin
            long = case.call(headers=headers, session=session)
            assert comparable(long, **others) == comparable(response, **own)

        return judge

    return judging


def test_every_write_is_in_the_table(http):
    """A new endpoint has to be entered, so that it is fuzzed."""
    paths = http.get("/openapi.json").json()["paths"]

    assert set(WRITES) == {f"POST {path}" for path in paths if "post" in paths[path]}


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize(("label", "role"), WRITES.items(), ids=WRITES)
def test_a_write_answers_as_documented(send_many, both_ways, permit, label, role, mode):
    """Status, media type, headers and schema, for a permit that exists; the same on both paths."""
    seen = send_many(
        label,
        mode,
        role,
        both_ways(label, role),
        path_parameters=in_path(label, permit),
        query=POSITION_THAT_IS_THERE,
    )

    assert not ({401, 403, 404, 405} - EXPECTED.get(label, set())) & set(seen)


@pytest.mark.parametrize(("label", "role"), WRITES.items(), ids=WRITES)
def test_a_write_for_any_number_answers_as_documented(send_many, label, role):
    """Whatever is in the place of a permit's number."""
    seen = send_many(
        label, GenerationMode.POSITIVE, role, assert_documented, query=POSITION_THAT_IS_THERE
    )

    assert not ({401, 403, 405} - EXPECTED.get(label, set())) & set(seen)


@pytest.mark.parametrize(("label", "role"), READS.items(), ids=READS)
def test_a_valid_read_answers_as_documented(send_many, both_ways, label, role):
    """For known and unknown numbers; the same on both paths."""
    seen = send_many(
        label, GenerationMode.POSITIVE, role, both_ways(label, role), query=POSITION_THAT_IS_THERE
    )

    assert seen


@pytest.mark.parametrize(("label", "role"), WRITES.items(), ids=WRITES)
def test_a_body_that_the_document_forbids_is_refused(send_many, permit, label, role):
    """Whatever else may be wrong with the request."""
    accepted = []

    def note(case, response):
        try:
            case.validate_response(response, checks=[checks.negative_data_rejection])
        except* AcceptedNegativeData:
            accepted.append((response.status_code, case.body))

    send_many(
        label,
        GenerationMode.NEGATIVE,
        role,
        note,
        path_parameters=in_path(label, permit),
        query=POSITION_THAT_IS_THERE,
    )

    assert [] == accepted


def test_the_documented_example_is_accepted(schema, session, registrar, at):
    """The example of an application results in a permit."""
    at("2026-11-23")
    [examples, *_] = schema["/v1/permits"]["POST"].get_strategies_from_examples()
    statuses = []

    @settings(SETTINGS, max_examples=1)
    @given(examples)
    def one(case):
        case.body.pop("guardian")  # has no example of its own, and is not needed
        statuses.append(case.call(headers=registrar.headers, session=session).status_code)

    one()
    assert [201] == statuses
