"""/openapi.json: complete, valid, and what the service really does."""

from collections import Counter

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

EXAMPLES_MAX = 25
N = "/v1/permits/{permit_number}"
CONTRACT = {
    *("POST /v1/permits", f"GET {N}", f"GET {N}/physical", f"GET {N}/electronic"),
    *("POST /v1/permits/searches", f"POST {N}/endorsements", f"POST {N}/loss-reports"),
    *(f"POST {N}/loss-lifts", f"POST {N}/reissues", f"POST {N}/replacements"),
    *(f"POST {N}/address-changes", f"POST {N}/identity-corrections"),
    *(f"POST {N}/cancellations", f"POST {N}/voidings", f"POST {N}/electronic/claims"),
    *("POST /v1/verifications", "GET /v1/me/permit", "GET /healthz", "GET /readyz"),
    *("GET /metrics", "PUT /v1/dev/clock", "POST /v1/dev/tokens"),
}
"""Operations that the outside world relies on."""

OWN = {"GET /v1/dev/clock", f"POST {N}/card-deliveries", f"POST {N}/electronic/device-revocations"}
"""What we added."""

BY_HOLDER = {
    *("GET /v1/me/permit", f"POST {N}/electronic/claims"),
    f"POST {N}/electronic/device-revocations",
}
NOT_AT_RANDOM = {"PUT /v1/dev/clock"}
FUZZED = sorted((CONTRACT | OWN) - NOT_AT_RANDOM)
CONFORMANCE = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
POSITION_THAT_IS_THERE = {"min_position": 1}
"""A position far ahead is an honest 503; waiting for it over and over tells nothing new."""


@pytest.fixture(scope="module")
def document(http):
    return http.get("/openapi.json").json()


@pytest.fixture(scope="module")
def schema(service):
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


@pytest.fixture(scope="module")
def session():
    with requests.Session() as session:
        yield session


@pytest.fixture
def headers_for(registrar, verifier, holder_of):
    """``headers_for("POST …", permit)``: of the one who may."""

    def find(label, permit):
        if label in BY_HOLDER:
            return holder_of(permit).headers
        return (verifier if label == "POST /v1/verifications" else registrar).headers

    return find


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_it_is_openapi_3_1(document, schema):
    """Valid by its own metaschema."""
    assert document["openapi"].startswith("3.1")
    schema.validate()


def test_every_path_of_the_contract_is_there(document):
    """And none was renamed."""
    assert CONTRACT <= {label for label, _ in operations(document)}


def test_everything_says_what_it_is(document):
    """A sentence for every operation, a name of its own for each."""
    described = {label: operation.get("description") for label, operation in operations(document)}
    assert [] == [label for label, text in described.items() if not text]
    names = [operation["operationId"] for _, operation in operations(document)]
    assert [] == [name for name, times in Counter(names).items() if times > 1]


def test_every_body_has_a_bound_and_says_so(document):
    """Whoever may send a body may be told 413, or that it is no good."""
    taking = {label: op["responses"] for label, op in operations(document) if "requestBody" in op}

    assert [] == [label for label, answers in taking.items() if not {"413", "422"} <= set(answers)]


def test_the_contracts_headers_are_documented(document):
    """Position and version on every permit, and when to come back on a 503."""
    found = dict(operations(document))
    issued = found["POST /v1/permits"]["responses"]

    assert {"Ledger-Position", "ETag", "Idempotency-Replayed"} <= set(issued["201"]["headers"])
    assert {"Retry-After"} <= set(issued["503"]["headers"])
    assert {"WWW-Authenticate"} <= set(issued["401"]["headers"])


def test_problems_are_documented_as_problems_only(document):
    """No answer that is none has another media type."""
    media = {
        (label, status): set(answer.get("content", {}))
        for label, operation in operations(document)
        for status, answer in operation["responses"].items()
        if int(status) >= 400
    }

    assert {frozenset({"application/problem+json"})} == {
        frozenset(kinds) for kinds in media.values()
    }


def test_the_documents_own_example_is_granted(schema, session, registrar, at):
    """Who copies the examples of an issue gets a permit, or has one already."""
    at("2026-11-23")
    operation = schema["/v1/permits"]["POST"]
    statuses = []

    @settings(max_examples=1, database=None, phases=[Phase.generate])
    @given(operation.get_strategies_from_examples()[0])
    def send(case):
        case.body.pop("guardian")  # has no example of its own, and is not needed
        statuses.append(case.call(headers=registrar.headers, session=session).status_code)

    send()
    assert statuses[0] in {201, 409}


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", FUZZED)
def test_whatever_is_sent_the_answer_is_documented(
    schema, session, issue, headers_for, label, mode
):
    """Status, media type, headers and schema as the document says; what it forbids is refused."""
    permit = issue()
    method, path = label.split()
    operation, headers = schema[path][method], headers_for(label, permit)
    given_parameters = {"headers": dict(headers)}
    if "{" in path:
        given_parameters["path_parameters"] = {"permit_number": permit["permit_number"]}
    if any(parameter.name == "min_position" for parameter in operation.query):
        given_parameters["query"] = POSITION_THAT_IS_THERE
    seen = Counter()

    @settings(
        max_examples=EXAMPLES_MAX,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(mode, **given_parameters))
    def send(case):
        response = case.call(headers=headers, session=session)
        seen[response.status_code] += 1
        assert response.status_code < 500, response.text
        case.validate_response(response, checks=CONFORMANCE, headers=headers)

    send()
    assert seen


@pytest.mark.parametrize("label", sorted(label for label in FUZZED if label.startswith("POST")))
def test_a_body_that_the_document_forbids_is_refused(schema, session, issue, headers_for, label):
    """Bad input is 422, whatever else may be wrong with the request."""
    permit = issue()
    method, path = label.split()
    operation, headers = schema[path][method], headers_for(label, permit)
    accepted = []

    @settings(
        max_examples=EXAMPLES_MAX,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        operation.as_strategy(
            GenerationMode.NEGATIVE,
            headers=dict(headers),
            query={},
            path_parameters={"permit_number": permit["permit_number"]},
        )
    )
    def send(case):
        response = case.call(headers=headers, session=session)
        try:
            case.validate_response(response, checks=[checks.negative_data_rejection])
        except* AcceptedNegativeData:
            accepted.append((response.status_code, case.body))

    send()
    assert [] == accepted


def test_a_life_reads_as_the_document_says(
    at, schema, http, registrar, verifier, holder_of, application, claim_body
):
    """Every answer of a permit's life against its schema, refusals included."""
    at("2026-12-20")
    person = application(issued_on="2026-01-05")
    issued = registrar.post("/v1/permits", person)
    permit = issued.json()
    holder, path = holder_of(permit), f"/v1/permits/{permit['permit_number']}"
    card = {"track": "physical", "permit_number": permit["permit_number"], "card_serial": 1}
    seen = {"min_position": permit["as_of_position"]}
    number = {"citizen_id_number": person["holder"]["citizen_id_number"]}
    answers = {
        "POST /v1/permits": [issued, registrar.post("/v1/permits", person)],
        f"GET {N}": [registrar.get(path, **seen), registrar.get("/v1/permits/nonsense")],
        f"GET {N}/physical": [registrar.get(f"{path}/physical"), holder.get(f"{path}/physical")],
        f"GET {N}/electronic": [registrar.get(f"{path}/electronic")],
        "GET /v1/me/permit": [holder.get("/v1/me/permit"), registrar.get("/v1/me/permit")],
        "POST /v1/permits/searches": [registrar.post("/v1/permits/searches", number)],
        f"POST {N}/electronic/claims": [
            holder.post(f"{path}/electronic/claims", claim_body()),
            holder.post(f"{path}/electronic/claims", {}),
        ],
        f"POST {N}/endorsements": [
            registrar.post(f"{path}/endorsements", {"card_presented": "card"}),
            registrar.post(f"{path}/endorsements", {"card_presented": "card"}, if_match='"9"'),
        ],
        f"POST {N}/reissues": [
            registrar.post(f"{path}/reissues"),
            registrar.post(f"{path}/loss-reports"),
            registrar.post(f"{path}/reissues"),
        ],
        "POST /v1/verifications": [
            verifier.post("/v1/verifications", {"scenario": "law_enforcement", **card}),
            verifier.post("/v1/verifications", {"scenario": "dog_walking", **card}),
        ],
        f"POST {N}/cancellations": [
            registrar.post(f"{path}/cancellations", {"reason": "moved_away"}),
            registrar.post(f"{path}/cancellations", {"reason": "moved_away"}),
        ],
        "GET /readyz": [http.get("/readyz")],
        "GET /metrics": [http.get("/metrics")],
    }

    for label, given_answers in answers.items():
        method, route = label.split()
        for answer in given_answers:
            schema[route][method].validate_response(answer)
    statuses = {answer.status_code for some in answers.values() for answer in some}
    assert {200, 201, 403, 404, 409, 412, 422} == statuses
